"""Events as rows: a line each, as wide as the terminal; below a row what waits or was refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cli import output
from cli.events.summary import GIVEN_UP, UNREADABLE, WAITS, Part, Summary
from cli.events.tellings import State, Telling
from cli.output import Cell, Style

TITLES = ("TIME (UTC)", "JOB / ENVIRONMENT", "RUN", "OUTCOME", "TOLD")
SHOWN = 3  # problems below a row
GAP = "  "
_TIME = len("01-05 12:00")
_JOB, _TOLD = 17, 26  # what is kept of each, if the others need the room
_JOB_TO_COME, _RUN_TO_COME = 30, 14
_ENVIRONMENT = 5  # and of an environment

_OUTCOMES: dict[str, Style] = {
    "failed": "bad",
    GIVEN_UP: "bad",
    UNREADABLE: "bad",
    WAITS: "warn",
    "warned": "warn",
    "succeeded": "good",
}
_STATES: dict[State, Style] = {
    State.REFUSED: "bad",
    State.FAILED: "bad",
    State.WAITS: "warn",
    State.RUNNING: "warn",
    State.SUPERSEDED: "dim",
    State.FORGOTTEN: "dim",
}


@dataclass(frozen=True)
class Widths:
    """How wide the columns are; `told` is None where the last one may be as long as it is."""

    job: int
    run: int
    outcome: int
    told: int | None

    @classmethod
    def of(cls, rows: Sequence[Summary], width: int | None, *, more_come: bool = False) -> "Widths":
        """What `rows` need, within `width`; None: nothing is cut. With `more_come`, others as well
        that nobody has seen yet.
        """
        job = max([len(each.place) for each in rows] + [_JOB_TO_COME if more_come else 0, _JOB])
        run = max([len(each.run) for each in rows] + [_RUN_TO_COME if more_come else len("RUN")])
        ended = max([len(each.outcome) for each in rows] + [len(TITLES[3])])
        needed = max([len(_plain(each)) for each in rows] + [_TOLD if more_come else 0])
        if width is None:
            return cls(job, run, ended, None)
        left = width - _TIME - run - ended - 4 * len(GAP)
        told = max(left - job, min(needed, _TOLD))
        return cls(max(min(job, left - told), _JOB), run, ended, told)


def _plain(summary: Summary) -> str:
    return ", ".join(map(str, summary.parts)) or summary.nothing


def style_of(state: State) -> Style:
    return _STATES.get(state, "")


def header(widths: Widths) -> None:
    time, job, run, ended, told = TITLES
    titles = (
        output.sized(time, _TIME),
        output.sized(job, widths.job),
        run.ljust(widths.run),
        ended.ljust(widths.outcome),
        told,
    )
    output.line(Cell(GAP.join(titles), "strong"))


def row(summary: Summary, widths: Widths, now: datetime) -> None:
    """A row, and below it what a person may have to look after."""
    output.line(
        Cell(f"{summary.life.work.recorded_at:%m-%d %H:%M}", "dim"),
        GAP + output.sized(_place(summary, widths.job), widths.job),
        GAP + summary.run.ljust(widths.run),
        Cell(GAP + summary.outcome.ljust(widths.outcome), _OUTCOMES.get(summary.outcome, "")),
        GAP,
        *_told(summary, widths.told),
    )
    _details(summary, " " * (_TIME + len(GAP)), now)


def block(summary: Summary, now: datetime) -> None:
    """The same where the terminal is narrow: a line for each part of it."""
    output.line(
        Cell(f"{summary.life.work.recorded_at:%m-%d %H:%M} ", "dim"),
        Cell(summary.outcome, _OUTCOMES.get(summary.outcome, "")),
        f" run {summary.run}" if summary.run else "",
    )
    if summary.place:
        output.entry((GAP,), summary.place)
    for part in summary.parts:
        output.entry((GAP,), str(part), style_of(part.state))
    if summary.nothing:
        output.entry((GAP,), summary.nothing, "dim")
    _details(summary, GAP * 2, now)


def _place(summary: Summary, width: int) -> str:
    """Job and environment; where there is no room for something of both, the job alone."""
    job, environment = summary.job, summary.environment
    over = len(summary.place) - width
    if over <= 0 or not environment:
        return summary.place
    kept = max(len(environment) - over, min(len(environment), _ENVIRONMENT))
    if len(job) > width - kept - len(" / "):
        return _cut(job, width)
    return f"{job} / {_cut(environment, kept)}"


def _told(summary: Summary, width: int | None) -> Iterator[Cell]:
    """What was told, the worst first; what there is no room for is counted."""
    if summary.nothing:
        yield Cell(summary.nothing if width is None else _cut(summary.nothing, width), "dim")
        return
    shown = _fitting(summary.parts, width)
    for index, part in enumerate(shown):
        text = str(part)
        if width is not None and len(shown) == 1:
            left = len(summary.parts) - 1
            text = _cut(text, width - (len(f", +{left}") if left else 0))
        yield Cell(f"{', ' if index else ''}{text}", style_of(part.state))
    if left := len(summary.parts) - len(shown):
        yield Cell(f", +{left}", "dim")


def _fitting(parts: Sequence[Part], width: int | None) -> Sequence[Part]:
    """As many of `parts` as fit, and one at the least."""
    for count in range(len(parts), 1, -1):
        left = len(parts) - count
        text = ", ".join(map(str, parts[:count])) + (f", +{left}" if left else "")
        if width is None or len(text) <= width:
            return parts[:count]
    return parts[:1]


def _details(summary: Summary, indent: str, now: datetime) -> None:
    work = summary.life.work
    reason = str(work.result.get("reason") or "")
    if not work.is_settled:
        since = f"waits since {_time(work.recorded_at, now)}, {_due(work.due_at, now)}"
        output.entry((indent,), f"{since}: {reason}" if reason else since, "warn")
    elif summary.outcome in (GIVEN_UP, UNREADABLE):
        output.entry((indent,), reason, "bad")
    problems = summary.problems
    for telling in problems[:SHOWN]:
        what = f"{telling.destination} {telling.verb}"
        output.entry((indent,), f"{what}: {why(telling, now)}", style_of(telling.state))
    if len(problems) > SHOWN:
        output.entry((indent,), f"and {len(problems) - SHOWN} more", "dim")


def why(telling: Telling, now: datetime) -> str:
    """Why it is not as it should be; of what waits since when, and until when."""
    if telling.state is not State.WAITS:
        return telling.reason or str(telling.state)
    since = f"waits since {_time(telling.since, now)}, {_due(telling.due_at, now)}"
    until = f", until {_time(telling.until, now)}" if telling.is_limited(now) else ""
    tried = f"; {times(telling.tried)}" if telling.attempts else ""
    return since + until + (f"{tried}: {telling.reason}" if telling.reason else tried)


def times(tried: int) -> str:
    return "tried once" if tried == 1 else f"tried {tried} times"


def _due(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return ""
    if due_at > now:
        return f"next {_time(due_at, now)}"
    return f"due since {_time(due_at, now)}"


def _time(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "?"
    is_today = at.date() == now.date()
    return f"{at:%H:%M:%S}" if is_today else f"{at:%m-%d %H:%M}"


def _cut(text: str, width: int) -> str:
    return output.sized(text, width).rstrip()
