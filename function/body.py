"""Reading a request's body within limits of size and time."""

import asyncio
from contextlib import aclosing

from starlette.requests import Request

SIZE_LIMIT_BYTES = 256 * 1024
TIME_LIMIT_S = 5.0


class TooLarge(Exception):
    """The body is longer than we accept; the rest of it was not read."""


class TooSlow(Exception):
    """The body had not arrived within the time for it."""


async def read(
    request: Request,
    *,
    size_limit_bytes: int = SIZE_LIMIT_BYTES,
    time_limit_s: float = TIME_LIMIT_S,
) -> bytes:
    """The whole body of `request`.

    Raises TooLarge as soon as that is known, at once if the request announces it; TooSlow;
    and ClientDisconnect (starlette.requests) when the client leaves before its end.
    """
    announced = request.headers.get("content-length", "")
    # longer digits than these would be more than we accept, too; and `int` takes its time over them
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > size_limit_bytes):
        raise TooLarge
    chunks: list[bytes] = []
    size_bytes = 0
    try:
        async with asyncio.timeout(time_limit_s), aclosing(request.stream()) as stream:
            async for chunk in stream:
                size_bytes += len(chunk)
                if size_bytes > size_limit_bytes:
                    raise TooLarge
                chunks.append(chunk)
    except TimeoutError:
        raise TooSlow from None
    return b"".join(chunks)
