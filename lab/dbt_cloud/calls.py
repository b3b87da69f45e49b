"""The calls that one of dbt Cloud's APIs got, faults included, with no secret in them."""

import threading
from dataclasses import dataclass, replace

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Call:
    """`status` is None before the answer, and for ever if the connection broke instead."""

    method: str
    path: str
    query: str
    status: int | None = None


class Calls:
    """Calls in the order in which they came. Safe to use from several threads."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.all)

    @property
    def all(self) -> list[Call]:
        with self._lock:
            return list(self._calls)

    def add(self, call: Call) -> int:
        """Its number, to say how it was answered."""
        with self._lock:
            self._calls.append(call)
            return len(self._calls) - 1

    def answered(self, number: int, status: int) -> None:
        with self._lock:
            self._calls[number] = replace(self._calls[number], status=status)


class Recorded:
    """ASGI middleware, the outermost around an API: adds each request to `calls`."""

    def __init__(self, app: ASGIApp, calls: Calls) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode("latin-1")
        number = self._calls.add(Call(scope["method"], scope["path"], query))

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                # before the answer leaves: who has it may look at once
                self._calls.answered(number, message["status"])
            await send(message)

        await self._app(scope, receive, noting)
