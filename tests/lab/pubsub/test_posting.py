"""Which answers of an endpoint count as an answer, down to the bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lab.pubsub.posting import Endpoint


class Canned:
    """Answers each request on a connection with the same bytes, then may close it."""

    def __init__(self, answer: bytes, *, closes: bool) -> None:
        self.answer = answer
        self.closes = closes
        self.connections = 0
        self.has_closed = asyncio.Event()
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head + await reader.readexactly(4))
                writer.write(self.answer)
                if self.closes:
                    return
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()
            self.has_closed.set()


@asynccontextmanager
async def served(canned: Canned) -> AsyncIterator[Endpoint]:
    server = await asyncio.start_server(canned.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/push?from=lab")
        yield endpoint
        endpoint.close()


def statuses(canned: Canned, *, posts: int = 1, timeout_s: float = 10.0) -> list[int | None]:
    async def post() -> list[int | None]:
        async with served(canned) as endpoint:
            headers = {"Content-Type": "application/json"}
            return [await endpoint.post(headers, b"body", timeout_s) for _ in range(posts)]

    return asyncio.run(post())


def test_a_request_is_complete() -> None:
    canned = Canned(b"HTTP/1.1 204 No Content\r\n\r\n", closes=False)

    assert statuses(canned) == [204]

    (request,) = canned.requests
    head, body = request.decode().split("\r\n\r\n")
    assert head.startswith("POST /push?from=lab HTTP/1.1\r\nHost: 127.0.0.1:")
    assert head.endswith("\r\nContent-Length: 4\r\nContent-Type: application/json")
    assert body == "body"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", 200),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302),
        (b"HTTP/1.1 102 Processing\r\n\r\n", 102),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503),
    ],
)
def test_a_whole_answer_has_a_status(answer: bytes, status: int) -> None:
    assert statuses(Canned(answer, closes=True)) == [status]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n",
        b"HTTP/1.1 200 OK\r\nContent",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"not HTTP at all\r\n\r\n",
    ],
)
def test_an_answer_that_is_cut_off_is_none(answer: bytes) -> None:
    assert statuses(Canned(answer, closes=True)) == [None]


def test_silence_is_no_answer() -> None:
    assert statuses(Canned(b"", closes=False), timeout_s=0.05) == [None]


def test_an_answer_that_dribbles_is_given_up() -> None:
    dribble = Canned(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", closes=False)

    assert statuses(dribble, timeout_s=0.05) == [None]


def test_nobody_listening_is_no_answer() -> None:
    async def post() -> int | None:
        async with served(Canned(b"", closes=True)) as endpoint:
            url = endpoint.url
        return await Endpoint(url).post({}, b"body", timeout_s=10)

    assert asyncio.run(post()) is None


def test_a_connection_is_used_again() -> None:
    canned = Canned(b"HTTP/1.1 204 No Content\r\n\r\n", closes=False)

    assert statuses(canned, posts=3) == [204, 204, 204]
    assert canned.connections == 1


def test_a_connection_that_was_closed_in_silence_is_not_used_again() -> None:
    canned = Canned(b"HTTP/1.1 204 No Content\r\n\r\n", closes=True)

    async def post_twice() -> list[int | None]:
        async with served(canned) as endpoint:
            first = await endpoint.post({}, b"body", timeout_s=10)
            await canned.has_closed.wait()
            for _ in range(3):  # let both sides of this loop see the end
                await asyncio.sleep(0)
            return [first, await endpoint.post({}, b"body", timeout_s=10)]

    assert asyncio.run(post_twice()) == [204, 204]
    assert canned.connections == 2


def test_a_closed_endpoint_keeps_no_connection() -> None:
    canned = Canned(b"HTTP/1.1 204 No Content\r\n\r\n", closes=False)

    async def post_twice() -> list[int | None]:
        async with served(canned) as endpoint:
            endpoint.close()
            return [await endpoint.post({}, b"body", timeout_s=10) for _ in range(2)]

    assert asyncio.run(post_twice()) == [204, 204]
    assert canned.connections == 2


def test_a_connection_that_was_closed_is_not_used_again() -> None:
    canned = Canned(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", closes=True
    )

    assert statuses(canned, posts=3) == [200, 200, 200]
    assert canned.connections == 3
