"""History: what dbt Cloud told of runs, and answered about them, kept as a file of JSON lines.

A line holds one event as the webhook sends it, and the answer as the service reads it; so that
decisions can be tried offline, as often as wanted.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shared import event as events
from shared.errors import Mistake
from shared.event import RunEvent, UnreadableEvent
from subscriber.run import Answer

VERSION = 1

_ANSWER = TypeAdapter(Answer)


@dataclass(frozen=True)
class Entry:
    """`body` is the webhook's body. `answer` is what dbt Cloud knows of the run in the end."""

    body: bytes
    answer: Answer

    @property
    def event(self) -> RunEvent:
        return events.read(self.body)


def line(entry: Entry) -> str:
    """The line of a file that keeps `entry`."""
    kept = {
        "version": VERSION,
        "event": json.loads(entry.body),
        "answer": _ANSWER.dump_python(entry.answer, mode="json", exclude_defaults=True),
    }
    return json.dumps(kept, ensure_ascii=False)


def read(path: Path) -> Iterator[Entry]:
    """The entries of a file, one after the other. Raises Mistake, which names file and line."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield parsed(text, f"{path}:{number}")
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Mistake(f"{path}: not UTF-8 text") from None


def write(path: Path, entries: Iterable[Entry]) -> int:
    """Keep `entries` in a file, as they come; how many there were. Raises Mistake."""
    count = 0
    try:
        with path.open("w", encoding="utf-8") as file:
            for entry in entries:
                file.write(line(entry) + "\n")
                count += 1
    except OSError as error:
        raise Mistake(f"{path} cannot be written: {error.strerror}") from None
    return count


def parsed(text: str, place: str) -> Entry:
    """The entry that `text`, a line of a history, keeps; `place` is where it stands, for people.

    Raises Mistake.
    """
    try:
        kept = json.loads(text)
        if kept["version"] != VERSION:
            raise Mistake(f"{place}: of another version of afterrun; fetch the history anew")
        body = json.dumps(kept["event"]).encode()
        events.read(body)
        return Entry(body, _ANSWER.validate_python(kept["answer"]))
    except UnreadableEvent as reason:
        raise Mistake(f"{place}: no event of a run: {reason}") from None
    except (ValueError, KeyError, TypeError, ValidationError, RecursionError):
        raise Mistake(
            f"{place}: no line of a history; `afterrun backtest --save` writes one"
        ) from None
