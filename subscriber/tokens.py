"""Tokens: what a vendor gives for a while in exchange for credentials; kept in memory only."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar

from shared.errors import TemporaryFailure

T = TypeVar("T")

PATIENCE_S = 15.0  # how long a thread waits for another one with the same credentials
EARLY_S = 300.0  # a token is no longer used so long before its end, or half of its life


@dataclass(frozen=True)
class Token:
    value: str = field(repr=False)
    lasts_s: float
    """How long from when it was given."""


class Rejected(Exception):
    """The vendor does not accept the token: raise it within `use` to have another one fetched."""


class Tokens:
    """Safe to share between threads. One token a key, fetched by one thread at a time."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, patience_s: float = PATIENCE_S
    ) -> None:
        self._monotonic = monotonic
        self._patience_s = patience_s
        self._kept: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    def use(self, key: str, fetch: Callable[[], Token], call: Callable[[str], T]) -> T:
        """What `call` returns, given the token of `key`, which `fetch` gets where none is kept.

        If `call` raises Rejected, the token is fetched anew and `call` made once more; a second
        Rejected goes out as its cause, the failure that it was raised from. `key` is to name the
        server and the credentials: see `named`.
        """
        token, is_new = self._current(key, fetch)
        try:
            return call(token)
        except Rejected as rejected:
            self._forget(key, token)
            if is_new:
                raise _cause(rejected) from None
        token, _ = self._current(key, fetch)
        try:
            return call(token)
        except Rejected as rejected:
            self._forget(key, token)
            raise _cause(rejected) from None

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """No other thread of this process is in here with the same `key`.

        Raises TemporaryFailure where one does not leave within PATIENCE_S.
        """
        lock = self._lock(key)
        if not lock.acquire(timeout=self._patience_s):
            raise TemporaryFailure(
                f"another request with these credentials takes longer than {self._patience_s:g} s"
            )
        try:
            yield
        finally:
            lock.release()

    def _current(self, key: str, fetch: Callable[[], Token]) -> tuple[str, bool]:
        with self.alone(key):
            value, until = self._kept.get(key, ("", 0.0))
            if value and self._monotonic() < until:
                return value, False
            asked_at = self._monotonic()
            token = fetch()
            until = asked_at + max(token.lasts_s - EARLY_S, token.lasts_s / 2)
            self._kept[key] = (token.value, until)
            return token.value, True

    def _forget(self, key: str, value: str) -> None:
        with self.alone(key):
            if self._kept.get(key, ("",))[0] == value:
                del self._kept[key]

    def _lock(self, key: str) -> threading.RLock:
        with self._guard:
            return self._locks.setdefault(key, threading.RLock())


def named(*parts: str) -> str:
    """A key made of a server and credentials, from which they cannot be read."""
    return sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


def _cause(rejected: Rejected) -> BaseException:
    return rejected.__cause__ or rejected
