"""Finding events by whatever names them: its id, its run's, a key of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from cli.events.life import read
from cli.events.newest import newest
from subscriber.ledger.contract import Kind, Ledger, Work

SEARCHED = 5_000  # of the newest events
ACCOUNTS = 20  # a ledger holds one, or few


@dataclass(frozen=True)
class Search:
    """`found`, the oldest first, among `looked` events: the newest, back to `since`. With
    `is_whole` there were no others.
    """

    found: Sequence[Work]
    looked: int = 0
    since: datetime | None = None
    is_whole: bool = True


def find(
    ledger: Ledger, name: str, now: datetime, account: str = "", *, searched: int = SEARCHED
) -> Search:
    """The events that `name` names: one by its id or key, all of a run by the run's.

    The key of an action, and that of an alert as PagerDuty shows it, name the events of its run.
    """
    if (work := ledger.work(name)) is not None:
        if work.kind is Kind.EVENT:
            return Search([work])
        event = _that_called_for(work)
        if event and (found := ledger.work(event)) is not None:
            return Search([found])
        name = _run_told_of(work) or name
    if account and (work := ledger.work(f"{account}/event/{name}")) is not None:
        return Search([work])
    return _searched(ledger, name, now, account, searched)


def run_of(name: str) -> str:
    """The run that `name`, a run's id or a key that holds one, is about; empty if none."""
    if _is_id(name):
        return name
    parts = name.split("/")
    if parts[0] == "afterrun" and len(parts) > 3 and _is_id(parts[-1]):
        return parts[-1]
    ids = [part for part in parts[2:] if _is_id(part)] if len(parts) > 4 else []
    # an action's key: account, destination, subject, run, verb, number
    return ids[-2] if len(ids) > 1 else ""


def _searched(ledger: Ledger, name: str, now: datetime, account: str, limit: int) -> Search:
    run, accounts, found, looked, since = run_of(name), set[str](), list[Work](), 0, None
    for work in islice(newest(ledger, Kind.EVENT, now), limit):
        looked, since = looked + 1, work.recorded_at
        owner, _, id_ = work.key.partition("/event/")
        if account and owner != account:
            continue
        if id_ == name:
            return Search([work], looked, since)
        if len(accounts) < ACCOUNTS and id_ and owner not in accounts:
            # it may be older than what is searched
            accounts.add(owner)
            if not run and (known := ledger.work(f"{owner}/event/{name}")) is not None:
                return Search([known], looked, since)
        event = read(work) if run else None
        if event is not None and event.run_id == run:
            found.append(work)
    return Search(found[::-1], looked, since, is_whole=looked < limit)


def _that_called_for(work: Work) -> str:
    """The key of the event that set a timer or started a refresh; empty if it is not said."""
    body = work.body.get("refresh", work.body)
    event = body.get("event") if isinstance(body, dict) else None
    if not isinstance(event, dict) or not event.get("id"):
        return ""
    return f"{event.get('account_id')}/event/{event['id']}"


def _run_told_of(work: Work) -> str:
    """The run that an action tells of: not always the one that opened its alert."""
    facts = (work.body.get("message") or {}).get("facts") or {}
    return str(facts.get("run_id") or "")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20
