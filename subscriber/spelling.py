"""Spelling: names in the configuration that look like slips of names that events had lately."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from shared import event as events
from shared import log
from shared.errors import Mistake, PermanentFailure, TemporaryFailure
from shared.event import RunEvent
from subscriber import checks
from subscriber.configuration import Configuration
from subscriber.findings import Finding
from subscriber.ledger.contract import Kind, Ledger, Work

EVENTS = 200
"""How many of the last events are looked at: about a day of most projects."""


@dataclass
class Spelling:
    """Looks once in a process, as soon as there are events. Safe to share between threads."""

    configuration: Configuration
    ledger: Ledger
    clock: Callable[[], datetime]
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _is_done: bool = False

    def check(self) -> None:
        """Say each finding as a warning, once. A ledger that does not answer is asked next time."""
        with self._turn:
            if self._is_done or self.configuration.lines is None:
                return
            try:
                seen = lately(self.ledger, self.clock())
            except (TemporaryFailure, Mistake) as failure:
                log.debug("spelling not checked", reason=str(failure))
                return
            self._is_done = bool(seen)
        for finding in slips(self.configuration, seen):
            log.warning("configuration", reason=str(finding))


def slips(configuration: Configuration, seen: Sequence[RunEvent]) -> list[Finding]:
    """Patterns that match no event of `seen`, but almost do, with their places. Pure.

    There are none without a file.
    """
    if configuration.lines is None:
        return []
    return checks.typos(configuration.rules, configuration.overrides, configuration.lines, seen)


def lately(ledger: Ledger, now: datetime) -> list[RunEvent]:
    """The last events that the ledger holds, the newest first; raises what the ledger does."""
    seen = []
    for work in ledger.recorded(Kind.EVENT, before=now, limit=EVENTS):
        # what could not be read when it came is recorded without its event
        with suppress(PermanentFailure):
            seen.append(_event(work))
    return seen


def _event(work: Work) -> RunEvent:
    return events.read(str(work.body.get("event", "")).encode())
