"""What a request to make or replace a webhook asks for, and what is wrong with one.

Source: https://docs.getdbt.com/dbt-cloud/api-v3 (Webhooks)
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

EVENT_TYPES = ("job.run.started", "job.run.completed", "job.run.errored")


@dataclass(frozen=True)
class Wanted:
    """What a subscription shall be; without `job_ids` it is about all jobs."""

    name: str
    client_url: str
    active: bool
    event_types: tuple[str, ...]
    job_ids: tuple[int, ...]
    description: str = ""


def read(content_type: str, body: bytes) -> Wanted:
    """What is asked for. Raises ValueError, which says what is wrong, as `user_message` does."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise ValueError("The body is not said to be JSON.")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    if not isinstance(asked, dict):
        raise ValueError("The body is not an object.")
    for name, is_valid in _FIELDS.items():
        if name not in asked and name not in _OPTIONAL:
            raise ValueError(f"{name}: this field is required.")
        if name in asked and not is_valid(asked[name]):
            raise ValueError(f"{name}: not a valid value.")
    return Wanted(
        name=asked["name"],
        client_url=asked["client_url"],
        active=asked["active"],
        event_types=tuple(asked["event_types"]),
        job_ids=tuple(asked["job_ids"]),
        description=asked.get("description", ""),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_url(value: object) -> bool:
    parts = urlsplit(value) if isinstance(value, str) else None
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def _are_event_types(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(each in EVENT_TYPES for each in value)


def _are_job_ids(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, int) and not isinstance(each, bool) for each in value
    )


_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "client_url": _is_url,
    "active": lambda value: isinstance(value, bool),
    "event_types": _are_event_types,
    # not required by the description, but missed since April 2024
    "job_ids": _are_job_ids,
    "description": _is_text,
}

_OPTIONAL = ("description",)
