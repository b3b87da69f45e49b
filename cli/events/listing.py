"""Which events to list, and how far back to look for them. Pure, but for the reading."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from cli.events.life import Life, lives, read
from cli.events.newest import newest
from cli.events.summary import Summary, is_asked_for, summary
from shared.event import RunEvent
from subscriber.ledger.contract import Kind, Ledger, Work
from subscriber.patterns import Patterns

LOOKED_LIMIT = 5_000  # events that are gone through to find those that are wanted
READ_AT_ONCE = 25  # events whose lives are read together
LONGEST = timedelta(days=3_650)  # of a time to look back; nothing is kept for so long
LIFE_LIMIT = 60  # pieces of work that are read of one life in a list
LIFE_STEPS = 6


@dataclass(frozen=True)
class Wanted:
    """What an event must be to be listed. `job` and `environment` are patterns, as in a rule."""

    job: Patterns | None = None
    environment: Patterns | None = None
    outcomes: Sequence[str] = ()
    since: timedelta | None = None
    problems: bool = False

    def may_be(self, work: Work, event: RunEvent | None) -> bool:
        """Whether it is wanted as far as the record of the event itself tells."""
        job, environment = self.job, self.environment
        if event is None:
            is_there = job is None and environment is None
        else:
            is_there = (job is None or job.match(id=event.job_id, name=event.job_name)) and (
                environment is None
                or environment.match(id=event.environment_id, name=event.environment_name)
            )
        if not is_there:
            return False
        life = Life(work, event)
        return not self.outcomes or any(is_asked_for(each, life) for each in self.outcomes)

    def is_whole(self, found: Summary) -> bool:
        return found.is_problem or not self.problems


@dataclass
class Listing:
    """Summaries as they are found, the newest first. Afterwards `looked` says how many events
    were gone through, back to `since`, and `has_more` whether older ones may be wanted too.
    """

    ledger: Ledger
    wanted: Wanted
    now: datetime
    limit: int
    looked_limit: int = LOOKED_LIMIT
    looked: int = 0
    since: datetime | None = None
    has_more: bool = False

    def __iter__(self) -> Iterator[Summary]:
        for count, found in enumerate(self._summaries()):
            if count == self.limit:
                self.has_more = True
                return
            yield found

    def _summaries(self) -> Iterator[Summary]:
        may_be = self._may_be()
        at_once = min(self.limit + 1, READ_AT_ONCE)
        while page := list(islice(may_be, at_once)):
            for found in summaries(self.ledger, page):
                if self.wanted.is_whole(found):
                    yield found

    def _may_be(self) -> Iterator[Work]:
        since = self.wanted.since
        horizon = self.now - min(since, LONGEST) if since else None
        for work in newest(self.ledger, Kind.EVENT, self.now):
            if horizon is not None and work.recorded_at < horizon:
                return
            if self.looked == self.looked_limit:
                self.has_more = True
                return
            self.looked, self.since = self.looked + 1, work.recorded_at
            if self.wanted.may_be(work, read(work)):
                yield work


def summaries(ledger: Ledger, recorded: Sequence[Work]) -> list[Summary]:
    """These events in a line each."""
    found = lives(ledger, recorded, limit=LIFE_LIMIT, steps=LIFE_STEPS)
    return [summary(life) for life in found]
