"""Power BI: a refresh has a dataset (a semantic model) read its data anew.

Source: https://learn.microsoft.com/rest/api/power-bi/datasets/refresh-dataset-in-group
"""

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, Field, SecretStr, StrictBool, field_validator, model_validator

from shared.errors import PermanentFailure
from subscriber.actions import Action, Handle
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined
from subscriber.outbound import Busy, Outbound, Refused, Reply, UnknownOutcome
from subscriber.progress import Looks, Progress, Running
from subscriber.saying import entra, power_bi_cloud
from subscriber.saying import power_bi as saying
from subscriber.saying.power_bi_refresh import How, kept, started
from subscriber.tokens import Rejected, Token, named

IN_HISTORY = 20  # entries that are looked through for a refresh that has no address

_ENHANCED = {
    "type": "type",
    "commit_mode": "commitMode",
    "max_parallelism": "maxParallelism",
    "retry_count": "retryCount",
    "objects": "objects",
    "apply_refresh_policy": "applyRefreshPolicy",
}
"""What only an enhanced refresh takes, with Power BI's names."""


class Part(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """A part of a dataset: a table, or one partition of it."""

    table: str = Field(min_length=1, description="its name")
    partition: str | None = Field(
        default=None, min_length=1, description="one of the table's partitions"
    )


class PowerBi(Destination):
    """`client_id` and `client_secret` are those of an app in the Entra tenant `tenant`.

    The app has to be a member of the workspace. Enhanced refreshes need a capacity of one's own.
    """

    does: ClassVar[Does] = Does.REFRESH
    repeatable: ClassVar[bool] = False  # after the first has ended, a second one uses up quota
    looks: ClassVar[Looks | None] = Looks(timedelta(seconds=30), timedelta(minutes=5))

    tenant: str = Field(description="the Entra tenant: its id, or one of its domains")
    client_id: str = Field(min_length=1, description="the app's application (client) id")
    client_secret: SecretStr = Field(description="where the value of the app's secret is kept")
    workspace: str = Field(
        description="its id, as in app.powerbi.com/groups/WORKSPACE/datasets/DATASET"
    )
    dataset: str = Field(description="its id, as in the same address")
    refresh: How = Field(
        "standard", description="how it is refreshed; enhanced needs a capacity of one's own"
    )
    type: (
        Literal["Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment"] | None
    ) = Field(None, description="of an enhanced refresh: what is processed")
    commit_mode: Literal["Transactional", "PartialBatch"] | None = Field(
        None, description="of an enhanced refresh: all of it at once, or in parts"
    )
    max_parallelism: int | None = Field(
        default=None, ge=1, description="of an enhanced refresh: how many parts at once"
    )
    retry_count: int | None = Field(
        default=None, ge=0, description="of an enhanced refresh: how often Power BI tries again"
    )
    objects: tuple[Part, ...] | None = Field(
        default=None, min_length=1, description="of an enhanced refresh: only these parts"
    )
    apply_refresh_policy: StrictBool | None = Field(
        None, description="of an enhanced refresh: whether an incremental policy is applied"
    )
    base_url: str = Field("https://api.powerbi.com", description="the API of another cloud")
    login_url: str = Field(
        "https://login.microsoftonline.com", description="the sign-in of another cloud"
    )

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        asked_at = outbound.clock()
        url, body = self._refreshes(self.workspace, self.dataset), self.body()
        reply = self._asked(
            outbound,
            lambda headers: outbound.post_json(url, body, headers=headers, repeatable=False),
            gone=saying.NO_DATASET,
        )
        if reply.status != 202:
            raise PermanentFailure(
                f"Power BI answered {reply.status} where it says 202 to a refresh that has begun: "
                "is `base_url` the address of its API?"
            )
        page = power_bi_cloud.page(self.base_url, self.workspace, self.dataset)
        begun = started(self.refresh, self.workspace, self.dataset, reply, asked_at)
        return Handle(key=begun.key, url=page)

    def progress(self, handle: Handle, outbound: Outbound) -> Progress:
        begun = kept(handle)
        url = self._refreshes(begun.workspace, begun.dataset)
        if begun.how == "enhanced" and begun.id:
            one = f"{url}/{begun.id}"
            told = self._asked(
                outbound,
                lambda headers: outbound.get_json(one, headers=headers),
                gone=saying.NO_REFRESH,
            )
            return self.hiding(saying.of_details(told))
        entry = begun.ours(self._history(outbound, url, IN_HISTORY))
        return self.hiding(saying.of_history(entry)) if entry is not None else Running()

    def examine(self, outbound: Outbound) -> Examined:
        """Whether the app sees the dataset; whether it may refresh that, only a refresh shows."""
        self._history(outbound, self._refreshes(self.workspace, self.dataset), 1)
        return Examined(f"the app sees the dataset {self.dataset}; untried: to refresh it")

    def shown(self, action: Action) -> str:
        return as_text(self.body())

    def body(self) -> dict[str, Any]:
        """What is asked for: anything beside `notifyOption` makes a refresh enhanced. Pure."""
        if self.refresh == "standard":
            return {"notifyOption": "NoNotification"}  # an app cannot have mail sent
        fields = self.model_dump(exclude_none=True, include=set(_ENHANCED))
        # Automatic, their default, would leave alone what is loaded already
        return {"type": "Full"} | {_ENHANCED[name]: value for name, value in fields.items()}

    def _history(self, outbound: Outbound, url: str, newest: int) -> list[Mapping[str, Any]]:
        reply = self._asked(
            outbound,
            lambda headers: outbound.get_json(url, headers=headers, params={"$top": str(newest)}),
            gone=saying.NO_DATASET,
        )
        return saying.entries(reply)

    def _asked(
        self,
        outbound: Outbound,
        ask: Callable[[Mapping[str, str]], Reply],
        gone: str,
    ) -> Reply:
        """What is answered to `ask`, given the headers that sign the app in."""

        def call(token: str) -> Reply:
            try:
                return ask({"Authorization": f"Bearer {token}"})
            except UnknownOutcome:
                raise
            except (Busy, Refused) as failure:
                said = saying.refused(failure, gone, enhanced=self.refresh == "enhanced")
                if saying.is_about_the_token(failure):
                    raise Rejected from said
                raise said from None

        return outbound.tokens.use(self._credentials(), lambda: self._token(outbound), call)

    def _token(self, outbound: Outbound) -> Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
            "scope": power_bi_cloud.scope(self.base_url),
        }
        url = f"{self.login_url}/{quote(self.tenant, safe='')}/oauth2/v2.0/token"
        try:
            reply = outbound.post_form(url, form)
        except Busy as failure:
            raise entra.busy(failure) from None
        except Refused as refusal:
            raise entra.refused(refusal) from None
        return entra.token(reply)

    def _credentials(self) -> str:
        secret = self.client_secret.get_secret_value()
        scope = power_bi_cloud.scope(self.base_url)
        return named(self.login_url, self.tenant, self.client_id, secret, scope)

    def _refreshes(self, workspace: str, dataset: str) -> str:
        # an app has no "my workspace", so that there is a group in every path
        return f"{self.base_url}/v1.0/myorg/groups/{workspace}/datasets/{dataset}/refreshes"

    @field_validator("tenant")
    @classmethod
    def _is_a_tenant(cls, value: str) -> str:
        if not re.fullmatch(r"[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*", value.strip()):
            raise ValueError("this is no tenant; it is the tenant's id in Entra, or its domain")
        return value.strip()

    @field_validator("workspace", "dataset")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        try:
            return str(uuid.UUID(value.strip()))
        except ValueError:
            raise ValueError(
                "this is no id; copy it from the dataset's address in Power BI, "
                "/groups/WORKSPACE/datasets/DATASET"
            ) from None

    @field_validator("login_url")
    @classmethod
    def _is_a_url_too(cls, value: str) -> str:
        return cls._is_a_url_we_may_post_to(value)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        given = [name for name in _ENHANCED if getattr(self, name) is not None]
        if self.refresh == "standard" and given:
            raise ValueError(f"{', '.join(given)}: only with `refresh: enhanced`")
        if self.commit_mode == "PartialBatch" and self.apply_refresh_policy is not False:
            raise ValueError("commit_mode PartialBatch: only with `apply_refresh_policy: false`")
        return self
