"""The subscriber's entry point: Pub/Sub's pushes come in here.

To load this module is to start the subscriber: a mistake in its settings ends the start.
"""

import functions_framework
from flask import Request, Response

from shared import log
from shared.errors import Mistake, TemporaryFailure
from subscriber import push, wiring
from subscriber.push_auth import NotOurs

try:
    wiring.start()
except Mistake as mistake:
    raise SystemExit(f"The subscriber cannot start. {mistake}") from None


@functions_framework.http
def handle_event(request: Request) -> Response:
    """Answer 200 once the message is recorded, 503 to have Pub/Sub send it again.

    `http`, not `cloud_event`: the framework refuses a push without data before a function sees
    it, so that such a message would come again for ever; and it echoes what it refuses.
    """
    try:
        parts = wiring.subscriber()
        if request.method != "POST":
            return _health(request, parts)
        parts.push_auth.check(
            request.headers.get("Authorization", ""), request.remote_addr or "unknown"
        )
        body = request.stream.read(push.SIZE_LIMIT_BYTES + 1)
        parts.processor.take(push.read(body, request.headers.get("Content-Type", "")))
    except NotOurs as refusal:
        log.warning("push refused", reason=str(refusal))
        return _answer(401, "not a push of ours")
    except push.NotAPush as refusal:
        log.warning("push refused", reason=str(refusal))
        return _answer(400, str(refusal))
    except TemporaryFailure as failure:
        log.warning("not recorded, to be sent again", reason=str(failure))
        return _answer(503, "not recorded; send it again")
    except Mistake as mistake:
        log.error("not recorded, to be sent again", reason=str(mistake))
        return _answer(503, "not recorded; see the log")
    return _answer(200, "recorded")


def _health(request: Request, parts: wiring.Subscriber) -> Response:
    if request.method in ("GET", "HEAD") and request.path == "/health":
        parts.processor.ledger.check()
        return _answer(200, "ready")
    answer = _answer(405, "Pub/Sub pushes with POST")
    answer.headers["Allow"] = "POST"
    return answer


def _answer(status: int, text: str) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")
