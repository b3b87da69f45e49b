"""Showing the timeline: a line a moment, in 80 columns."""

from datetime import datetime

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lab.timeline import Moment

WIDTH = 80
_TIME, _SIDE = 6, 11

_COLOURS = {
    "dbt Cloud": "yellow",
    "Somebody": "red",
    "receiver": "cyan",
    "Pub/Sub": "blue",
    "subscriber": "green",
    "PagerDuty": "magenta",
    "Slack": "magenta",
    "Mode": "magenta",
    "Tableau": "magenta",
}


def console() -> Console:
    """Never wider than 80 columns, so that it reads the same in a log and on a screen."""
    screen = Console(highlight=False)
    return Console(highlight=False, width=min(WIDTH, screen.width) if screen.is_terminal else WIDTH)


class Shown:
    """Prints moments as they come, each with the seconds since the first."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: datetime | None = None

    def __call__(self, moment: Moment) -> None:
        if moment.facts.get("content") == "tick":
            return
        self._began = self._began or moment.at
        seconds = (moment.at - self._began).total_seconds()
        colour = _COLOURS.get(moment.side, "white")
        head = Text.assemble((f"{seconds:{_TIME}.2f} ", "dim"), (f"{moment.side:{_SIDE}} ", colour))
        self._print(head, moment.what)

    def act(self, title: str) -> None:
        """A heading between the moments."""
        self._console.print()
        self._print(Text(), title, style="bold")

    def proof(self, what: str, *, holds: bool) -> None:
        mark = ("yes", "green") if holds else ("NO", "bold red")
        self._print(Text.assemble(" " * (_TIME - len(mark[0])), mark, " "), what)

    def _print(self, head: Text, what: str, style: str = "") -> None:
        """`what` beside `head`; a word too long for that, such as a URL, has a line of its own.

        There it is whole, and can be clicked, if the console is as wide as that.
        """
        width, indent = self._console.width, head.cell_len
        lines = _lines(what, width - indent)
        if lines and cell_len(lines[0]) <= width - indent:
            head = head.append(lines.pop(0), style)
        head.rstrip()
        self._console.print(head)
        for line in lines:
            space = max(0, min(indent, width - cell_len(line)))
            self._console.print(Text(" " * space + line, style))


def _lines(what: str, width: int) -> list[str]:
    """The words of `what` in lines of at most `width` cells, but for words that are longer."""
    lines: list[str] = []
    for word in what.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
