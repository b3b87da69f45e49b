"""Remembered: what the ledger holds that a decision depends on, read and written as one."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.event import RunEvent
from subscriber import silences
from subscriber.consequences import Consequences
from subscriber.digests import Digest, Line
from subscriber.ledger.contract import Change, Ledger, Settlement, Subject, Work
from subscriber.silences import RECHECK, Silence
from subscriber.states import State, environment_key, is_empty, job_key
from subscriber.timers import Timer, of_digest

KEEP_QUIET = timedelta(days=400)
"""How long a job or an environment is remembered of which nothing is open; runs may be yearly."""

KEEP_DIGEST = timedelta(days=60)


@dataclass(frozen=True)
class Remembered:
    """A job's and its environment's documents as they were read, and all silences."""

    job: Subject
    environment: Subject
    silenced: Subject
    state: State
    silences: tuple[Silence, ...]


def recall(ledger: Ledger, event: RunEvent) -> Remembered:
    """What is remembered of the event's job and environment, as of one moment.

    Raises TemporaryFailure if the ledger does not answer, and Mistake if another version of the
    program wrote what it holds.
    """
    return recalled(ledger, (job_key(event), environment_key(event)))


def recalled(ledger: Ledger, keys: Sequence[str]) -> Remembered:
    """The same, by the keys of both documents."""
    job, environment, silenced = ledger.subjects([*keys, silences.KEY])
    state = State.read(job.body, environment.body)
    return Remembered(job, environment, silenced, state, silences.read(silenced.body))


def write(
    ledger: Ledger,
    before: Remembered,
    follows: Consequences,
    event: RunEvent,
    now: datetime,
    settles: Settlement | None,
    also: Sequence[Work] = (),
) -> bool:
    """Write what follows from an event, and `also` this work: all of it, or nothing.

    False if others were quicker.
    """
    changed = changes(before, follows.state, follows.ended, now)
    due = [action.work(now) for action in follows.actions]
    due += [timer.work(now) for timer in follows.timers]
    due += also
    for change, timer in gathered(ledger, follows.lines, event, now):
        changed.append(change)
        due += [timer.work(now)] if timer else []
    return ledger.decide(changed, due, settles)


def changes(
    before: Remembered, state: State, ended: Collection[str], now: datetime
) -> list[Change]:
    """What to write to have `state` remembered; silences bound to `ended` episodes end."""
    changed = []
    for subject, body in zip((before.job, before.environment), state.bodies(), strict=True):
        if body != subject.body and not (is_empty(body) and not subject.version):
            expire_at = None if body["episodes"] else now + KEEP_QUIET
            changed.append(Change(subject, body, expire_at))
    bound = {each.episode for each in before.silences if each.is_active(now)} - {""}
    if over := bound.intersection(ended):
        body = silences.body(silences.ended_with(before.silences, over, now))
        changed.append(Change(before.silenced, body))
    return changed


def gathered(
    ledger: Ledger, lines: Sequence[Line], event: RunEvent, now: datetime
) -> Iterator[tuple[Change, Timer | None]]:
    """The digests that take up `lines`, and for each that begins the timer that has it told."""
    keys = list(dict.fromkeys(line.key for line in lines))
    for subject in ledger.subjects(keys) if keys else ():
        before = after = Digest.read(subject.body)
        for line in lines:
            if line.key == subject.key:
                after = after.with_line(line)
        due_at = after.due_at or now
        at = min(due_at, now + RECHECK) if after.silence else due_at
        timer = None if before.count else of_digest(subject.key, after.n, at, event)
        yield Change(subject, after.body(), due_at + KEEP_DIGEST), timer
