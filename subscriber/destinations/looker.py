"""Looker: a refresh triggers a datagroup, or drops what is cached under it.

Source: https://docs.cloud.google.com/looker/docs/reference/looker-api/latest/methods/Datagroup/update_datagroup
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, field_validator

from shared.errors import PermanentFailure
from subscriber.actions import Action, Handle
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined
from subscriber.outbound import Busy, Outbound, Refused
from subscriber.saying import looker as saying
from subscriber.tokens import Rejected, Token, named

T = TypeVar("T")
Headers = Mapping[str, str]

API = "/api/4.0"
BEFORE_NOW = timedelta(seconds=5)  # a time in the future is refused, and clocks differ
TOKEN_LASTS_S = 3_600.0  # where Looker does not say
LIST_LIMIT_BYTES = 8_000_000  # some thousands of datagroups

_FIELDS = {"trigger": "triggered_at", "drop_cache": "stale_before"}


class Looker(Destination):
    """`client_id` and `client_secret` are an API key of a user of Looker's.

    `datagroup` is `model::name`, as LookML has it, or Looker's own id. To trigger it rebuilds its
    tables and sends what is scheduled on it; `drop_cache` only has the next queries run anew.
    """

    does: ClassVar[Does] = Does.REFRESH
    repeatable: ClassVar[bool] = True  # a time is set, to almost the same

    base_url: str = Field(description="the address of your Looker")
    client_id: str = Field(description="the public part of an API key")
    client_secret: SecretStr = Field(description="where its other part is kept")
    datagroup: str = Field(
        description="model::name as LookML has them, or the id that Looker gave it"
    )
    effect: Literal["trigger", "drop_cache"] = Field(
        "trigger", description="whether what uses it is run anew, or only no longer cached"
    )

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        return self._logged_in(outbound, self._refreshed)

    def examine(self, outbound: Outbound) -> Examined:
        """Whether the key logs in and its user sees the datagroup."""
        return self._logged_in(outbound, self._seen)

    def shown(self, action: Action) -> str:
        lookup = f"GET {API}/datagroups\n" if self._is_named else ""
        path = f"{API}/datagroups/{'ID' if self._is_named else self.datagroup}"
        return f"{lookup}PATCH {path}\n{as_text(self._body(action.occurred_at))}"

    @property
    def _host(self) -> str:
        return urlsplit(self.base_url).hostname or "Looker"

    @property
    def _is_named(self) -> bool:
        return "::" in self.datagroup

    def _body(self, now: datetime) -> dict[str, Any]:
        return {_FIELDS[self.effect]: int((now - BEFORE_NOW).timestamp())}

    def _token(self, outbound: Outbound, secret: str) -> Token:
        fields = {"client_id": self.client_id, "client_secret": secret}
        try:
            answer = outbound.post_form(f"{self.base_url}{API}/login", fields)
        except Refused as refused:
            raise saying.log_in_refused(self._host, refused) from None
        token = answer.text("access_token")
        if not token:
            raise PermanentFailure(
                f"{self._host} answered the log-in with no token: is `base_url` a Looker's?"
            )
        lasts_s = answer.content.get("expires_in")
        is_known = isinstance(lasts_s, int | float) and lasts_s > 0
        return Token(token, float(lasts_s) if is_known else TOKEN_LASTS_S)

    def _logged_in(self, outbound: Outbound, act: Callable[[Outbound, Headers], T]) -> T:
        """What `act` returns, given the headers of who has logged in."""
        secret = self.client_secret.get_secret_value()

        def call(token: str) -> T:
            try:
                return act(outbound, {"Authorization": f"token {token}"})
            except Refused as refused:
                explained = saying.refused(self._host, self.datagroup, refused)
                if refused.status == 401:
                    raise Rejected from explained
                raise explained from None

        try:
            with self.keeping_secrets():
                return outbound.tokens.use(
                    named(self.base_url, self.client_id, secret),
                    lambda: self._token(outbound, secret),
                    call,
                )
        except Busy as busy:
            raise saying.too_often(self._host, busy) from None

    def _refreshed(self, outbound: Outbound, headers: Headers) -> Handle:
        datagroup_id = self._id(outbound, headers)
        body = self._body(outbound.clock())
        outbound.patch_json(self._url(datagroup_id), body, headers=headers)
        return Handle(key=datagroup_id)

    def _seen(self, outbound: Outbound, headers: Headers) -> Examined:
        if self._is_named:
            self._id(outbound, headers)
        else:
            outbound.get_json(self._url(self.datagroup), headers=headers)
        return Examined(f"the API key sees the datagroup {self.datagroup}; untried: to update it")

    def _url(self, datagroup_id: str) -> str:
        return f"{self.base_url}{API}/datagroups/{quote(datagroup_id, safe='')}"

    def _id(self, outbound: Outbound, headers: Headers) -> str:
        if not self._is_named:
            return self.datagroup
        url = f"{self.base_url}{API}/datagroups"
        listed = outbound.get_json(url, headers=headers, answer_limit_bytes=LIST_LIMIT_BYTES)
        return saying.found(self._host, self.datagroup, listed)

    @field_validator("client_id")
    @classmethod
    def _is_said(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("this is empty; copy the client ID of an API key from Looker")
        return value.strip()

    @field_validator("datagroup")
    @classmethod
    def _is_a_name_or_an_id(cls, value: str) -> str:
        model, _, name = value.strip().partition("::")
        if not model or ("::" in value and not name) or model in (".", ".."):
            raise ValueError("write model::datagroup, as in LookML, or the id that Looker gave it")
        return value.strip()
