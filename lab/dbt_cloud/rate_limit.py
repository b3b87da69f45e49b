"""The limit of the Admin API: whoever asks too often is refused for five minutes.

Source: https://docs.getdbt.com/docs/dbt-apis/rate-limits
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lab.dbt_cloud import admin_answers
from lab.limits import Window

REQUESTS, PER = 5_000, timedelta(minutes=1)  # of one account
COOLDOWN = timedelta(minutes=5)

TOO_MANY = admin_answers.refusal(429, "Too many requests. Please try again in five minutes.")


def window(clock: Callable[[], datetime]) -> Window:
    return Window(REQUESTS, PER, clock)


class RateLimited:
    """ASGI middleware around an API. It does not say when to come back: nor does the real one."""

    def __init__(self, app: ASGIApp, window: Window) -> None:
        self._app = app
        self._window = window
        self._refused_until = datetime.min.replace(tzinfo=UTC)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = self._window.clock()
        if now >= self._refused_until and self._window.take() is not None:
            self._refused_until = now + COOLDOWN
        if now < self._refused_until:
            await JSONResponse(TOO_MANY, status_code=429)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
