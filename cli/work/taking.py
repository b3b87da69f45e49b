"""Taking: what becomes of a message that was pulled. It is acknowledged once it is recorded."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared import log
from shared.errors import Mistake, TemporaryFailure
from subscriber.push import Delivered

PAUSE_S = 10.0
"""How long what could not be recorded is kept back before it is given back: a ledger that is down
for an hour shall not use up the deliveries after which Pub/Sub sets a message aside."""


@dataclass
class Taking:
    """`take` is the subscriber's; it is called from many threads. `stopping` ends every pause."""

    take: Callable[[Delivered], None]
    stopping: threading.Event
    pause_s: float = PAUSE_S
    monotonic: Callable[[], float] = time.monotonic
    failed: int = 0
    in_flight: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._moved_at = self.monotonic()

    def __call__(self, delivered: Delivered) -> bool:
        """Whether it was taken; else it is to come again. Raises nothing, whatever `take` does."""
        self._count(1)
        try:
            if self._is_taken(delivered):
                return True
            self.stopping.wait(self.pause_s)
            return False
        finally:
            self._count(-1)

    def quiet_for_s(self) -> float:
        """Since when no message came or was finished; 0 while one is being taken."""
        with self._lock:
            return 0.0 if self.in_flight else self.monotonic() - self._moved_at

    def _is_taken(self, delivered: Delivered) -> bool:
        try:
            self.take(delivered)
        except TemporaryFailure as failure:
            log.warning("not recorded, to come again", reason=str(failure))
        except Mistake as mistake:
            log.error("not recorded, to come again", reason=str(mistake))
        except Exception as error:  # noqa: BLE001 - one message shall not end the process
            log.bug("a message could not be taken", error, message_id=delivered.id)
        else:
            return True
        with self._lock:
            self.failed += 1
        return False

    def _count(self, more: int) -> None:
        with self._lock:
            self.in_flight += more
            self._moved_at = self.monotonic()
