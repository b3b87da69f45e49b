"""A push endpoint that answers as told and remembers what it was pushed."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lab.serve import serve

WAIT_S = 10.0


@dataclass(frozen=True)
class Pushed:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def message_id(self) -> str:
        return str(self.body["message"]["messageId"])


class Endpoint:
    """Answers 204, unless `answers` holds something else; `before` is called before each answer."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: deque[Response] = deque()
        self.before: Callable[[], object] = lambda: None
        self._pushes: list[Pushed] = []
        self._arrived = threading.Condition()

    def will_answer(self, *statuses: int) -> None:
        self.answers.extend(Response(status_code=status) for status in statuses)

    def pushes(self, count: int) -> list[Pushed]:
        """The pushes so far, once there are `count` of them."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self._pushes) >= count, WAIT_S)
            assert arrived, f"{len(self._pushes)} pushes of {count} arrived"
            return list(self._pushes)

    @property
    def count(self) -> int:
        with self._arrived:
            return len(self._pushes)

    async def answer(self, request: Request) -> Response:
        body = json.loads(await request.body())
        with self._arrived:
            self._pushes.append(Pushed(request.url.path, dict(request.headers), body))
            answer = self.answers.popleft() if self.answers else Response(status_code=204)
            self._arrived.notify_all()
        await run_in_threadpool(self.before)
        return answer


@contextmanager
def an_endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    app = Starlette(routes=[Route("/{path:path}", endpoint.answer, methods=["POST", "GET"])])
    with serve(app) as base_url:
        endpoint.url = f"{base_url}/push"
        yield endpoint
