"""What a silence holds back now: the open alerts that it matches, as far as newest events tell."""

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
from subscriber.patterns import Patterns
from subscriber.silences import Silence
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
    """What the newest events tell of: the jobs, each by its newest event, and what is open."""

    jobs: Sequence[RunEvent]
    open: Sequence[Open]

    def matched(self, silence: Silence) -> Sequence[Open]:
        """What is open, of which `silence` holds back what follows."""
        return [
            each
            for each in self.open
            if silence.matches(each.event, each.slot[0], each.episode.nodes, each.key)
        ]

    def unknown(self, silence: Silence) -> Sequence[str]:
        """Matchers to which nothing answers that has been seen: perhaps a name is misspelt."""
        return [
            name
            for name in ("account", "project", "environment", "job")
            if name in silence.matchers
            and not any(_is_named(name, silence.matchers[name], event) for event in self.jobs)
        ]


def known(ledger: Ledger, now: datetime) -> Known:
    """What the newest events tell of, and what is remembered of their jobs."""
    jobs: dict[str, RunEvent] = {}
    subjects: dict[str, RunEvent] = {}
    for work in islice(newest(ledger, Kind.EVENT, now), LOOKED):
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
    return Known(list(jobs.values()), list(_open(ledger, subjects)))


def _open(ledger: Ledger, subjects: Mapping[str, RunEvent]) -> Iterable[Open]:
    keys = list(subjects)
    for first in range(0, len(keys), _AT_ONCE):
        for subject in ledger.subjects(keys[first : first + _AT_ONCE]):
            for slot, episode in State.read(subject.body, {}).episodes.items():
                yield Open(subjects[subject.key], slot, episode)


def _is_named(name: str, written: Sequence[str], event: RunEvent) -> bool:
    id_, said = {
        "account": (event.account_id, ""),
        "project": (event.project_id, event.project_name),
        "environment": (event.environment_id, event.environment_name),
        "job": (event.job_id, event.job_name),
    }[name]
    return Patterns(tuple(written)).may_match(id=id_, name=said)
