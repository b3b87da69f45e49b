"""The calls that one of dbt Cloud's APIs got, faults included, with no secret in them."""

import threading
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Call:
    """`status` is what was announced, even if the connection was then broken on purpose."""

    method: str
    path: str
    query: str
    status: int


class Calls:
    """Calls in the order in which they were answered. Safe to use from several threads."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.all)

    @property
    def all(self) -> list[Call]:
        with self._lock:
            return list(self._calls)

    def forget(self) -> None:
        with self._lock:
            self._calls.clear()

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)


class Recorded:
    """ASGI middleware, the outermost around an API: adds each request to `calls`."""

    def __init__(self, app: ASGIApp, calls: Calls) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                # before the answer leaves: who has it may count at once
                query = scope["query_string"].decode("latin-1")
                self._calls.add(Call(scope["method"], scope["path"], query, message["status"]))
            await send(message)

        await self._app(scope, receive, noting)
