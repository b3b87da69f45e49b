"""Digests: what was not told one by one, told to a destination in one line. Pure.

Two things are gathered so: problems that came and went while a silence held them back, and events
that were older than `max_event_age` when they came. A digest is one document of the ledger, begun
by its first line, and told once when its time has come; what is gathered then begins the next one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    silence: str = ""
    """Id of the silence with which the digest waits; when that ends early, so does the waiting."""


@dataclass(frozen=True)
class Digest:
    """The `n`th of its document. `count` is of all that was gathered since the one before was told,
    `lines` the first LINES_LIMIT of it; nothing is gathered yet where there are none.
    """

    n: int = 1
    destination: str = ""
    title: str = ""
    due_at: datetime | None = None
    silence: str = ""
    count: int = 0
    lines: tuple[str, ...] = ()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Digest":
        """The digest in the ledger's document; raises Mistake if another version wrote it."""
        if not body:
            return cls()
        if body.get("version") != VERSION:
            raise Mistake(
                "LEDGER: a digest was written by another version of the program (this one reads "
                f"{VERSION}); run the program that wrote it"
            )
        kept = body["digest"]
        due_at = datetime.fromisoformat(kept["due_at"]) if kept["due_at"] else None
        return cls(**{**kept, "due_at": due_at, "lines": tuple(kept["lines"])})

    def body(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        due_at = self.due_at and self.due_at.isoformat()
        kept = {**vars(self), "due_at": due_at, "lines": list(self.lines)}
        return {"version": VERSION, "digest": kept}

    def told(self) -> "Digest":
        """The next one, of which nothing is gathered yet."""
        return Digest(self.n + 1)

    def with_line(self, line: Line) -> "Digest":
        """One line more; it is told when it was to be told from its first line on."""
        begun = self
        if not self.count:
            begun = Digest(self.n, line.destination, line.title, line.due_at, line.silence)
        lines = begun.lines
        if len(lines) < LINES_LIMIT:
            lines = (*lines, line.text[:LINE_LIMIT])
        return replace(begun, count=begun.count + 1, lines=lines)
