"""Step logs: the lines that say what happened, out of what a failed step wrote.

Takes dbt Core's console, dbt Fusion's, git's and pip's. The forms are those in lab/samples and in
the issues of dbt-core and dbt-fusion.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

LOG_LINES = 50
LINE_LIMIT = 1_000  # characters

_PREFIX = re.compile(
    r"(?P<time>(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?Z?(?:[ \t]?\|)?(?:[ \t]{1,2}|$))?"
    r"(?P<level>\[(?:debug|info|warn|warning|error)[ ]*\]:?[ \t]?)?"
    r"(?P<thread>[\[(](?:MainThread|Thread-\d[^\])]{0,40}\)?)[\])]:?[ \t]?)?",
    re.IGNORECASE,
)
_PROGRESS = re.compile(
    r"Running with dbt|Registered adapter|Unable to do partial parsing|Found \d|Concurrency:"
    r"|Running \d+ on-run|\d+ of \d+ (?!ERROR|FAIL)(?-i:[A-Z])|Finished |Completed |Done\b|=={3}"
    r"|compiled code at|Building catalog|Catalog written"
    # Fusion
    r"|dbt-fusion |Loading |Loaded |Started |Succeeded \[|Passed \[|Skipped \[|Reused \[|Warned \["
    r"|Rendering \[|Removing "
    # git and packages
    r"|Cloning into|Successfully |Checking out |HEAD is now|remote: (?:Counting|Compressing"
    r"|Enumerating|Total)|Receiving objects|Resolving deltas|Updating |Installing |Installed "
    r"|Updated |Collecting |Downloading |Requirement already|Create profile from",
    re.IGNORECASE,
)
_ANNOUNCEMENT = re.compile(r"Encountered an error:$", re.IGNORECASE)
# one line for each failed node, while it runs: what went wrong is said further down
_FAILED_NODE = re.compile(r"\d+ of \d+ (?:ERROR|FAIL)|Failed \[", re.IGNORECASE)
_ERROR = re.compile(
    r"\b(?:errors?|failed|failure|fatal|exception|denied|refused|timed out|timeout|not found"
    r"|unable to|invalid)\b|\b(?:could|did|was|does) not\b|couldn't|cannot",
    re.IGNORECASE,
)
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)")


@dataclass(frozen=True)
class _Line:
    """A line of the log. `is_timed`: it begins something new, in a log that has times."""

    text: str
    level: str = ""
    is_timed: bool = False

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()

    @property
    def is_warning(self) -> bool:
        return self.level in ("warn", "warning") or self.text.lstrip().lower().startswith("warning")

    @property
    def is_progress(self) -> bool:
        is_said_so = self.level == "debug" or self.is_warning
        return is_said_so or _PROGRESS.match(self.text.lstrip()) is not None

    @property
    def is_failed_node(self) -> bool:
        return _FAILED_NODE.match(self.text.lstrip()) is not None


class _Above(Enum):
    """What the lines above a line were about."""

    AN_ERROR = auto()
    A_TRACE = auto()
    A_WARNING = auto()
    SOMETHING_ELSE = auto()


def excerpt(log: str) -> str:
    """The lines of a failed step's `log` that say what happened; at most LOG_LINES and one more.

    `log` is plain text. Without progress, times and names of threads. Where no line speaks of an
    error, the last lines. Of too many, the first and the last, with how many were left out.
    """
    lines = [_line(line) for line in log.split("\n")]
    found = (
        list(_errors(lines))
        or [line for line in _told(lines) if _FAILED_NODE.match(line.lstrip())]
        or list(_told(lines))[-LOG_LINES:]
        or [line.text for line in lines if not line.is_blank][-LOG_LINES:]
    )
    return "\n".join(_bounded([line[:LINE_LIMIT].rstrip() for line in found]))


def _line(line: str) -> _Line:
    prefix = _PREFIX.match(line)
    if prefix is None or not prefix.end():
        return _Line(line)
    level = (prefix["level"] or "").strip(" \t:[]").lower()
    return _Line(line[prefix.end() :], level, is_timed=prefix["time"] is not None)


def _told(lines: Iterable[_Line]) -> Iterator[str]:
    """What is neither progress nor blank."""
    return (line.text for line in lines if not line.is_blank and not line.is_progress)


def _errors(lines: Sequence[_Line]) -> Iterator[str]:
    """Each line that speaks of an error, and those that go on with it.

    In a log with times, what has none goes on with the line above. In others, whatever is no
    progress goes on with the error above.
    """
    has_times = any(line.is_timed for line in lines)
    above = _Above.SOMETHING_ELSE
    for line in lines:
        begins = line.is_timed or not has_times
        if line.is_blank:
            if line.is_timed:
                above = _Above.SOMETHING_ELSE
        elif begins and (line.is_progress or line.is_failed_node):
            above = _Above.A_WARNING if line.is_warning else _Above.SOMETHING_ELSE
        elif _ANNOUNCEMENT.match(line.text.strip()):
            above = _Above.AN_ERROR
        elif _TRACEBACK.match(line.text.lstrip()):
            above = _Above.A_TRACE
        elif above is _Above.A_TRACE and line.text[:1].isspace():
            # frames say nothing to people, the line below them does
            continue
        elif above is _Above.A_WARNING and not begins:
            continue
        elif (
            above in (_Above.AN_ERROR, _Above.A_TRACE)
            or line.level == "error"
            or _ERROR.search(line.text)
        ):
            above = _Above.AN_ERROR
            yield line.text


def _bounded(lines: list[str]) -> list[str]:
    if len(lines) <= LOG_LINES:
        return lines
    half = LOG_LINES // 2
    return [*lines[:half], f"({len(lines) - 2 * half} lines left out)", *lines[-half:]]
