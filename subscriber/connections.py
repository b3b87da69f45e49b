"""Connections on which the head of an answer comes to an end, though it dribbles.

A time-out of requests is for each piece that is read, so that a server which sends a byte every few
seconds would hold whoever asks for as long as it likes. What is read of a body is bounded where it
is read.
"""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.retry import Retry

HEAD = 1.5  # times the read time-out: the status line and the headers come within that


class _Reader(io.RawIOBase):
    """What comes through `sock`; until the monotonic time `ends_at`, if there is one."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._timeout_s = sock.gettimeout()
        # it keeps the connection open for a body that is read after the connection was let go
        self._io = sock.makefile("rb", buffering=0)
        self.ends_at: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.ends_at is not None:
            left = self.ends_at - time.monotonic()
            if left <= 0:
                raise TimeoutError("the head of the answer does not end")
            self._sock.settimeout(min(left, self._timeout_s or left))
        return self._io.readinto(buffer)

    def begin(self) -> None:
        if self._timeout_s is not None:
            self.ends_at = time.monotonic() + HEAD * self._timeout_s

    def end(self) -> None:
        self.ends_at = None
        self._sock.settimeout(self._timeout_s)

    def close(self) -> None:
        self._io.close()
        super().close()


class _Read:
    """A socket as http.client wants it: something to make a file of."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


class BoundedResponse(HTTPResponse):
    """An answer whose head has to have come within HEAD times the time-out."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        self._reader = _Reader(sock)
        super().__init__(_Read(self._reader), *args, **kwargs)  # type: ignore[arg-type]

    def begin(self) -> None:
        self._reader.begin()
        super().begin()
        self._reader.end()


class Plain(HTTPConnection):
    response_class = BoundedResponse


class Encrypted(HTTPSConnection):
    response_class = BoundedResponse


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = Encrypted


class BoundedAdapter(HTTPAdapter):
    """The adapter of a requests session whose answers' heads end."""

    def __init__(self, retries: Retry) -> None:
        super().__init__(max_retries=retries, pool_maxsize=32)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}
