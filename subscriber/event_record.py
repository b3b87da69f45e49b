"""The record of an event: what came of it, as much of it as the ledger keeps with it. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from subscriber.actions import Action
from subscriber.ledger.contract import Work

LIMITS = (200, 100, 50, 20, 5, 0)
"""Rules, reasons and keys that are kept; fewer where the record would grow too large."""

LIMIT_BYTES = 90_000  # the ledger takes 100,000
TEXT_LIMIT = 200  # characters of what is said of a rule or a place
REASON_LIMIT = 2_000  # characters of a reason or a link

_KEYS = ("actions", "timers")  # one that is cut names nothing


def recorded(result: Mapping[str, Any]) -> dict[str, Any]:
    """`result` with as much of its lists and texts as fits; `more` counts what is left out."""
    records = (_cut(result, limit) for limit in LIMITS)
    return next(
        (record for record in records if len(json.dumps(record)) <= LIMIT_BYTES),
        _cut(result, LIMITS[-1]),
    )


def called_for(work: Work, now: Sequence[Action]) -> list[str]:
    """The keys of all actions that an event has called for: before it waited, and now."""
    before = work.result.get("actions", ())
    return list(dict.fromkeys([*before, *(action.key for action in now)]))


def _cut(result: Mapping[str, Any], limit: int) -> dict[str, Any]:
    record: dict[str, Any] = {}
    more = {}
    for name, value in result.items():
        match value:
            case str():
                record[name] = value[:REASON_LIMIT]
            case Mapping():
                said = list(value.items())[:limit]
                record[name] = {each[:TEXT_LIMIT]: why[:TEXT_LIMIT] for each, why in said}
            case list() | tuple():
                text_limit = None if name in _KEYS else TEXT_LIMIT
                record[name] = [each[:text_limit] for each in value[:limit]]
            case _:
                record[name] = value
        if isinstance(value, Mapping | list | tuple) and len(value) > limit:
            more[name] = len(value) - limit
    return record | ({"more": more} if more else {})
