"""Owners: how the people and teams that own nodes are reached, as the configuration maps them."""

import re
from collections.abc import Mapping

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from shared import secret_refs
from shared.errors import Mistake

# Source: https://docs.slack.dev/reference/methods/users.info (ids begin with U or W)
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,20}")


class Owner(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """One owner: a reference to a routing key of theirs in PagerDuty, their user id in Slack."""

    pagerduty: SecretStr | None = Field(
        None, description="where their routing key is kept: what is all theirs pages them"
    )
    slack: str | None = Field(
        None,
        description="their member id, such as U012AB3CD: Slack mentions them",
        json_schema_extra={"pattern": rf"^\s*{_SLACK_USER.pattern}\s*$"},
    )

    @field_validator("pagerduty")
    @classmethod
    def _is_a_reference(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            if value is not None:
                secret_refs.parse(value.get_secret_value())
        except Mistake as mistake:
            raise ValueError(str(mistake)) from None
        return value

    @field_validator("slack")
    @classmethod
    def _is_a_user_id(cls, value: str | None) -> str | None:
        if value is not None and not _SLACK_USER.fullmatch(value.strip()):
            raise ValueError(
                "write the member id from the Slack profile, such as U012AB3CD; no name"
            )
        return value and value.strip()

    @model_validator(mode="after")
    def _can_be_reached(self) -> "Owner":
        if self.pagerduty is None and self.slack is None:
            raise ValueError("say how to reach this owner: `pagerduty` or `slack`")
        return self


def find(owners: Mapping[str, Owner], *names: str) -> Owner | None:
    """The owner that the first of `names` (names, e-mail addresses) to be in the map has there.

    Upper and lower case are the same, and white space around a name does not count.
    """
    return owners.get(name_of(owners, *names))


def name_of(owners: Mapping[str, Owner], *names: str) -> str:
    """The name, as the map has it, of the owner that `find` finds; empty if it finds none."""
    known = {_plain(name): name for name in owners}
    return next((known[_plain(name)] for name in names if name and _plain(name) in known), "")


def _plain(name: str) -> str:
    return name.strip().casefold()
