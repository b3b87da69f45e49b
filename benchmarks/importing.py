"""A function that does nothing, with the client imported that the receiver needs."""

import functions_framework.aio
import google.pubsub_v1  # noqa: F401
from starlette.requests import Request
from starlette.responses import Response


@functions_framework.aio.http
async def asynchronous(request: Request) -> Response:
    return Response(b"hello", 202)
