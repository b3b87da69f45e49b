"""Posting to a push endpoint over kept-alive connections; only the status of the answer matters.

HTTP comes from h11. Redirects are not followed, and nothing is posted a second time.
"""

import asyncio
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

KEEP_IDLE_S = 1.0
"""Connections idle for longer are not used again: their server is about to close them."""

READ_BYTES = 65_536


@dataclass
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    protocol: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))
    idle_since: float = 0.0

    def is_usable(self) -> bool:
        gone = self.reader.at_eof() or self.writer.is_closing()
        return not gone and time.monotonic() - self.idle_since < KEEP_IDLE_S


class Endpoint:
    """Where one subscription's messages go. For one event loop."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or 80
        self._authority = parts.netloc
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._idle: list[_Connection] = []
        self._is_closed = False

    async def post(self, headers: dict[str, str], body: bytes, timeout_s: float) -> int | None:
        """The answer's status; None if there was no whole answer within `timeout_s`.

        102 is returned as soon as it is seen, though an answer may follow it.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(headers, body)
        except (OSError, TimeoutError, h11.RemoteProtocolError):
            return None

    def close(self) -> None:
        """Keep no connection from now on; posts under way end as they end."""
        self._is_closed = True
        for connection in self._idle:
            connection.writer.transport.abort()
        self._idle.clear()

    async def _post(self, headers: dict[str, str], body: bytes) -> int:
        connection = await self._connected()
        kept = False
        try:
            status = await self._exchange(connection, headers, body)
            protocol = connection.protocol
            ended = protocol.our_state is h11.DONE and protocol.their_state is h11.DONE
            if ended and not self._is_closed:
                protocol.start_next_cycle()
                connection.idle_since = time.monotonic()
                self._idle.append(connection)
                kept = True
            return status
        finally:
            if not kept:
                connection.writer.transport.abort()

    async def _connected(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.writer.transport.abort()
        return _Connection(*await asyncio.open_connection(self._host, self._port))

    async def _exchange(self, connection: _Connection, headers: dict[str, str], body: bytes) -> int:
        protocol = connection.protocol
        request = h11.Request(
            method="POST",
            target=self._target,
            headers=[
                ("Host", self._authority),
                ("Content-Length", str(len(body))),
                *headers.items(),
            ],
        )
        parts = (request, h11.Data(data=body), h11.EndOfMessage())
        connection.writer.write(b"".join(protocol.send(part) or b"" for part in parts))
        await connection.writer.drain()
        status = 0
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                protocol.receive_data(await connection.reader.read(READ_BYTES))
            elif isinstance(event, h11.InformationalResponse) and event.status_code == 102:
                return 102
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.EndOfMessage):
                return status
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise ConnectionError("the connection ended before the answer did")
