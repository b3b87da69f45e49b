"""Microsoft Teams: a card in a channel for each thing that is told, posted by a flow of Workflows.

The flow takes whatever comes (202) and looks at it afterwards: what is told here is handed over,
and whether it is shown stands in the flow's run history alone.

Source: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
"""

from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from shared.errors import PermanentFailure
from subscriber.actions import Action, Handle
from subscriber.addresses import secret_address
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined, reached
from subscriber.outbound import Outbound, Refused, encode
from subscriber.page import page
from subscriber.saying import teams as saying
from subscriber.shortening import fitting

# as UTF-8; Teams takes "about 28 KB" with the card, and the flow may write the same JSON longer
MESSAGE_LIMIT_BYTES = 25_000

RETIRED = (
    "this is the URL of an Office 365 connector, which Microsoft has retired; in Teams, open the "
    "channel's Workflows, make one from the template that sends webhook alerts to a channel, and "
    "keep the URL that it gives instead"
)
_URL_ANEW = "copy its URL anew and keep that"
_FIXES = {
    "MissingApiVersionParameter": "the URL lacks its query; copy the whole of it anew",
    "TriggerInputSchemaMismatch": (
        "the flow's trigger has a schema of its own; remove that, or make the flow from the "
        "template anew"
    ),
    "WorkflowTriggerIsNotEnabled": (
        f"the flow is off or deleted; turn it on in Power Automate, or make another, {_URL_ANEW}"
    ),
    "DirectApiAuthorizationRequired": (
        "either the flow's trigger takes users of the tenant only (let `Anyone` trigger it, after "
        f"which its URL is another) or the URL's signature is wrong; {_URL_ANEW}"
    ),
    "WorkflowNotFound": (
        "there is no such flow, it was deleted or has moved (URLs at logic.azure.com have ended); "
        f"find it in Power Automate or make another, {_URL_ANEW}"
    ),
}
_BY_STATUS = {
    400: "the flow does not take what it is told; its trigger should be the template's",
    401: _FIXES["DirectApiAuthorizationRequired"],
    403: _FIXES["DirectApiAuthorizationRequired"],
    404: _FIXES["WorkflowNotFound"],
    410: _FIXES["WorkflowNotFound"],
    413: "what it was told is too large for the flow",
}


class Teams(Destination):
    """`webhook_url` is the whole URL of a flow, which is a secret: who has it can post.

    `bare_card` is for a flow that was built by hand and posts the request's body as a card. Each
    thing is a message of its own: a flow can change none that it has posted.
    """

    does: ClassVar[Does] = Does.TELL
    repeatable: ClassVar[bool] = False  # people see it twice
    # what a channel took from its connectors, but for the 1,800 a day; there is nothing newer
    paces: ClassVar[tuple[tuple[int, timedelta], ...]] = (
        (4, timedelta(seconds=1)),
        (60, timedelta(seconds=30)),
        (100, timedelta(hours=1)),
        (150, timedelta(hours=2)),
    )

    webhook_url: SecretStr = Field(description="where the whole URL of the flow is kept")
    bare_card: bool = Field(
        default=False,
        description="for a flow that was built by hand and posts the request's body as a card",
    )
    base_url: str = Field(
        "", description="a host to ask instead of the URL's own; for trying things out"
    )

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        try:
            outbound.post_json(
                self.address(),
                encode(self.told(action)),
                repeatable=self.repeatable,
                to_the_letter=True,
            )
        except Refused as refused:
            raise _explained(refused) from None
        return Handle()

    def examine(self, outbound: Outbound) -> Examined:
        host = reached(outbound, self.address())
        return Examined(f"{host} answers; untried: the flow", is_tried=False)

    def misfit(self, name: str) -> str:
        try:
            self.address()
        except PermanentFailure as failure:
            return str(failure).removeprefix(f"{name}: ")
        return ""

    def shown(self, action: Action) -> str:
        return as_text(self.told(action))

    def address(self) -> str:
        """Where the flow takes what it is told, to the letter; `self` holds the secret by now.

        Raises PermanentFailure, which shows nothing of it, for what can be no such address.
        """
        kept = self.webhook_url.get_secret_value()
        if is_retired(kept):
            raise PermanentFailure(f"webhook_url: {RETIRED}")
        return secret_address(kept, self.base_url, "webhook_url")

    def told(self, action: Action) -> dict[str, Any]:
        """What the flow is told about `action`; at most MESSAGE_LIMIT_BYTES as JSON. Pure."""
        form = saying.Card.as_json if self.bare_card else saying.message
        return fitting(
            action.message,
            lambda message: form(saying.card(page(action, message))),
            lambda told: len(encode(told)) <= MESSAGE_LIMIT_BYTES,
        )

    @field_validator("webhook_url", mode="before")
    @classmethod
    def _is_no_connector(cls, value: object) -> object:
        """Written as it is, it is refused in any case; what it leads to would be refused next."""
        if isinstance(value, str) and is_retired(value):
            raise ValueError(f"{RETIRED}, and write where it is kept: secret:NAME")
        return value


def is_retired(url: str) -> bool:
    """Whether `url` is that of a connector, the way into a channel that there is no more."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    is_outlook = host in ("outlook.office.com", "outlook.office365.com")
    return host.endswith(".webhook.office.com") or (
        is_outlook and parts.path.lower().startswith("/webhook")
    )


def _explained(refused: Refused) -> Refused:
    """The same refusal with what to do about it."""
    code, answered = refused.reply.text("error", "code"), refused.status
    if 300 <= answered < 400:
        return Refused(f"{refused}; {_URL_ANEW}", answered, refused.reply)
    fix = _FIXES.get(code) or _BY_STATUS.get(answered)
    named = f" {code}" if code in _FIXES else ""
    # a flow that is gone may have another URL by now: the secret is to be read anew
    status = 401 if answered in (404, 410) else answered
    return Refused(f"{refused}{named}: {fix}" if fix else str(refused), status, refused.reply)
