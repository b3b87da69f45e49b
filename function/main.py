"""The receiver's entry point: dbt Cloud's webhooks come in here.

To load this module is to start the receiver: a mistake in its settings ends the start.
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from function import wiring
from shared import log
from shared.errors import Mistake

try:
    log.start(wiring.configured().log_level)
except Mistake as mistake:
    raise SystemExit(f"The receiver cannot start. {mistake}") from None


@functions_framework.aio.http
async def receive_webhook(request: Request) -> Response:
    """Answer 202 once the event is stored; any other answer makes dbt Cloud send it again."""
    return await wiring.receiver().receive(request)
