"""A vendor's limit: so many requests in a sliding stretch of time, counted by a clock handed in."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass
class Window:
    """Takes `limit` requests in any stretch of `per`. To be used from one thread at a time."""

    limit: int
    per: timedelta
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _taken: deque[datetime] = field(default_factory=deque, init=False, repr=False)

    def room_in(self) -> timedelta | None:
        """None if there is room now; else after how long there is."""
        now = self.clock()
        while self._taken and self._taken[0] <= now - self.per:
            self._taken.popleft()
        if len(self._taken) < self.limit:
            return None
        return self._taken[0] + self.per - now

    def take(self) -> timedelta | None:
        """Take one if there is room, and return None; else after how long there is."""
        wait = self.room_in()
        if wait is None:
            self._taken.append(self.clock())
        return wait
