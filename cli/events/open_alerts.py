"""What is open now: the alerts of the jobs that the newest events are of, and what is held.

The ledger cannot be asked for them: they are found by those jobs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from cli.events.life import read
from cli.events.newest import newest
from shared.event import RunEvent
from subscriber.actions import Verb
from subscriber.episodes import Episode, episode_key
from subscriber.ledger.contract import Kind, Ledger
from subscriber.states import Slot, State, environment_key, job_key

LOOKED = 2_000  # of the newest events: their jobs are those that are known
_AT_ONCE = 100  # subjects that are read together


@dataclass(frozen=True)
class Open:
    """An alert that is open, or a problem that is held: `event` is the newest of its job."""

    event: RunEvent
    slot: Slot
    episode: Episode

    @property
    def key(self) -> str:
        """As its alert has it; empty while nobody has been told."""
        opened = self.episode.opening_run
        return episode_key(self.event.account_id, self.slot[1], opened) if opened else ""


@dataclass(frozen=True)
class Known:
    """What `looked` newest events tell of: the jobs, each by its newest one, and what is open."""

    looked: int
    jobs: Sequence[RunEvent]
    open: Sequence[Open]


def known(ledger: Ledger, now: datetime, limit: int = LOOKED) -> Known:
    """What so many of the newest events tell of, and what is remembered of their jobs."""
    jobs: dict[str, RunEvent] = {}
    subjects: dict[str, RunEvent] = {}
    recorded = list(islice(newest(ledger, Kind.EVENT, now), limit))
    for work in recorded:
        event = read(work)
        if event is not None:
            jobs.setdefault(job_key(event), event)
            for key in work.result.get("actions", ()):
                if key.endswith(f"/{Verb.REFRESH}/1"):
                    account, destination = key.split("/")[:2]
                    subjects.setdefault(f"{account}/refresh/{destination}", event)
    subjects |= jobs
    for event in jobs.values():
        subjects.setdefault(environment_key(event), event)
    return Known(len(recorded), list(jobs.values()), list(_open(ledger, subjects)))


def _open(ledger: Ledger, subjects: Mapping[str, RunEvent]) -> Iterable[Open]:
    keys = list(subjects)
    for first in range(0, len(keys), _AT_ONCE):
        for subject in ledger.subjects(keys[first : first + _AT_ONCE]):
            for slot, episode in State.read(subject.body, {}).episodes.items():
                yield Open(subjects[subject.key], slot, episode)
