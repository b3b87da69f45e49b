"""Switches for pushes: hold them all, or have one delivered twice."""

import threading
from collections.abc import Callable


class PushSwitches:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = False
        self._twice = 0
        self._changed: Callable[[], None] | None = None

    def on_change(self, changed: Callable[[], None] | None) -> None:
        """Have `changed` called, from any thread, when pushes may go on."""
        with self._lock:
            self._changed = changed

    def hold(self) -> None:
        """Begin no push until `resume`; those in flight end as they end."""
        with self._lock:
            self._held = True

    def resume(self) -> None:
        with self._lock:
            self._held = False
            if self._changed is not None:
                self._changed()

    def twice(self, times: int = 1) -> None:
        """Push the next `times` messages twice at the same time; the first copy's answer counts."""
        with self._lock:
            self._twice += times

    @property
    def is_held(self) -> bool:
        with self._lock:
            return self._held

    def take_twice(self) -> bool:
        with self._lock:
            taken = self._twice > 0
            self._twice -= taken
            return taken
