"""Tellings: what became of each action that followed from an event, in few words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from subscriber.actions import Verb
from subscriber.follow import TIMEOUT
from subscriber.ledger.contract import Work
from subscriber.patience import GIVE_UP_AFTER
from subscriber.refreshes import Ending
from subscriber.tried import Outcome

OVERDUE = timedelta(minutes=3)  # a tick comes every minute


class State(StrEnum):
    """What became of an action: the worst first, as it is shown."""

    REFUSED = "refused"
    """For good: it is a dead letter."""
    FAILED = "failed"
    """A refresh that was started and did not end well."""
    WAITS = "waits"
    FORGOTTEN = "not on record"
    RUNNING = "running"
    """A refresh that was started and is being followed."""
    SUPERSEDED = "superseded"
    DELIVERED = "delivered"

    @property
    def is_problem(self) -> bool:
        return self in (State.REFUSED, State.FAILED, State.WAITS)


_ORDER = list(State)


@dataclass(frozen=True)
class Telling:
    """`due_at` and `until` only while it waits or runs: when it is tried or looked at next, and
    when that ends for good. `subject` is what it is about, `run` its run or its alert's first.
    """

    key: str
    destination: str
    verb: str
    state: State
    since: datetime | None = None
    due_at: datetime | None = None
    until: datetime | None = None
    reason: str = ""
    url: str = ""
    attempts: tuple[Mapping[str, str], ...] = ()
    tried: int = 0
    told_at: datetime | None = None
    episode: str = ""
    run: str = ""
    is_kept: bool = True
    """Whether what was refused could be left among the dead letters."""

    @property
    def rank(self) -> int:
        return _ORDER.index(self.state)

    def is_overdue(self, now: datetime) -> bool:
        """Whether nobody takes it up, though it is due."""
        return self.due_at is not None and now - self.due_at > OVERDUE

    def is_limited(self, now: datetime) -> bool:
        """Whether it is given up at `until`; one that was replayed late is tried on for a while."""
        return self.until is not None and self.until > now


def telling(key: str, work: Work | None, follow: Work | None) -> Telling:
    """What became of the action recorded as `key`; `follow` is how a refresh went on."""
    destination, verb = _named(key, work)
    if work is None:
        return Telling(key, destination, verb, State.FORGOTTEN)
    result = work.result
    attempts = tuple(result.get("attempts", ()))
    state, reason = _state(work), str(result.get("reason") or "")
    since, due_at, until = work.recorded_at, work.due_at, None
    if state is State.WAITS:
        until = work.recorded_at + GIVE_UP_AFTER
    if state is State.DELIVERED and verb == Verb.REFRESH and follow is not None:
        state, reason, due_at, until = _followed(work, follow)
    return Telling(
        key=key,
        destination=destination,
        verb=verb,
        state=state,
        since=since,
        due_at=due_at,
        until=until,
        reason=reason,
        url=str(result.get("url") or ""),
        attempts=attempts,
        tried=max(work.attempts, len(attempts)),
        told_at=time_of(attempts[-1].get("at")) if attempts else None,
        episode=str(work.body.get("episode_key") or ""),
        run=_run(work),
        is_kept="dead_letters" not in result,
    )


def worst_first(tellings: Sequence[Telling]) -> list[Telling]:
    return sorted(tellings, key=lambda each: each.rank)


def time_of(written: object) -> datetime | None:
    """A time in a record; None where there is none."""
    try:
        return datetime.fromisoformat(str(written)) if written else None
    except ValueError:
        return None


def _state(work: Work) -> State:
    if not work.is_settled:
        return State.WAITS
    match work.result.get("outcome"):
        case Outcome.REFUSED:
            return State.REFUSED
        case Outcome.SUPERSEDED:
            return State.SUPERSEDED
        case _:
            return State.DELIVERED


def _followed(refresh: Work, follow: Work) -> tuple[State, str, datetime | None, datetime | None]:
    if not follow.is_settled:
        timeout = timedelta(seconds=int(refresh.body.get("timeout_s") or 0)) or TIMEOUT
        until = follow.recorded_at + timeout
        return State.RUNNING, str(follow.result.get("reason") or ""), follow.due_at, until
    if follow.result.get("outcome") == Ending.DONE:
        return State.DELIVERED, "done", None, None
    ending, reason = follow.result.get("outcome"), follow.result.get("reason")
    said = str(reason or ending)
    return State.FAILED, said, None, None


def _named(key: str, work: Work | None) -> tuple[str, str]:
    """Destination and verb; what is recorded as never to go out has them in its key only."""
    body: Mapping[str, Any] = work.body if work else {}
    parts = key.split("/")
    destination = str(body.get("destination") or (parts[1] if len(parts) > 1 else key))
    return destination, str(body.get("verb") or (parts[-2] if len(parts) > 1 else ""))


def _run(work: Work) -> str:
    message = work.body.get("message") or {}
    return str((message.get("facts") or {}).get("run_id") or "")
