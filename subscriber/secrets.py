"""Secrets of destinations and of dbt Cloud: read when first used, and kept for a while."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.errors import Failure
from shared.secret_refs import Secret, SecretRef

KEPT_S = 300.0


@dataclass(frozen=True)
class Secrets:
    """What `resolve` returns, kept for five minutes. Safe to share between threads."""

    resolve: Callable[[SecretRef], Secret]
    clock: Callable[[], float] = time.monotonic
    _kept: dict[SecretRef, tuple[float, Secret]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def value(self, ref: SecretRef) -> str:
        """The secret that `ref` names, itself; raises what `resolve` raises."""
        return self.secret(ref).value

    def secret(self, ref: SecretRef) -> Secret:
        """The secret that `ref` names, and its version; raises what `resolve` raises."""
        with self._lock:
            kept = self._kept.get(ref)
        if kept is not None and self.clock() - kept[0] < KEPT_S:
            return kept[1]
        return self.anew(ref)

    def anew(self, ref: SecretRef) -> Secret:
        """The same, read now: for when the one that was kept has been refused."""
        secret = self.resolve(ref)
        with self._lock:
            self._kept[ref] = (self.clock(), secret)
        return secret

    def renew(self, ref: SecretRef) -> bool:
        """Read it anew after it was refused; whether it is another one now."""
        with self._lock:
            kept = self._kept.get(ref)
        try:
            return kept is not None and self.anew(ref).value != kept[1].value
        except Failure:
            return False
