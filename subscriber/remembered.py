"""One subject of the ledger by itself: read, and written if nobody else has since."""

from datetime import datetime
from typing import Any

from subscriber.ledger.contract import Ledger, Subject


def read(ledger: Ledger, key: str) -> Subject:
    """What is remembered of `key`; an empty body if nothing is."""
    return ledger.subject(key)


def write(
    ledger: Ledger, before: Subject, body: dict[str, Any], expire_at: datetime | None = None
) -> bool:
    """Write `body` if the subject is still as in `before`; else False, and nothing happened.

    `expire_at` is when the ledger may forget it; None: never.
    """
    # the ledger's contract does not take `expire_at` yet
    return ledger.decide(before, body, [])
