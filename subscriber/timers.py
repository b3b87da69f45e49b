"""Timers: work of the ledger that says when to look at an episode or a digest again. Pure.

A timer never decides: when it is due, what is remembered then is looked at. One that something
newer has overtaken finds nothing to do.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.errors import Mistake
from shared.event import RunEvent
from subscriber.actions import Action
from subscriber.episodes import Episode
from subscriber.ledger.contract import Kind, Work
from subscriber.states import Slot

VERSION = 1


@dataclass(frozen=True)
class Timer:
    """`subjects` are the keys of the documents to look at: a job's and its environment's, or a
    digest's, and then `slot` is None. `event` is the one that set it, without its times. `action`
    is what is told; None says to tell again what was told last. An episode names the one timer
    that looks at it: any other does nothing.
    """

    key: str
    due_at: datetime
    subjects: tuple[str, ...]
    event: RunEvent
    slot: Slot | None = None
    action: Action | None = None

    def work(self, now: datetime) -> Work:
        """As the ledger keeps it."""
        body = {
            "version": VERSION,
            "subjects": list(self.subjects),
            "event": vars(replace(self.event, occurred_at=None, finished_at=None)),
            "slot": list(self.slot) if self.slot else None,
            "action": self.action.body() if self.action else None,
        }
        return Work(self.key, Kind.TIMER, body, recorded_at=now, due_at=self.due_at)

    @classmethod
    def of(cls, work: Work) -> "Timer":
        """The timer that the ledger keeps as `work`; raises Mistake if another version wrote it."""
        body: dict[str, Any] = dict(work.body)
        if body.pop("version", None) != VERSION:
            raise Mistake(
                "LEDGER: a timer was written by another version of the program (this one reads "
                f"{VERSION}); run the program that wrote it"
            )
        slot, action = body["slot"], body["action"]
        return cls(
            key=work.key,
            due_at=work.due_at or work.recorded_at,
            subjects=tuple(body["subjects"]),
            event=RunEvent(**body["event"]),
            slot=(slot[0], slot[1]) if slot else None,
            action=Action.from_body(action) if action else None,
        )


def of_episode(
    subjects: tuple[str, ...],
    event: RunEvent,
    slot: Slot,
    episode: Episode,
    at: datetime,
    action: Action | None,
) -> Timer:
    """The timer that looks at an episode at `at`.

    Without an action it is the same for every run until something is told again; with one it is
    that event's.
    """
    about = f"event/{event.id}" if action else f"{episode.opening_run}/{episode.tellings}"
    key = f"{subjects[0]}/timer/{'/'.join(slot)}/{about}/{at.isoformat()}"
    return Timer(key, at, subjects, event, slot, action)


def of_digest(key: str, n: int, at: datetime, event: RunEvent) -> Timer:
    """The timer that has the `n`th digest of the document `key` told."""
    return Timer(f"{key}/timer/{n}", at, (key,), event)
