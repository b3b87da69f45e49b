"""A bounded load of one webhook over kept connections, each with one request under way at a time.

Run as a process of its own, python -m benchmarks.load PORT CONNECTIONS SECONDS, it prints the
answers a second and the median of their times in ms. It fails if an answer is not 202.
"""

import asyncio
import statistics
import sys
import time
from typing import cast

import uvloop

from benchmarks.sample import REQUEST

END_OF_HEAD = b"\r\n\r\n"
GOOD = b"http/1.1 202"
LENGTH = b"content-length: "


class Connection(asyncio.Protocol):
    """Every answer starts the next request, until the time is over."""

    def __init__(self, until: float, times_s: list[float]) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._until = until
        self._times_s = times_s
        self._began = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(END_OF_HEAD)
        if not end or len(body) < _length(head):
            return
        if not head.lower().startswith(GOOD):
            self._end(RuntimeError(f"not accepted: {head.splitlines()[0]!r}"))
            return
        self._received = b""
        now = time.perf_counter()
        self._times_s.append(now - self._began)
        if now < self._until:
            self._ask()
        else:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("closed by the server"))

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(REQUEST)

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
        self._transport.close()


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(LENGTH)
    return int(rest.partition(b"\r\n")[0] or 0)


async def load(port: int, connections: int, seconds: float) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    times_s: list[float] = []
    began = time.perf_counter()
    made = [
        await loop.create_connection(
            lambda: Connection(began + seconds, times_s), "127.0.0.1", port
        )
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + 10):
        await asyncio.gather(*(connection.ended for _, connection in made))
    took_s = time.perf_counter() - began
    return len(times_s) / took_s, statistics.median(times_s) * 1000


if __name__ == "__main__":
    print(*uvloop.run(load(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
