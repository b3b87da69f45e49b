"""Secrets of destinations and of dbt Cloud: read when first used, and kept for a while."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.errors import Failure
from shared.secret_refs import SecretRef

KEPT_S = 300.0


@dataclass(frozen=True)
class Secrets:
    """What `read` returns, kept for five minutes. Safe to share between threads."""

    read: Callable[[SecretRef], str]
    clock: Callable[[], float] = time.monotonic
    _kept: dict[SecretRef, tuple[float, str]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def value(self, ref: SecretRef) -> str:
        """The secret that `ref` names; raises what `read` raises."""
        with self._lock:
            kept = self._kept.get(ref)
        if kept is not None and self.clock() - kept[0] < KEPT_S:
            return kept[1]
        return self.anew(ref)

    def anew(self, ref: SecretRef) -> str:
        """The same, read now: for when the one that was kept has been refused."""
        value = self.read(ref)
        with self._lock:
            self._kept[ref] = (self.clock(), value)
        return value

    def renew(self, ref: SecretRef) -> bool:
        """Read it anew after it was refused; whether it is another one now."""
        with self._lock:
            kept = self._kept.get(ref)
        try:
            return kept is not None and self.anew(ref) != kept[1]
        except Failure:
            return False
