"""Budgets: how often something may be done within a while, counted by all processes together."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from subscriber.actions import WrittenByNewer
from subscriber.ledger.contract import Change, Ledger

VERSION = 1
EXACT = 200  # so many are kept each with its own time; beyond, they are counted by slices of `per`
CONTENDED = 50  # writes lost in a row before it is as if there were no room
CONTENDED_WAIT = timedelta(seconds=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


Pace = tuple[int, timedelta]
"""How many in any stretch of how long."""


def take(ledger: Ledger, name: str, paces: Sequence[Pace], now: datetime) -> datetime | None:
    """Take one of what the budget `name` has; `paces` hold together, several up to EXACT each.

    None if it was taken, else when there will be room; then nothing is taken. Exact under
    concurrency: never more than a limit in any stretch of its time. What is kept is some EXACT
    entries at the most: of a larger budget, one that was taken comes back up to a hundredth of its
    time late. Raises TemporaryFailure when the ledger does not answer; not safe to repeat, as each
    takes one.
    """
    longest = max(per for _, per in paces)
    for _ in range(CONTENDED):
        (before,) = ledger.subjects([f"budget/{name}"])
        taken = _recent(before.body, _us(now - longest - _EPOCH))
        rooms = [_room(taken, pace, now) for pace in paces]
        if any(rooms):
            return max(room for room in rooms if room)
        at = _slice(_us(now - _EPOCH), max(paces))
        taken[at] = taken.get(at, 0) + 1
        entries = [[at, count] for at, count in sorted(taken.items())]
        body = {"version": VERSION, "taken_us": entries}
        if ledger.decide([Change(before, body, _time(max(taken)) + longest)], []):
            return None
    return now + CONTENDED_WAIT


def _room(taken: dict[int, int], pace: Pace, now: datetime) -> datetime | None:
    """When this pace has room; None if it has now."""
    limit, per = pace
    since_us = _us(now - per - _EPOCH)
    counted = {at: count for at, count in taken.items() if at > since_us}
    return None if sum(counted.values()) < limit else _time(_room_at(counted, limit)) + per


def _recent(body: dict[str, Any], since_us: int) -> dict[int, int]:
    """How many were taken when (microseconds since 1970), of those that still count."""
    if body and body.get("version") != VERSION:
        raise WrittenByNewer("this budget")
    return {int(at): int(count) for at, count in body.get("taken_us", ()) if at > since_us}


def _room_at(taken: dict[int, int], limit: int) -> int:
    """The time of the entry with whose end there is room: the first, unless the limit shrank."""
    left = sum(taken.values())
    for at in sorted(taken):
        left -= taken[at]
        if left < limit:
            break
    return at


def _slice(at_us: int, pace: Pace) -> int:
    """`at_us`, or for a large budget the end of its slice, so that none counts too short."""
    limit, per = pace
    if limit <= EXACT:
        return at_us
    width = max(_us(per) // 100, 1)
    return -(-at_us // width) * width


def _us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _time(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)
