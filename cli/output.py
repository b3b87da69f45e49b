"""What commands print: people's output on stdout, hints and progress on stderr, JSON with --json.

Colour and moving parts only on a terminal. Whatever others wrote is cleaned before it is shown: it
could otherwise move the cursor, or show a secret that a vendor repeated.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from subscriber.diagnosis import clean

NARROW = 60  # columns; below it a table is shown as one block a row

Style = Literal["", "good", "bad", "warn", "dim", "strong"]
_STYLES = {"": "", "good": "green", "bad": "red", "warn": "yellow", "dim": "dim", "strong": "bold"}


@dataclass(frozen=True)
class Column:
    """A column of a table. What is `whole` is never broken or cut: ids, which people copy."""

    title: str
    style: Style = ""
    right: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Cell:
    """A value in a table with a style of its own."""

    text: str
    style: Style = ""


def console() -> Console:
    """Where results go. Made anew each time: a test, or a pipe, may have replaced the stream."""
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def beside() -> Console:
    """Where all goes that is no result: hints, progress, failures."""
    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False)


def shown(text: object) -> str:
    """`text` fit for a terminal, whoever wrote it."""
    return clean(str(text))


def say(text: object = "", style: Style = "") -> None:
    """Lines of a result; wrapped at words to the width of the terminal."""
    console().print(Text(shown(text), style=_STYLES[style]))


def raw(text: str) -> None:
    """A result as it is, for files and other programs: neither wrapped nor coloured."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def data(value: object) -> None:
    """A result as JSON."""
    raw(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def hint(text: object) -> None:
    """What helps, but is not the result."""
    beside().print(Text(shown(text), style="dim"))


def warn(text: object) -> None:
    beside().print(Text(f"warning: {shown(text)}", style="yellow"))


def failed(text: object) -> None:
    """Why it ends here, and what to do; a line or several."""
    beside().print(Text("error: ", style="red bold") + Text(shown(text)), soft_wrap=True)


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show that something goes on, for as long as the block lasts; on a terminal only.

    The value replaces what is shown by another text.
    """
    err = beside()
    if not err.is_terminal:
        yield lambda _: None
        return
    with err.status(Text(text, style="dim")) as status:
        yield lambda other: status.update(Text(shown(other), style="dim"))


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]], *, empty: str = "None."
) -> None:
    """Rows under their titles; on a narrow terminal one block a row; `empty` if there are none."""
    cells = [[each if isinstance(each, Cell) else Cell(each) for each in row] for row in rows]
    out = console()
    if not cells:
        out.print(Text(empty, style="dim"))
    elif out.width < NARROW:
        for row in cells:
            for column, cell in zip(columns, row, strict=True):
                if cell.text:
                    out.print(Text(f"{column.title}: ", style="dim") + _text(cell, column))
            out.print()
    else:
        out.print(_table(columns, cells))


def _table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> Table:
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=column.whole,
            overflow="ignore" if column.whole else "fold",
        )
    for row in rows:
        made.add_row(*(_text(cell, column) for column, cell in zip(columns, row, strict=True)))
    return made


def _text(cell: Cell, column: Column) -> Text:
    return Text(shown(cell.text), style=_STYLES[cell.style or column.style])


def when(at: datetime | None) -> str:
    """A time for people, in UTC: what is written in logs and alerts reads the same everywhere."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def length(time: timedelta) -> str:
    """A duration for people, to two units: `3 d 4 h`, `12 min`, `45 s`."""
    seconds = int(abs(time.total_seconds()))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def ago(at: datetime, now: datetime) -> str:
    """How long ago, or in how long."""
    said = length(now - at)
    return f"{said} ago" if at <= now else f"in {said}"


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
