"""Digests: what was not told one by one, told to a destination in one line. Pure.

Two things are gathered so: problems that came and went while a silence held them back, and events
that were older than `max_event_age` when they came. A digest is one document of the ledger, begun
by its first line, and told once when its time has come.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.errors import Mistake

VERSION = 1
LINES_LIMIT = 20
LINE_LIMIT = 300


@dataclass(frozen=True)
class Line:
    """Something that was not told: for the digest `key`, which is told at `due_at`."""

    key: str
    destination: str
    title: str
    text: str
    due_at: datetime


@dataclass(frozen=True)
class Digest:
    """`count` is of all that was gathered, `lines` the first LINES_LIMIT of it."""

    destination: str
    title: str
    due_at: datetime
    count: int = 0
    lines: tuple[str, ...] = ()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Digest | None":
        """The digest in the ledger's document; None if nothing is gathered."""
        if not body:
            return None
        if body.get("version") != VERSION:
            raise Mistake(
                "LEDGER: a digest was written by another version of the program (this one reads "
                f"{VERSION}); run the program that wrote it"
            )
        kept = body.get("digest")
        if kept is None:
            return None
        due_at = datetime.fromisoformat(kept["due_at"])
        return cls(**{**kept, "due_at": due_at, "lines": tuple(kept["lines"])})

    def body(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        kept = {**vars(self), "due_at": self.due_at.isoformat(), "lines": list(self.lines)}
        return {"version": VERSION, "digest": kept}


def told() -> dict[str, Any]:
    """The document of a digest that has been told: the next line begins another."""
    return {"version": VERSION, "digest": None}


def with_line(digest: Digest | None, line: Line) -> Digest:
    """`digest` with one line more; it is told when it was to be told from its first line on."""
    digest = digest or Digest(line.destination, line.title, line.due_at)
    lines = digest.lines
    if len(lines) < LINES_LIMIT:
        lines = (*lines, line.text[:LINE_LIMIT])
    return Digest(digest.destination, digest.title, digest.due_at, digest.count + 1, lines)
