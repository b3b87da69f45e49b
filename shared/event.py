"""An event: what dbt Cloud told us, once, about one run.

Read leniently, since others write it: ids as text or number, fields that are missing, null or
"None", statuses and keys that nobody has documented yet.

Source: https://docs.getdbt.com/docs/deploy/webhooks
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from shared.errors import PermanentFailure

EVENT_TYPES = ("job.run.started", "job.run.completed", "job.run.errored")
TEXT_LIMIT = 1_000  # characters of a name or a message; what is beyond is cut
EVENT_ID_LIMIT = 255  # characters; dbt's have about 30


class Content(StrEnum):
    """What a Pub/Sub message of ours holds: its attribute `content`."""

    EVENT = "event"
    UNREADABLE = "unreadable"
    TICK = "tick"


class UnreadableEvent(PermanentFailure):
    """The body is authentic, or came over our topic, but tells of no run we could ask about."""


@dataclass(frozen=True)
class RunEvent:
    """One event. Ids are decimal digits as text (64 bits), names may be empty."""

    id: str
    type: str
    account_id: str
    job_id: str
    run_id: str
    occurred_at: datetime | None = None
    environment_id: str = ""
    project_id: str = ""
    job_name: str = ""
    environment_name: str = ""
    project_name: str = ""
    status: str = ""
    status_code: int | None = None
    status_message: str = ""
    finished_at: datetime | None = None


def event_id(body: bytes) -> str:
    """The event's own id, or one made from `body`, so that a repeated delivery has the same."""
    return _event_id(_object(body), body)


def read(body: bytes) -> RunEvent:
    """The event that `body`, a webhook's raw bytes, tells of.

    Raises UnreadableEvent when it is not a JSON object, when its type is unknown, or when it
    names no account, job and run. Never raises anything else, whatever the bytes.
    """
    told = _object(body)
    if told is None:
        raise UnreadableEvent("not a JSON object")
    event_type = _text(told, "eventType")
    if event_type not in EVENT_TYPES:
        raise UnreadableEvent("an event type that is not known")
    data = told.get("data")
    if not isinstance(data, dict):
        raise UnreadableEvent("no `data`, so no run")
    account_id, job_id, run_id = _id(told, "accountId"), _id(data, "jobId"), _id(data, "runId")
    if not (account_id and job_id and run_id):
        raise UnreadableEvent("no usable ids of account, job and run")
    return RunEvent(
        id=_event_id(told, body),
        type=event_type,
        account_id=account_id,
        job_id=job_id,
        run_id=run_id,
        occurred_at=_time(told, "timestamp"),
        environment_id=_id(data, "environmentId"),
        project_id=_id(data, "projectId"),
        job_name=_text(data, "jobName"),
        environment_name=_text(data, "environmentName"),
        project_name=_text(data, "projectName"),
        status=_text(data, "runStatus"),
        status_code=_code(data, "runStatusCode"),
        status_message=_text(data, "runStatusMessage"),
        finished_at=_time(data, "runFinishedAt") or _time(data, "runErroredAt"),
    )


def shortened(body: bytes, event: RunEvent, limit_bytes: int) -> str:
    """`body`, which `event` was read from, as text to be kept and read again.

    Where that takes more than `limit_bytes` as JSON in ASCII, its texts are only as long as `read`
    takes them, and it says itself which event it is.
    """
    text = body.decode()
    if len(json.dumps(text)) <= limit_bytes:
        return text
    told = _object(body) or {}
    data = told.get("data")
    cut = {name: _cut(value) for name, value in data.items()} if isinstance(data, dict) else {}
    return json.dumps({**_without_data(told), "eventId": event.id, "data": cut})


def _without_data(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _cut(value) for name, value in told.items() if name != "data"}


def _cut(value: Any) -> Any:
    """A text as long as it is read, a number as it is; anything else is not read."""
    if isinstance(value, str):
        return value[:TEXT_LIMIT]
    return value if isinstance(value, int | float | None) else None


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _event_id(told: Mapping[str, Any] | None, body: bytes) -> str:
    given = _text(told, "eventId") if told else ""
    if given and len(given) <= EVENT_ID_LIMIT and given.isascii() and given.isprintable():
        return given
    return "sha256-" + hashlib.sha256(body).hexdigest()


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or value == "None":
        return ""
    # a lone surrogate is valid JSON, but no text that can be sent on
    value = value[:TEXT_LIMIT]
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    return value.strip()


def _id(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        # beyond 64 bits it is no id; Python also refuses to print integers of thousands of digits
        value = str(value) if 0 <= value < 2**63 else ""
    if not isinstance(value, str) or not 0 < len(value) <= 19:
        return ""
    return value if value.isascii() and value.isdigit() else ""


def _code(fields: Mapping[str, Any], key: str) -> int | None:
    value = fields.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(fields: Mapping[str, Any], key: str) -> datetime | None:
    """RFC 3339 with up to nine digits of a second; digits beyond the sixth are dropped."""
    try:
        time = datetime.fromisoformat(_text(fields, key))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
