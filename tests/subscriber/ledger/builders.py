"""Work for the tests of the ledgers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from subscriber.ledger.contract import Kind, Ledger, Subject, Work

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
LEASE = timedelta(minutes=5)
SECOND = timedelta(seconds=1)


def some_work(
    key: str = "work",
    *,
    kind: Kind = Kind.ACTION,
    body: dict[str, Any] | None = None,
    due_at: datetime | None = NOW,
    recorded_at: datetime = NOW,
) -> Work:
    return Work(key, kind, {"say": "hello"} if body is None else body, recorded_at, due_at)


def seen(ledger: Ledger, key: str) -> Subject:
    """What `ledger` remembers of one subject."""
    (subject,) = ledger.subjects([key])
    return subject
