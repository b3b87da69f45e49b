"""A datagroup of Looker's, and what is wrong with what somebody wants of it.

Source: https://docs.cloud.google.com/looker/docs/reference/looker-api/latest/methods/Datagroup/update_datagroup
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SETTABLE = ("triggered_at", "stale_before")


@dataclass(frozen=True)
class Datagroup:
    """`id` is not its name in LookML; times are seconds since 1970. Not all may be updated.

    To trigger it rebuilds its tables and sends what is scheduled on it; to move `stale_before`
    only drops what is cached.
    """

    id: str
    model_name: str
    name: str
    triggered_at: int | None = None
    stale_before: int | None = None
    may_update: bool = True

    def told(self) -> dict[str, Any]:
        """As Looker answers."""
        return {
            "can": {"show": True, "update": self.may_update},
            "created_at": 1_700_000_000,
            "id": self.id,
            "model_name": self.model_name,
            "name": self.name,
            "stale_before": self.stale_before,
            "trigger_check_at": self.triggered_at,
            "trigger_error": None,
            "trigger_value": None,
            "triggered_at": self.triggered_at,
        }


def errors(asked: Mapping[str, Any], now_s: float) -> Iterator[tuple[str, str, str]]:
    """Field, code and message of each thing that Looker would not take."""
    for field, value in asked.items():
        if field not in SETTABLE:
            yield field, "invalid", f"{field} cannot be set"
        elif isinstance(value, bool) or not isinstance(value, int):
            yield field, "invalid", f"{field} must be an integer"
        elif value > now_s:
            yield field, "invalid", f"{field} cannot be in the future"
