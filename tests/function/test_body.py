"""A body is read whole, or not beyond what we accept."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request

from function.body import SIZE_LIMIT_BYTES, TooLarge, TooSlow, read
from tests.function.fakes import a_request, arriving, leaving, stuck


def test_a_body_in_pieces_is_put_together():
    assert asyncio.run(read(a_request(arriving(b"one ", b"two ", b"three")))) == b"one two three"


def test_a_request_without_a_body_has_an_empty_one():
    assert asyncio.run(read(a_request(arriving()))) == b""


def test_exactly_the_limit_is_accepted():
    body = b"x" * SIZE_LIMIT_BYTES

    assert asyncio.run(read(announced(len(body), body))) == body


@pytest.mark.parametrize("size", [SIZE_LIMIT_BYTES + 1, 10**30])
def test_a_body_announced_as_too_large_is_not_even_begun(size: int):
    with pytest.raises(TooLarge):
        asyncio.run(read(announced(size)))


def test_a_body_that_becomes_too_large_is_not_read_to_its_end():
    half = b"x" * (SIZE_LIMIT_BYTES // 2 + 1)

    with pytest.raises(TooLarge):
        asyncio.run(read(a_request(stuck(half, half))))


def test_a_body_that_stops_arriving_is_too_slow():
    with pytest.raises(TooSlow):
        asyncio.run(read(a_request(stuck(b"some")), time_limit_s=0.02))


def test_a_client_that_leaves_is_told_apart():
    with pytest.raises(ClientDisconnect):
        asyncio.run(read(a_request(leaving(b"some"))))


def announced(size: int, *chunks: bytes) -> Request:
    receive = arriving(*chunks) if chunks else stuck()
    return a_request(receive, headers=[("content-length", str(size))])
