"""A switch for every fault: what a stand-in's next answers shall be instead of its own."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.serve import BREAK


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    `answer`: the request is not looked at; `status`, `headers` and `body` are answered.
    `slow`: as usual, but `seconds` later.
    `cut`: the connection breaks before the request is looked at.
    `lost`: the request is carried out, and the connection breaks before the answer.

    A connection that breaks does so before the first byte of an answer.
    """

    kind: Literal["answer", "slow", "cut", "lost"]
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    seconds: float = 0.0
    path: str = ""
    """Only requests whose path contains this; others pass by."""


class Faults:
    """Faults yet to happen, in order, each once. Safe to use from several threads."""

    def __init__(self) -> None:
        self._pending: deque[Fault] = deque()
        self._lock = threading.Lock()
        self._always: Fault | None = None

    def next(self, fault: Fault, times: int = 1) -> None:
        """The next `times` requests that the fault applies to suffer it."""
        with self._lock:
            self._pending.extend([fault] * times)

    def always(self, fault: Fault | None) -> None:
        """Every request suffers it, until this is called with None."""
        with self._lock:
            self._always = fault

    def take(self, path: str) -> Fault | None:
        with self._lock:
            for fault in self._pending:
                if fault.path in path:
                    self._pending.remove(fault)
                    return fault
            if self._always is not None and self._always.path in path:
                return self._always
            return None


class WithFaults:
    """ASGI middleware around a stand-in: carries out the faults that `faults` holds.

    Connections can break only where `lab.serve` serves them.
    """

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._faults.take(scope["path"]) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
        elif fault.kind == "answer":
            await _answer(fault, send)
        else:
            if fault.kind == "lost":
                await self._app(scope, receive, _nowhere)
            await _break(scope, receive)


async def _answer(fault: Fault, send: Send) -> None:
    body = b"" if fault.body is None else json.dumps(fault.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    headers |= {name.lower(): value for name, value in fault.headers.items()}
    await send(
        {
            "type": "http.response.start",
            "status": fault.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _nowhere(message: Message) -> None:
    """An answer that nobody receives."""


async def _break(scope: Scope, receive: Receive) -> None:
    scope[BREAK]()
    # to leave before the server knows would make it begin an answer
    while (await receive())["type"] != "http.disconnect":
        pass
