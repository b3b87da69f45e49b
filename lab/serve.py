"""Serving an ASGI application on a free loopback port, in a thread, while a block lasts."""

import asyncio
import socket
import threading
from asyncio import BaseTransport, Transport
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BREAK = "lab.break"
"""Key of the scope under which an application finds how to break its connection."""


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve `app` within the block; the value is its base URL, without a slash at the end.

    Connections are accepted from the first moment: the socket listens before the server starts.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(
        app,
        http=_Breakable,
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.told_to_end.set_result(None)
        thread.join(timeout=5)
        listener.close()


class _Server(uvicorn.Server):
    """Ends as soon as it is told to: uvicorn looks ten times a second, which adds up in tests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told_to_end: Future[None] = Future()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await asyncio.wrap_future(self.told_to_end)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()


class _Breakable(HttpToolsProtocol):
    """HTTP as usual; an application can break its connection too, for which ASGI has no word."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Transport, transport))
        app = self.app

        async def breakable(scope: Scope, receive: Receive, send: Send) -> None:
            scope[BREAK] = self.transport.abort
            await app(scope, receive, send)

        self.app = breakable
