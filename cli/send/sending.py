"""Sending an event to a receiver as dbt Cloud does: the body, its signature, and what came back."""

import json
import secrets
import shlex
import string
import time
from collections.abc import Callable
from dataclasses import dataclass, field

TIMEOUT_S = 10.0  # what dbt Cloud waits
ID_LENGTH = 27  # characters, after the prefix
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Answer:
    """What was answered: its status, None without an answer; `why` there was none."""

    status: int | None
    took_s: float
    body: str = field(default="", repr=False)
    why: str = ""


def renewed(body: bytes, later_by: int) -> bytes:
    """The same of another event and run, so that nobody takes it for a repeat.

    A run is later than another one of its job if its id is larger.
    """
    told = json.loads(body)
    told["eventId"] = "wev_" + "".join(secrets.choice(_LETTERS) for _ in range(ID_LENGTH))
    told["data"]["runId"] = str(int(told["data"]["runId"]) + max(1, later_by))
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def posted(
    url: str,
    body: bytes,
    signature: str | None,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Post it once, without following redirects; without a signature the header is left out."""
    from subscriber.outbound import Busy, Outbound, Refused

    headers = {} if signature is None else {"Authorization": signature}
    began = clock()
    try:
        reply = Outbound(read_timeout_s=TIMEOUT_S).post_json(
            url, body, headers=headers, repeatable=False
        )
    except Busy as busy:
        why = "" if busy.status else str(busy)
        return Answer(busy.status, clock() - began, busy.reply.body, why)
    except Refused as refused:
        return Answer(refused.status, clock() - began, refused.reply.body)
    return Answer(reply.status, clock() - began, reply.body)


def curl(url: str, *, is_signed: bool) -> str:
    """The same by hand, from a file `body.json`; no secret is in it."""
    headers = '-H "Authorization: $SIGNATURE" ' if is_signed else ""
    content = "-H 'Content-Type: application/json'"
    return f"curl -i {content} {headers}--data-binary @body.json {shlex.quote(url)}"
