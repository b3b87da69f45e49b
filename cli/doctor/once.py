"""Once: what several checks need is asked for by the first of them, and by nobody again."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from shared.errors import Failure, Mistake

T = TypeVar("T")


class Once(Generic[T]):
    """What `ask` returns, or raises if it is a Failure or a Mistake. Safe to share between threads:
    while one asks, the others wait.
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answers: list[T] = []
        self._failure: Failure | Mistake | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._failure is None and not self._answers:
                try:
                    self._answers.append(self._ask())
                except (Failure, Mistake) as failure:
                    self._failure = failure
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        return self._answers[0]
