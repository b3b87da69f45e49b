"""What commands print: people's output on stdout, hints and progress on stderr, JSON with --json.

Colour and moving parts only on a terminal. Whatever others wrote is cleaned before it is shown: it
could otherwise move the cursor, or show a secret that a vendor repeated.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.settings import environment
from subscriber import durations
from subscriber.diagnosis import clean, visible

NARROW = 60  # columns; below it a table is shown as one block a row
_UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_WORD = re.compile(r"\s*(?:[^\s`]*`[^`]*`\S*|\S+)\s*")
"""A word; a command between backticks is one, as people copy it."""

HEAD_LIMIT = 12  # columns of a head that shares a line with its text on a narrow terminal

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


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read it has gone: `Commands` says with which code that ends, Rich would say 1."""
        raise BrokenPipeError


def console() -> Console:
    """Where results go. Made anew each time: a test, or a pipe, may have replaced the stream."""
    return _Screen(file=sys.stdout, highlight=False, markup=False, emoji=False)


def beside() -> Console:
    """Where all goes that is no result: hints, progress, failures."""
    return _Screen(file=sys.stderr, highlight=False, markup=False, emoji=False)


class Own(str):
    """Words of our own: what looks like a secret in them is a reference, `secret:NAME`."""

    __slots__ = ()


def shown(text: object) -> str:
    """`text` fit for a terminal, whoever wrote it."""
    return visible(text) if isinstance(text, Own) else clean(str(text))


def say(text: object = "", style: Style = "") -> None:
    """Lines of a result; wrapped at words to the width of the terminal."""
    _print_wrapped(console(), Text(shown(text), style=_STYLES[style]))


def spans(*parts: str | Cell, indent: int = 0) -> None:
    """One paragraph of a result, of parts in styles of their own; each of its lines is indented."""
    _paragraph(Text(" " * indent), _assembled(parts))


def whole(text: object, style: Style = "", indent: int = 0) -> None:
    """A line that is never broken, as people copy it: an address, a key."""
    console().print(Text(" " * indent + shown(text), style=_STYLES[style]), soft_wrap=True)


def line(*parts: str | Cell) -> None:
    """A line of a result, made of parts, each with a style of its own; it is not wrapped."""
    made = _assembled(parts, in_one_line=True)
    made.rstrip()
    console().print(made, soft_wrap=True)


def entry(head: Sequence[str | Cell], text: object, style: Style = "") -> None:
    """A text that begins behind `head` and goes on below itself. On a narrow terminal a long head
    has a line of its own.
    """
    before = _assembled(head, in_one_line=True)
    if console().width < NARROW and before.cell_len > HEAD_LIMIT:
        line(*head)
        before = Text("    ")
    _paragraph(before, Text(shown(text), style=_STYLES[style]))


def facts(rows: Iterable[tuple[str, str | Cell]]) -> None:
    """What is known of one thing: a label and a value each, the empty ones left out."""
    cells = [(label, v if isinstance(v, Cell) else Cell(v)) for label, v in rows]
    kept = [(label, cell) for label, cell in cells if cell.text]
    indent = max((len(label) for label, _ in kept), default=0) + 2
    for label, cell in kept:
        _paragraph(Text(label.ljust(indent), style="dim"), _text(cell, Column("")))


def _paragraph(head: Text, text: Text) -> None:
    """`text` behind `head`, wrapped at words; what is longer than a line stays whole."""
    out = console()
    indent = head.cell_len
    for number, row in enumerate(_wrapped(text, max(out.width - indent, NARROW // 3))):
        before = Text(" " * indent) if number else head
        made = before + row
        made.rstrip()
        out.print(made, soft_wrap=True)


def _print_wrapped(where: Console, text: Text) -> None:
    for row in _wrapped(text, where.width):
        where.print(row, soft_wrap=True)


def _wrapped(text: Text, width: int) -> Iterator[Text]:
    """The lines of `text`, broken between words only; Rich breaks or cuts a word that is longer."""
    for line in text.split("\n", allow_blank=True):
        breaks, used = [], 0
        for word in _WORD.finditer(line.plain):
            if used and used + cell_len(word[0].rstrip()) > width:
                breaks.append(word.start())
                used = 0
            used += cell_len(word[0])
        for row in line.divide(breaks):
            row.rstrip()
            yield row


def _assembled(parts: Iterable[str | Cell], *, in_one_line: bool = False) -> Text:
    cells = [each if isinstance(each, Cell) else Cell(each) for each in parts]
    return Text.assemble(
        *((_spaced(cell.text, in_one_line=in_one_line), _STYLES[cell.style]) for cell in cells)
    )


def _spaced(text: str, *, in_one_line: bool) -> str:
    """`text` fit for a terminal, with the spaces around it that align it."""
    inside = text.strip(" ")
    before, _, after = text.partition(inside) if inside else (text, "", "")
    said = f"{before}{shown(inside)}{after}"
    return said.replace("\n", " ") if in_one_line else said


def width() -> int | None:
    """How wide lines may be; None where nobody looks, and a program reads them."""
    is_seen = console().is_terminal or "COLUMNS" in environment()
    return console().width if is_seen else None


def sized(text: str, width: int) -> str:
    """`text` in exactly so many columns, whatever characters it has."""
    if cell_len(text) > width:
        text = set_cell_size(text, max(width - 1, 0)).rstrip() + "…"
    return set_cell_size(text, width)


def raw(text: str) -> None:
    """A result as it is, for files and other programs: neither wrapped nor coloured."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def data(value: object) -> None:
    """A result as JSON."""
    raw(_json(value, indent=2))


def data_line(value: object) -> None:
    """A result as JSON in one line, for programs that read as it comes."""
    raw(_json(value))
    sys.stdout.flush()


def hint(text: object) -> None:
    """What helps, but is not the result."""
    _print_wrapped(beside(), Text(shown(text), style="dim"))


def command(text: str) -> None:
    """A command that helps: on a line of its own and never broken, as people copy it."""
    beside().print(Text(f"  {shown(Own(text))}", style="dim"), soft_wrap=True)


def warn(text: object) -> None:
    _print_wrapped(beside(), Text(f"warning: {shown(text)}", style="yellow"))


def failed(text: object) -> None:
    """Why it ends here, and what to do; a line or several. It is ours: failures quote no secret."""
    err, said = beside(), Text("error: ", style="red bold") + Text(shown(Own(text)))
    if err.is_terminal:
        _print_wrapped(err, said)
    else:
        err.print(said, soft_wrap=True)


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show that something goes on, for as long as the block lasts; on a terminal only.

    What the block gets puts another text in the place of `text`.
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


def located(place: str, text: object, style: Style = "") -> None:
    """A line of a result that is about a place in a file, whole where another program reads it.

    It is ours: what a finding says of a secret is where it stands, never the secret.
    """
    out = console()
    line = Text(shown(Own(place)), style=_STYLES["strong"]) + Text(": " if place else "")
    said = Text(shown(Own(text)), style=_STYLES[style])
    out.print(line + said, soft_wrap=not out.is_terminal)


def question(text: str) -> None:
    """What is asked, wrapped at words; what is typed follows in the same line."""
    beside().print(Text(shown(Own(text.rstrip()))), end=" ")
    sys.stderr.flush()


def when(at: datetime | None) -> str:
    """A time for people, in UTC: what is written in logs and alerts reads the same everywhere."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def minute(at: datetime) -> str:
    """The same to the minute, where a table has no room for more."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def length(time: timedelta) -> str:
    """A duration for people, whichever way it goes: `3 d 4 h`, `12 min`, `45 s`."""
    return durations.said(abs(time))


def count(number: int, noun: str) -> str:
    """So many of something: `1 run`, `1,204 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def ago(at: datetime, now: datetime) -> str:
    """How long ago, or in how long."""
    said = length(now - at)
    return f"{said} ago" if at <= now else f"in {said}"


def _json(value: object, indent: int | None = None) -> str:
    """JSON as people read it; what a terminal would obey, or not show, is written as `\\uXXXX`."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=_plain)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
