"""The receiver's answers: short JSON, the same for whatever reason within one status."""

import json
from collections.abc import Mapping

from starlette.responses import Response

_CLOSE = {"connection": "close"}  # the rest of the body is not read, so nothing can follow it
_RETRY_AFTER = {"retry-after": "10"}


def accepted(event_id: str, message_id: str) -> Response:
    return _answer(202, {"eventId": event_id, "messageId": message_id})


def unauthorized() -> Response:
    return _answer(401, {"error": "invalid signature"})


def method_not_allowed(allowed: str) -> Response:
    return _answer(405, {"error": "method not allowed"}, {"allow": allowed})


def too_slow() -> Response:
    return _answer(408, {"error": "body too slow"}, _CLOSE)


def too_large() -> Response:
    return _answer(413, {"error": "body too large"}, _CLOSE)


def gone() -> Response:
    """For a client that left while it was sending; nobody receives it."""
    return Response(status_code=400, headers=_CLOSE)


def unavailable() -> Response:
    return _answer(503, {"error": "cannot accept webhooks now"}, _RETRY_AFTER)


def healthy() -> Response:
    return _answer(200, {"status": "ready"})


def unhealthy(lacking: list[str]) -> Response:
    return _answer(503, {"status": "not ready", "lacking": lacking}, _RETRY_AFTER)


def _answer(
    status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    return Response(json.dumps(content), status, headers, media_type="application/json")
