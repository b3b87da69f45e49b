"""Played: what a configuration would have made of past runs, and what there is to count. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from subscriber.actions import Verb


@dataclass(frozen=True)
class Line:
    """One thing that would have been told. `key` is the action's, the same whatever it says;
    `problem` names the episode that it is of, if it is of one; `said` is all of what it says.
    """

    at: datetime
    key: str
    destination: str
    verb: Verb
    headline: str
    problem: str = ""
    said: str = ""


@dataclass
class Fired:
    """Of how many events a rule matched, and why it did not match the others."""

    matched: int = 0
    misses: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Problem:
    """A problem from when it was first told to when its end was, at whichever destinations."""

    headline: str
    opened_at: datetime
    closed_at: datetime | None
    destinations: tuple[str, ...]
    told: int

    def length(self, now: datetime) -> timedelta:
        return (self.closed_at or now) - self.opened_at


@dataclass(frozen=True)
class Played:
    """`lines` in their order; `rules` by name, in the configuration's order. `ended` counts events
    by how their run ended; `lacking` those of which rules want to know more than is kept.
    """

    since: datetime
    until: datetime
    lines: Sequence[Line]
    rules: Mapping[str, Fired]
    ended: Mapping[str, int]
    jobs: int
    destinations: Sequence[str]
    lacking: int = 0

    @property
    def events(self) -> int:
        return sum(self.ended.values())

    def totals(self) -> dict[str, Counter[Verb]]:
        """How often each destination would have been told what; all of them, the busiest first."""
        found: dict[str, Counter[Verb]] = {name: Counter() for name in self.destinations}
        for line in self.lines:
            found.setdefault(line.destination, Counter())[line.verb] += 1
        return dict(sorted(found.items(), key=lambda item: -item[1].total()))

    def days(self) -> list[date]:
        """Every day (UTC) that is touched."""
        first, last = self.since.date(), self.until.date()
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def each_day(self, destination: str) -> list[int]:
        """How often a destination would have been told something, for each of `days`."""
        found = Counter(line.at.date() for line in self.lines if line.destination == destination)
        return [found[day] for day in self.days()]

    def silent_rules(self) -> dict[str, Fired]:
        """The rules that matched no event."""
        return {name: fired for name, fired in self.rules.items() if not fired.matched}

    def problems(self) -> list[Problem]:
        """Every problem that was told, in the order in which they began."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.problem:
                found.setdefault(line.problem, []).append(line)
        return [_problem(lines) for lines in found.values()]

    def open_problems(self) -> list[Problem]:
        """Those that were not over in the end, the longest first."""
        found = [each for each in self.problems() if each.closed_at is None]
        return sorted(found, key=lambda each: each.opened_at)

    def longest(self, count: int) -> list[Problem]:
        """The longest ones, those that are still open included."""
        by_length = sorted(self.problems(), key=lambda each: -each.length(self.until))
        return by_length[:count]


def _problem(lines: Sequence[Line]) -> Problem:
    left = {line.destination for line in lines} - {
        line.destination for line in lines if line.verb is Verb.CLOSE
    }
    return Problem(
        headline=lines[0].headline,
        opened_at=lines[0].at,
        closed_at=None if left else lines[-1].at,
        destinations=tuple(dict.fromkeys(line.destination for line in lines)),
        told=len(lines),
    )


@dataclass(frozen=True)
class Changed:
    """One line under both configurations."""

    before: Line
    now: Line


@dataclass(frozen=True)
class Difference:
    """What one configuration would have told and the other not, on the same runs."""

    gone: Sequence[Line]
    new: Sequence[Line]
    changed: Sequence[Changed]
    gone_destinations: Sequence[str]
    new_destinations: Sequence[str]

    def in_order(self) -> list[Line | Changed]:
        """All of it in the order of time; what is gone before what is new."""
        everything: list[Line | Changed] = [*self.gone, *self.new, *self.changed]
        return sorted(everything, key=_at)


def difference(before: Played, now: Played) -> Difference:
    """What differs for whoever is told: not whether another run had opened the same alert."""
    was, is_ = _by_key(before.lines), _by_key(now.lines)
    pairs = [(line, is_[key]) for key, line in was.items() if key in is_]
    gone = [line for key, line in was.items() if key not in is_]
    new = [line for key, line in is_.items() if key not in was]
    same = Counter(map(_told, gone)) & Counter(map(_told, new))
    return Difference(
        gone=_without(gone, same),
        new=_without(new, same),
        changed=[Changed(*pair) for pair in pairs if pair[0] != pair[1]],
        gone_destinations=[each for each in before.destinations if each not in now.destinations],
        new_destinations=[each for each in now.destinations if each not in before.destinations],
    )


def _by_key(lines: Iterable[Line]) -> dict[str, Line]:
    return {line.key: line for line in lines}


def _told(line: Line) -> tuple[object, ...]:
    return line.at, line.destination, line.verb, line.headline


def _without(lines: Iterable[Line], told: Counter[tuple[object, ...]]) -> list[Line]:
    """`lines` without those that are counted in `told`, each as often as it is."""
    left, kept = Counter(told), []
    for line in lines:
        if left[_told(line)]:
            left[_told(line)] -= 1
        else:
            kept.append(line)
    return kept


def _at(each: Line | Changed) -> datetime:
    return each.now.at if isinstance(each, Changed) else each.at
