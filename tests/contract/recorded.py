"""What a destination sends, kept on its way to a stand-in."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import requests
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Sent:
    """A request as it arrived; `path` is still quoted."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def at(self, url: str) -> requests.Request:
        """The same request to `url`, in the form that descriptions are validated with."""
        return requests.Request(
            self.method, url + self.path, headers=self.headers, params=self.query, data=self.body
        )


@dataclass
class Recorded:
    """ASGI middleware around a stand-in: keeps every request that goes through."""

    app: ASGIApp
    sent: list[Sent] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()

        async def kept() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        await self.app(scope, kept, send)
        self.sent.append(
            Sent(
                scope["method"],
                scope["raw_path"].decode(),
                dict(parse_qsl(scope["query_string"].decode())),
                {name.decode(): value.decode() for name, value in scope["headers"]},
                bytes(body),
            )
        )
