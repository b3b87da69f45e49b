"""Showing the timeline: a line a moment, in 80 columns."""

from datetime import datetime

from rich.console import Console
from rich.table import Table
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
        self._console.print(
            _row(f"{seconds:.2f}", Text(moment.side, style=colour), Text(moment.what))
        )

    def act(self, title: str) -> None:
        """A heading between the moments."""
        self._console.print()
        self._console.print(Text(title, style="bold"))

    def proof(self, what: str, *, holds: bool) -> None:
        mark = Text("yes", style="green") if holds else Text("NO", style="bold red")
        row = Table.grid(padding=(0, 1))
        row.add_column(width=_TIME, justify="right")
        row.add_column(overflow="fold")
        row.add_row(mark, what)
        self._console.print(row)


def _row(time: str, side: Text, what: Text) -> Table:
    row = Table.grid(padding=(0, 1))
    row.add_column(width=_TIME, justify="right", style="dim")
    row.add_column(width=_SIDE)
    row.add_column(overflow="fold")
    row.add_row(time, side, what)
    return row
