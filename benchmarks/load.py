"""A bounded load of one repeated webhook over kept connections, as fast as it is answered.

Run as a process of its own: python -m benchmarks.load PORT CONNECTIONS SECONDS. It prints the
number of good answers a second, then the median and the 99th percentile of their times in ms.
"""

import asyncio
import sys
import time
from typing import cast

import uvloop

from benchmarks.sample import REQUEST

END_OF_HEAD = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection with one request under way at a time; every answer starts the next."""

    def __init__(self, until: float, times_s: list[float], done: asyncio.Future[None]) -> None:
        self._until = until
        self._times_s = times_s
        self._done = done
        self._began = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        end = received.find(END_OF_HEAD)
        if end < 0:
            return
        head = received[:end].lower()
        at = head.find(b"content-length: ")
        length = int(head[at + 16 : head.find(b"\r", at) if head.find(b"\r", at) > 0 else end])
        if len(received) < end + 4 + length:
            return
        if not head.startswith(b"http/1.1 202"):
            self._done.set_exception(RuntimeError(head.decode("latin-1")))
            self._transport.close()
            return
        self._received = b""
        now = time.perf_counter()
        self._times_s.append(now - self._began)
        if now < self._until:
            self._ask()
        else:
            self._transport.close()
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("closed by the server"))


async def load(port: int, connections: int, seconds: float) -> tuple[float, float, float]:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    times_s: list[float] = []
    ends = [loop.create_future() for _ in range(connections)]
    for end in ends:
        until = began + seconds
        await loop.create_connection(lambda end=end: Connection(until, times_s, end), "127.0.0.1", port)
    await asyncio.wait_for(asyncio.gather(*ends), seconds + 10)
    took_s = time.perf_counter() - began
    times_s.sort()
    return (
        len(times_s) / took_s,
        times_s[len(times_s) // 2] * 1000,
        times_s[len(times_s) * 99 // 100] * 1000,
    )


if __name__ == "__main__":
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    print(*uvloop.run(load(port, connections, seconds)))
