"""A semantic model of Power BI, a refresh of it, and how Power BI tells of the refresh.

Source: https://learn.microsoft.com/rest/api/power-bi/datasets/get-refresh-history-in-group
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Ending = Literal["Completed", "Failed", "TimedOut", "Cancelled", "Disabled"]
How = Literal["ViaApi", "ViaEnhancedApi", "Scheduled", "OnDemand"]

ON_THE_WAY = ("NotStarted", "InProgress")


@dataclass(frozen=True)
class Dataset:
    """`id` and `workspace` are UUIDs."""

    workspace: str
    id: str
    capacity: Literal["shared", "premium"] = "shared"
    is_direct_query: bool = False


@dataclass(frozen=True)
class Refresh:
    """One refresh; `polls` counts how often somebody asked for it before it was over.

    `error` is the code of what went wrong if it ends badly, `asked` the body that asked for it.
    """

    id: str
    dataset: Dataset
    how: How
    asked: Mapping[str, Any]
    ending: Ending
    error: str
    started_at: datetime
    ended_at: datetime | None = None
    polls: int = 0

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None

    @property
    def is_due_to_end(self) -> bool:
        """Whether the next one who asks is told of its end."""
        return self.polls > len(ON_THE_WAY)

    @property
    def extended_status(self) -> str:
        return self.ending if self.is_over else ON_THE_WAY[max(self.polls - 1, 0)]

    @property
    def status(self) -> str:
        """`Unknown` while it is in progress; there is no word for having been cancelled."""
        if not self.is_over:
            return "Unknown"
        return self.ending if self.ending in ("Completed", "Disabled") else "Failed"


def in_history(refresh: Refresh) -> dict[str, Any]:
    """`refresh` as an entry of its dataset's history."""
    times = {"startTime": _time(refresh.started_at)}
    if refresh.ended_at:
        times["endTime"] = _time(refresh.ended_at)
    wrong = _exception(refresh)
    attempt = {"attemptId": 1, **times, **wrong, "type": "Data"}
    return {
        "refreshType": refresh.how,
        **times,
        **wrong,
        "status": refresh.status,
        "requestId": refresh.id,
        "refreshAttempts": [attempt],
    }


def details(refresh: Refresh) -> dict[str, Any]:
    """An enhanced `refresh` by itself; its times say no zone, as in the published examples."""
    kind = str(refresh.asked.get("type", "Automatic"))
    told: dict[str, Any] = {
        "startTime": _time(refresh.started_at).removesuffix("Z"),
        "type": kind,
        "commitMode": refresh.asked.get("commitMode", "Transactional"),
        "status": refresh.status,
        "extendedStatus": refresh.extended_status,
        "currentRefreshType": kind,
        "numberOfAttempts": 0 if refresh.extended_status == "NotStarted" else 1,
    }
    if refresh.ended_at:
        objects = refresh.asked.get("objects", [])
        told["endTime"] = _time(refresh.ended_at).removesuffix("Z")
        told["objects"] = [{**each, "status": refresh.extended_status} for each in objects]
    if _exception(refresh):
        text = f"The refresh failed: {refresh.error}"
        told["messages"] = [{"code": "0xC11C0020", "message": text, "type": "Error"}]
    return told


def _exception(refresh: Refresh) -> dict[str, str]:
    if refresh.status != "Failed":
        return {}
    return {"serviceExceptionJson": json.dumps({"errorCode": refresh.error})}


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"
