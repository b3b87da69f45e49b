"""Alerts that are still open at destinations which have left the configuration.

The ledger cannot be asked for them: they are found by the jobs of the newest events.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from cli.doctor.finding import About, Finding, Group
from shared import event as events
from shared.event import UnreadableEvent
from subscriber.ledger.contract import Kind, Ledger, Subject, Work
from subscriber.states import State, environment_key, job_key

EVENTS_LIMIT = 500
AT_ONCE = 100  # subjects that are read together
SHOWN = 5


def found(ledger: Ledger, configured: Collection[str], now: datetime) -> Finding:
    """What there is to say of them. Raises what the ledger raises."""
    newest = ledger.recorded(Kind.EVENT, before=now, limit=EVENTS_LIMIT)
    keys = sorted(keys_of(newest))
    subjects: list[Subject] = []
    for first in range(0, len(keys), AT_ONCE):
        subjects += ledger.subjects(keys[first : first + AT_ONCE])
    return judged(open_at(subjects), configured, len(newest))


def keys_of(newest: Iterable[Work]) -> set[str]:
    """Where the ledger keeps the episodes of the jobs of these events. Pure."""
    keys: set[str] = set()
    for work in newest:
        try:
            event = events.read(str(work.body.get("event", "")).encode())
        except UnreadableEvent:
            continue
        keys |= {job_key(event), environment_key(event)}
    return keys


def open_at(subjects: Iterable[Subject]) -> list[tuple[str, str]]:
    """The destination and the subject of each episode that is open in `subjects`. Pure."""
    return [
        slot
        for each in subjects
        for slot, episode in State.read(*_documents(each)).episodes.items()
        if episode.is_open
    ]


def judged(slots: Sequence[tuple[str, str]], configured: Collection[str], count: int) -> Finding:
    """What there is to say of episodes that are open in `slots`. Pure."""
    about = About(Group.LEDGER, "open alerts")
    if not count:
        return about.ok("none, and no event has been recorded yet")
    of = f"by the jobs of the last {count} events"
    left = [f"{subject} at {name}" for name, subject in slots if name not in configured]
    if not left:
        return about.ok(f"{len(slots) or 'none'}, {of}; each destination is still configured")
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    said = f"{', '.join(left[:SHOWN])}{more}: no longer configured; a recovery still closes them"
    return about.warns(said, "keep what opened them readable until then, or close them by hand")


def _documents(subject: Subject) -> tuple[dict[str, object], dict[str, object]]:
    is_job = "/job/" in subject.key
    return (subject.body, {}) if is_job else ({}, subject.body)
