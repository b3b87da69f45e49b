"""Every query that the ledger sends to Firestore, as a value. Pure.

Google refuses a query whose index is missing, while the emulator answers it. What these need is
declared in firestore.indexes.json; a test compares the two.

Source: https://cloud.google.com/firestore/docs/query-data/index-overview
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from subscriber.ledger.contract import Kind

WORK = "afterrun_work"


@dataclass(frozen=True)
class Filter:
    field: str
    op: Literal["==", "<", "<="]
    value: Any


@dataclass(frozen=True)
class Order:
    field: str
    direction: Literal["ASCENDING", "DESCENDING"]


@dataclass(frozen=True)
class Query:
    """Documents of `collection` that pass all `filters`, in this order."""

    collection: str
    filters: tuple[Filter, ...]
    order: tuple[Order, ...]


def due(now: datetime) -> Query:
    """Work that is due, the longest due first. Settled work has no `due_at` and is not found."""
    return Query(WORK, (Filter("due_at", "<=", now),), (Order("due_at", "ASCENDING"),))


def recorded(kind: Kind, before: datetime) -> Query:
    """Work of one kind recorded before that time, the newest first."""
    return Query(
        WORK,
        (Filter("kind", "==", kind.value), Filter("recorded_at", "<", before)),
        (Order("recorded_at", "DESCENDING"),),
    )
