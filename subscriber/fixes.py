"""Fixes: what a person can do about a refusal, said beside it; and what a vendor says of one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from subscriber.cutting import cut, one_line
from subscriber.diagnosis import clean
from subscriber.outbound import Busy, Refused, Reply, retry_after_s
from subscriber.redaction import REDACTED

QUOTED_LIMIT = 200  # characters of a vendor's own words
_LOOKED_AT = 5_000  # characters of what may be far longer


@contextmanager
def named(
    fixes: Mapping[int, str], *, pause_s: float, says: Callable[[Reply], str] = lambda reply: ""
) -> Iterator[None]:
    """Raise what Outbound raises within, and say beside a refusal what `fixes` has for its status.

    `pause_s` is how long to leave a vendor alone after a 429 that does not say; `says` finds what
    the vendor itself says of a refusal, fit to be repeated, empty if it says nothing.
    """
    try:
        yield
    except Refused as refused:
        fix, said = fixes.get(refused.status, ""), says(refused.reply)
        parts = [str(refused), fix, f"it says: {said}" if said else ""]
        raise Refused(": ".join(filter(None, parts)), refused.status, refused.reply) from None
    except Busy as busy:
        told = retry_after_s(busy.reply.headers.get("Retry-After"), datetime.now(UTC))
        if busy.status != 429 or told is not None:
            raise
        raise type(busy)(str(busy), status=429, retry_after_s=pause_s, reply=busy.reply) from None


def quoted(text: str, *secrets: str) -> str:
    """What a vendor says, fit to be repeated: one line of it, without `secrets` or their like."""
    text = text[:_LOOKED_AT]
    for secret in filter(None, secrets):
        text = text.replace(secret, REDACTED)
    return cut(one_line(clean(text)), QUOTED_LIMIT)
