"""What PagerDuty was sent, in as few words as a test wants to read."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.pagerduty import Received
from lab.stand_ins import ROUTING_KEY


@dataclass(frozen=True)
class Heard:
    """`failed`, `new`, `still` and `fixed` are names of nodes; `more` says how many others."""

    action: str
    key: str
    to: str
    severity: str = ""
    failed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    more: str = ""


def triggers(
    key: str,
    *failed: str,
    new: tuple[str, ...] = (),
    still: tuple[str, ...] = (),
    fixed: tuple[str, ...] = (),
    more: str = "",
    severity: str = "error",
    to: str = ROUTING_KEY,
) -> Heard:
    """An alert opened or updated."""
    return Heard("trigger", key, to, severity, failed, new, still, fixed, more)


def resolves(key: str, to: str = ROUTING_KEY) -> Heard:
    return Heard("resolve", key, to)


def heard(requests: Iterable[Received]) -> list[Heard]:
    """What came, in that order, accepted or not."""
    return [_heard(json.loads(received.body)) for received in requests]


def _heard(event: dict[str, Any]) -> Heard:
    payload = event.get("payload", {})
    details = payload.get("custom_details", {})
    return Heard(
        action=event["event_action"],
        key=event["dedup_key"],
        to=event["routing_key"],
        severity=payload.get("severity", ""),
        failed=tuple(node["name"] for node in details.get("failed", ())),
        new=_names(details.get("new", "")),
        still=_names(details.get("still_failing", "")),
        fixed=_names(details.get("fixed", "")),
        more=details.get("failed_more", ""),
    )


def _names(listed: str) -> tuple[str, ...]:
    return tuple(listed.split(", ")) if listed else ()
