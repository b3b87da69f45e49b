"""Mode: a refresh runs a report anew.

Source: https://mode.com/developer/api-reference/analytics/report-runs/
"""

from typing import ClassVar
from urllib.parse import quote

from pydantic import Field, JsonValue, SecretStr, field_validator

from subscriber.actions import Action, Handle
from subscriber.destination import Destination, Does, as_text
from subscriber.outbound import Outbound


class Mode(Destination):
    """`workspace` is its name in the URL; `token` and `secret` are a pair made in Mode."""

    does: ClassVar[Does] = Does.REFRESH
    repeatable: ClassVar[bool] = False  # a second run costs a second set of queries

    workspace: str
    report: str
    token: SecretStr
    secret: SecretStr
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    base_url: str = "https://app.mode.com"

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        report = f"{quote(self.workspace, safe='')}/reports/{quote(self.report, safe='')}"
        answer = outbound.post_json(
            f"{self.base_url}/api/{report}/runs",
            {"parameters": self.parameters} if self.parameters else {},
            headers={"Accept": "application/hal+json"},
            basic=(self.token.get_secret_value(), self.secret.get_secret_value()),
            repeatable=self.repeatable,
        )
        return Handle(
            key=answer.text("token"),
            url=answer.text("_links", "web_external_url", "href"),
        )

    def shown(self, action: Action) -> str:
        return as_text({"parameters": self.parameters} if self.parameters else {})

    @field_validator("workspace", "report")
    @classmethod
    def _is_part_of_a_path(cls, value: str) -> str:
        if not value.strip() or value.strip() in (".", ".."):
            raise ValueError("this is empty; copy it from the report's URL")
        return value.strip()
