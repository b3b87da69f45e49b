"""Whether something of a run can be read yet: at once, after some asking, or when told."""

import threading


class Readiness:
    """Not ready for the first `after_asks` that ask; None: not before `become_ready` is called.

    Safe to use from several threads.
    """

    def __init__(self, after_asks: int | None = 0) -> None:
        self._asks_left = after_asks
        self._lock = threading.Lock()

    def become_ready(self) -> None:
        with self._lock:
            self._asks_left = 0

    @property
    def is_ready(self) -> bool:
        """Whether it can be read; to look does not count."""
        with self._lock:
            return self._asks_left == 0

    def ask(self) -> bool:
        """Whether it can be read; to ask counts."""
        with self._lock:
            if self._asks_left is None:
                return False
            if self._asks_left > 0:
                self._asks_left -= 1
                return False
            return True
