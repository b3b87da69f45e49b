"""A webhook: a signed event for a program of one's own, wherever it is on the internet.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from ipaddress import ip_address
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.errors import Mistake, PermanentFailure
from shared.settings import check_url
from subscriber.actions import Action, Handle, Message
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined, reached
from subscriber.outbound import TOO_MANY_S, Busy, Outbound, Refused, encode
from subscriber.public_hosts import PublicHosts
from subscriber.saying import webhook as saying
from subscriber.shortening import fitting
from subscriber.standard_webhooks import message_id, signed, signing_key

BODY_LIMIT_BYTES = 20_000  # the standard advises to keep below 20 kB

_SLOW_DOWN = frozenset({429, 502, 504})
_MEDIA = {"standard": "application/json", "cloudevents": "application/cloudevents+json"}
_SIGNATURE = "the receiver does not accept the signature: does it verify with what `secret` holds?"
_FIXES = {
    400: "the receiver does not take the event; its log says why",
    401: _SIGNATURE,
    403: _SIGNATURE,
    404: "the receiver has nothing there; is `url` right?",
    405: "the receiver takes no POST there; is `url` right?",
    410: "the receiver has switched this endpoint off; remove the destination, or change its `url`",
    413: f"the receiver takes less than the {BODY_LIMIT_BYTES:,} bytes that an event may have",
    415: "the receiver does not take this `format`",
    422: "the receiver does not take the event; its log says why",
}


class Webhook(Destination):
    """`url` takes a POST for each thing that is told, signed with `secret` (`whsec_…`).

    While a secret is rotated, `former_secret` signs too. With `allow_private` the receiver may be
    in a private network; else it is on the internet. `base_url` stands in place of the url's host.
    """

    does: ClassVar[Does] = Does.TELL
    # The id lets a receiver drop a repeat, but not each does. And what answers 502 or 504 is to be
    # asked less, not at once again.
    repeatable: ClassVar[bool] = False

    url: str = Field(description="where to post; no secret in it")
    secret: SecretStr = Field(description="where the signing secret (whsec_...) is kept")
    former_secret: SecretStr | None = Field(
        None, description="where the one before it is kept, while it is being replaced"
    )
    format: Literal["standard", "cloudevents"] = Field(
        "standard", description="what is posted: the standard's events, or CloudEvents"
    )
    allow_private: bool = Field(default=False, description="for a receiver in a private network")
    base_url: str = Field(
        "", description="a host to post to instead of the url's own; for trying things out"
    )

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        body, key = encode(self.told(action)), message_id(action.key)
        headers = signed(body, key, outbound.clock(), self._keys())
        try:
            outbound.to_public_hosts(allow_private=self.allow_private).post_json(
                self.address(),
                body,
                headers={"Content-Type": _MEDIA[self.format], **headers},
                repeatable=self.repeatable,
                answer_limit_bytes=0,
                to_the_letter=True,
            )
        except Refused as refused:
            raise _explained(refused) from None
        except Busy as busy:
            raise _slower(busy) from None
        return Handle(key=key)

    def examine(self, outbound: Outbound) -> Examined:
        to_it = outbound.to_public_hosts(allow_private=self.allow_private)
        host = reached(to_it, self.address())
        return Examined(f"{host} answers; untried: an event", is_tried=False)

    def misfit(self, name: str) -> str:
        kept = self.secret if name == "secret" else self.former_secret
        try:
            signing_key(kept.get_secret_value() if kept else "", name)
        except PermanentFailure as failure:
            return str(failure).removeprefix(f"{name}: ")
        return ""

    def shown(self, action: Action) -> str:
        return as_text(self.told(action))

    def told(self, action: Action) -> dict[str, Any]:
        """The event about `action`; at most BODY_LIMIT_BYTES as JSON. Pure."""

        def event(message: Message) -> dict[str, Any]:
            if self.format == "standard":
                return saying.event(action, message)
            return saying.cloud_event(action, message, message_id(action.key))

        return fitting(action.message, event, lambda told: len(encode(told)) <= BODY_LIMIT_BYTES)

    def address(self) -> str:
        """`url`, to the letter, or the same at `base_url`."""
        if not self.base_url:
            return self.url
        parts = urlsplit(self.url)
        return f"{self.base_url}{self.url[len(f'{parts.scheme}://{parts.netloc}') :]}"

    def _keys(self) -> list[bytes]:
        """Of today's secret, and of the former one while there is one."""
        secrets = {"secret": self.secret, "former_secret": self.former_secret}
        held = {name: kept.get_secret_value() for name, kept in secrets.items() if kept}
        return [signing_key(value, name) for name, value in held.items()]

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value.strip())
            check_url(urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")))
        except (ValueError, Mistake) as mistake:
            reason = mistake if isinstance(mistake, Mistake) else "this is not a URL"
            raise ValueError(str(reason)) from None
        if parts.fragment or not value.strip().isprintable() or " " in value.strip():
            raise ValueError("a URL to post to has no white space and no fragment (`#…`)")
        return value.strip()

    @model_validator(mode="after")
    def _leads_where_it_may(self) -> Self:
        """An address says so at once; where a name leads is seen when something is sent."""
        host = urlsplit(self.address()).hostname or ""
        try:
            ip_address(host)
            PublicHosts(self.allow_private).check(host, host)
        except ValueError:
            pass
        except PermanentFailure as failure:
            raise ValueError(f"url: {failure}") from None
        return self


def _explained(refused: Refused) -> Refused:
    """The same refusal with what to do about it."""
    status = refused.status
    fix = _FIXES.get(status, "the receiver's log says why")
    if 300 <= status < 400:
        host = str(refused).partition(" answered")[0]
        text = f"{host} answered {status}, a redirect, which is not followed: write in `url`"
        return Refused(f"{text} where it leads", status, refused.reply)
    return Refused(f"{refused}: {fix}", status, refused.reply)


def _slower(busy: Busy) -> Busy:
    """The same, but asked again in half a minute where the standard wants it to be asked less."""
    if busy.status not in _SLOW_DOWN or busy.retry_after_s is not None:
        return busy
    return Busy(str(busy), status=busy.status, retry_after_s=TOO_MANY_S, reply=busy.reply)
