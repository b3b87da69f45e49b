"""Examined: what a look at a destination has shown, that told nobody anything and began nothing."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from subscriber.outbound import Busy, Outbound, Refused


@dataclass(frozen=True)
class Examined:
    """`said` is a line for people, `doubts` what may keep it from working, and what mends that.

    `is_tried` says whether the vendor has accepted the credential.
    """

    said: str
    is_tried: bool = True
    doubts: tuple[str, ...] = ()


def reached(outbound: Outbound, url: str) -> str:
    """The host of `url`, which answers: whatever it is that it answers, over TLS that is trusted.

    Only the host is asked, without path and credential. Raises Busy if it does not answer,
    PermanentFailure if it must not be reached.
    """
    parts = urlsplit(url)
    try:
        outbound.get_json(f"{parts.scheme}://{parts.netloc}/", answer_limit_bytes=0)
    except Refused:
        pass  # it answers, and has nothing to tell at that path
    except Busy as busy:
        if busy.status is None:
            raise
    return parts.hostname or "?"
