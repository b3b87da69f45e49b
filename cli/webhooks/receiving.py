"""What a receiver's answer to a webhook means, and what to do about it. Pure."""

from cli.exits import Exit

_MEANINGS = {
    400: "answered 400: what answers is no Afterrun receiver, which takes any body",
    401: "answered 401, wrong signature: the receiver does not know this webhook's secret; its "
    "WEBHOOK_SECRETS must refer to where that is kept, and it looks there anew at most every 30 s",
    403: "answered 403: something before the receiver refused it; on Cloud Run, the service must "
    "allow unauthenticated calls: the header Authorization holds dbt Cloud's signature",
    404: "answered 404: there is no receiver at this URL; is it the one of the service?",
    405: "answered 405: what answers does not take POST; is it the URL of the receiver?",
    408: "answered 408: the body did not arrive in time",
    413: "answered 413: the body is larger than the receiver takes",
    429: "answered 429: too many at once; on Cloud Run, more instances are needed",
    503: "answered 503: the receiver cannot take events now: no secret of it can be read, or "
    "Pub/Sub does not take them; its log says which",
}


def is_taken(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def meaning(status: int | None, body: str = "") -> str:
    """What came of posting a webhook; `status` is None where nobody answered."""
    if status is None:
        return "no answer: nothing listens there, its name is not known, or it took more than 10 s"
    if is_taken(status):
        return f"answered {status}"
    if status == 401 and body and "invalid signature" not in body:
        return (
            "answered 401, but not by an Afterrun receiver: something before it wants a login of "
            "its own; it must let the header Authorization pass, which holds the signature"
        )
    if 300 <= status < 400:
        return f"answered {status}, a redirect, which dbt Cloud does not follow: use its target"
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status >= 500:
        return f"answered {status}: the receiver, or what stands before it, is in trouble"
    return f"answered {status}: refused"


def exit_code(status: int | None) -> int:
    """0 for what was taken, else whether the same may work later."""
    if is_taken(status):
        return 0
    return Exit.BUSY if status is None or status >= 500 or status in (408, 429) else Exit.REFUSED
