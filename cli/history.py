"""History: what dbt Cloud told of runs, and answered about them, kept as a file of JSON lines.

A line holds one event as the webhook sends it, and the answer as the service reads it; so that
decisions can be tried offline, as often as wanted. Lines come in any order; of several about one
event the last counts.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Literal, Self

from pydantic import TypeAdapter, ValidationError

from shared import event as events
from shared.errors import Mistake
from shared.event import RunEvent, UnreadableEvent
from subscriber.run import Answer

VERSION = 1
YEARS = range(2000, 3000)
"""In which an event can have been told."""

Asked = Literal["none", "failed", "all"]
ASKED: tuple[Asked, ...] = ("none", "failed", "all")
"""Which results of a run were asked for: each of these holds what the one before does."""

_ANSWER = TypeAdapter(Answer)
_BEGINS = b'{"version": '


@dataclass(frozen=True)
class Entry:
    """`body` is the webhook's body. `answer` is what dbt Cloud knows of the run in the end, as far
    as it was `asked`.
    """

    body: bytes
    answer: Answer
    asked: Asked = "all"

    @property
    def event(self) -> RunEvent:
        return events.read(self.body)

    @property
    def told_at(self) -> datetime | None:
        """When the event was told; None if it does not say, or says what cannot be."""
        event = self.event
        times = (event.occurred_at, event.finished_at)
        return next((time for time in times if time and time.year in YEARS), None)


@dataclass(frozen=True)
class Place:
    """Where the entry of an event is in a file, and what orders it: `number` is its line's."""

    at: datetime
    run_id: int
    offset: int
    number: int
    account_id: str
    event_id: str
    asked: Asked

    @property
    def key(self) -> tuple[str, str]:
        return self.account_id, self.event_id


@dataclass(frozen=True)
class History:
    """A file's entries in the order of their times; each is read when its turn comes."""

    path: Path
    places: tuple[Place, ...]

    @classmethod
    def of(cls, path: Path) -> Self:
        """The whole file, each line checked. Raises Mistake, which names file and line."""
        found: dict[tuple[str, str], Place] = {}
        for place, _ in _placed(path):
            found[place.key] = place
        ordered = sorted(found.values(), key=lambda each: (each.at, each.run_id, each.number))
        return cls(path, tuple(ordered))

    def since(self, at: datetime) -> "History":
        """The same without what was before."""
        return History(self.path, tuple(place for place in self.places if place.at >= at))

    def of_accounts(self, ids: Iterable[str]) -> "History":
        wanted = frozenset(ids)
        return History(self.path, tuple(p for p in self.places if p.account_id in wanted))

    def entries(self) -> Iterator[tuple[datetime, Entry]]:
        """Each entry with its time. Raises Mistake where the file is another one by now."""
        with _opened(self.path) as file:
            for place in self.places:
                file.seek(place.offset)
                yield place.at, parsed(file.readline(), f"{self.path}:{place.number}")


def line(entry: Entry) -> str:
    """The line of a file that keeps `entry`."""
    kept = {
        "version": VERSION,
        "event": json.loads(entry.body),
        "asked": entry.asked,
        "answer": _ANSWER.dump_python(entry.answer, mode="json", exclude_defaults=True),
    }
    # in ASCII: half a surrogate pair is JSON, but no text that can be written
    return json.dumps(kept)


def read(path: Path) -> Iterator[Entry]:
    """The entries of a file, one after the other. Raises Mistake, which names file and line."""
    return (entry for _, entry in _placed(path))


def write(path: Path, entries: Iterable[Entry]) -> int:
    """Keep `entries` in a file, as they come; how many there were. Raises Mistake."""
    count = 0
    try:
        with _private(path, os.O_TRUNC) as file:
            for entry in entries:
                file.write(line(entry).encode() + b"\n")
                count += 1
    except OSError as error:
        raise _unwritable(path, error) from None
    return count


class Keeping:
    """A file to which entries are added; what is there already stays.

    A last line that was cut short, by a full disk or a crash, is taken away. For one thread.
    """

    def __init__(self, path: Path) -> None:
        """Raises Mistake for a file that is no history, or cannot be written."""
        self.path = path
        self.asked: dict[tuple[str, str], Asked] = {}
        """What was asked about each event that is kept: see `Place.key`."""
        if path.exists():
            _end_with_a_line(path)
            self.asked = {place.key: place.asked for place, _ in _placed(path)}
        try:
            self._file = _private(path, os.O_APPEND)
        except OSError as error:
            raise _unwritable(path, error) from None

    def has(self, event: RunEvent, asked: Asked) -> bool:
        """Whether as much as `asked` is kept about this event."""
        known = self.asked.get((event.account_id, event.id))
        return known is not None and ASKED.index(known) >= ASKED.index(asked)

    def add(self, entry: Entry) -> None:
        """Keep it: it is in the file when this returns. Raises Mistake."""
        event = entry.event
        try:
            self._file.write(line(entry).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from None
        self.asked[event.account_id, event.id] = entry.asked

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _placed(path: Path) -> Iterator[tuple[Place, Entry]]:
    offset = 0
    with _opened(path) as file:
        for number, text in enumerate(file, 1):
            if text.strip():
                where = f"{path}:{number}"
                entry = parsed(text, where)
                yield _place(entry, offset, number, where), entry
            offset += len(text)


def _place(entry: Entry, offset: int, number: int, where: str) -> Place:
    event, at = entry.event, entry.told_at
    if at is None:
        raise Mistake(
            f"{where}: the event has no `timestamp` that can be, so that it has no place in time"
        )
    return Place(
        at, int(event.run_id), offset, number, event.account_id, event.id, asked=entry.asked
    )


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror}") from None


def _private(path: Path, flag: int) -> IO[bytes]:
    """Open to write, for its owner alone: errors of a warehouse may hold its data."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600), "wb")


def _end_with_a_line(path: Path) -> None:
    try:
        with path.open("r+b") as file:
            if file.read(len(_BEGINS)) != _BEGINS:
                # it may be something else: its first line will tell
                return
            end = whole = file.seek(0, os.SEEK_END)
            while whole:
                start = max(0, whole - 65_536)
                file.seek(start)
                found = file.read(whole - start).rfind(b"\n")
                if found >= 0:
                    whole = start + found + 1
                    break
                whole = start
            if whole < end:
                file.truncate(whole)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> Mistake:
    return Mistake(f"{path} cannot be written: {error.strerror}")


def parsed(text: bytes, where: str) -> Entry:
    """The entry that a line keeps; `where` it stands, for people. Raises Mistake."""
    try:
        kept = json.loads(text)
        if kept["version"] != VERSION:
            raise Mistake(f"{where}: of another version of afterrun; fetch the history anew")
        body = json.dumps(kept["event"]).encode()
        events.read(body)
        asked = kept.get("asked", "all")
        if asked not in ASKED:
            raise ValueError("asked")
        return Entry(body, _ANSWER.validate_python(kept["answer"]), asked)
    except UnreadableEvent as reason:
        raise Mistake(f"{where}: no event of a run: {reason}") from None
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError, RecursionError):
        raise Mistake(
            f"{where}: no line of a history; `afterrun backtest --save` writes one"
        ) from None
