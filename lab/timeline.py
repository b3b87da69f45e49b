"""The timeline: what each side of the lab saw, in the order in which it happened."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True)
class Moment:
    """`side` saw `what`; `facts` are for whoever checks it, `what` is for people."""

    at: datetime
    side: str
    what: str
    facts: dict[str, str] = field(default_factory=dict)


class Timeline:
    """Moments as they are seen. Safe to use from several threads."""

    def __init__(self, show: Callable[[Moment], None] | None = None) -> None:
        self._moments: list[Moment] = []
        self._changed = threading.Condition()
        self._show = show

    def saw(self, side: str, what: str, **facts: str) -> None:
        moment = Moment(datetime.now(UTC), side, what, facts)
        with self._changed:
            self._moments.append(moment)
            if self._show is not None:
                self._show(moment)
            self._changed.notify_all()

    @property
    def moments(self) -> list[Moment]:
        with self._changed:
            return list(self._moments)

    def wait(self, until: Callable[[list[Moment]], bool], timeout_s: float) -> bool:
        """Whether `until` became true of the moments within `timeout_s`; waits without polling."""
        with self._changed:
            return self._changed.wait_for(lambda: until(self._moments), timeout_s)
