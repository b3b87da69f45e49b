"""What stands beside the receiver: functions of the framework that do nothing."""

import flask
import functions_framework
import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response


@functions_framework.http
def threaded(request: flask.Request) -> tuple[str, int]:
    return "hello", 202


@functions_framework.aio.http
async def asynchronous(request: Request) -> Response:
    return Response(b"hello", 202)
