"""Watching: events as they come, and again when something has become of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile

from cli.events.life import read
from cli.events.listing import READ_AT_ONCE, Wanted, summaries
from cli.events.newest import newest, works
from cli.events.summary import Summary
from subscriber.ledger.contract import Kind, Ledger, Work

PAUSE_S = 3.0  # between two looks
PAGE = 10  # events a look reads first: most often there is nothing new
WATCHED = 50  # events that are looked at again until nothing more is to be expected of them
PATIENCE = timedelta(hours=1)  # with each of them
LATE = timedelta(minutes=2)  # by which an event may be recorded behind one that came after it


@dataclass
class Watching:
    """Events that `wanted` asks for: those that come from now on, the oldest first.

    One that is not over is shown as it is, and anew when that has changed. Both are bounded: only
    the newest WATCHED are looked at again, for PATIENCE.
    """

    ledger: Ledger
    wanted: Wanted
    clock: Callable[[], datetime]
    seen: dict[str, datetime] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """What has been recorded by now is not news."""
        for work in self._newest():
            self.seen[work.key] = work.recorded_at
            if len(self.seen) >= PAGE:
                return

    def look(self) -> Iterator[Summary]:
        """What is new since the last look."""
        new = self._new()
        again = [key for key in self.shown if key not in {work.key for work in new}]
        known = [work for work in works(self.ledger, again).values() if work]
        for found in self._summaries([*known, *new]):
            key, said = found.life.work.key, repr(found.data())
            if self.wanted.is_whole(found) and self.shown.get(key) != said:
                yield found
            self.shown[key] = said
            if found.is_over or self.clock() - found.life.work.recorded_at > PATIENCE:
                del self.shown[key]
        for key in list(self.shown)[:-WATCHED]:
            del self.shown[key]

    def _new(self) -> list[Work]:
        latest = max(self.seen.values(), default=None)
        horizon = latest - LATE if latest else None
        recent = takewhile(lambda w: horizon is None or w.recorded_at >= horizon, self._newest())
        new = [work for work in recent if work.key not in self.seen]
        self.seen |= {work.key: work.recorded_at for work in new}
        if horizon is not None:
            self.seen = {key: at for key, at in self.seen.items() if at >= horizon}
        return [work for work in reversed(new) if self.wanted.may_be(work, read(work))]

    def _newest(self) -> Iterator[Work]:
        return newest(self.ledger, Kind.EVENT, self.clock(), PAGE)

    def _summaries(self, recorded: list[Work]) -> Iterator[Summary]:
        for first in range(0, len(recorded), READ_AT_ONCE):
            yield from summaries(self.ledger, recorded[first : first + READ_AT_ONCE])
