"""What a stand-in was sent, whole: to be compared with what its vendor publishes."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Recording:
    """ASGI middleware around a stand-in; `sent` are its requests in their order."""

    app: ASGIApp
    sent: list[Sent] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # read here: a stand-in need not look at a body that it makes nothing of
        body, more = bytearray(), True
        while more:
            message = await receive()
            body.extend(message.get("body", b""))
            more = message.get("more_body", False)
        unread: list[Message] = [{"type": "http.request", "body": bytes(body)}]

        async def again() -> Message:
            return unread.pop() if unread else await receive()

        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query, path = parse_qs(scope["query_string"].decode()), scope["raw_path"].decode()
        self.sent.append(Sent(scope["method"], path, query, headers, bytes(body)))
        await self.app(scope, again, send)
