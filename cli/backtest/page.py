"""What a backtest found, as people read it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from cli import output
from cli.backtest.bars import bars, gathered
from cli.backtest.played import Changed, Difference, Fired, Line, Played, Problem
from cli.output import Cell, Column, Style
from subscriber.actions import Verb

HEADLINE = 90  # characters; more of them is in --json
LONGEST = 3
OPEN_LIMIT = 10
MISSES = 3

_STYLES: Mapping[Verb, Style] = {
    Verb.OPEN: "bad",
    Verb.UPDATE: "warn",
    Verb.REMIND: "warn",
    Verb.CLOSE: "good",
}
_SIGNS = {"-": Cell("-", "bad"), "+": Cell("+", "good"), "~": Cell("~", "warn")}
_TIME = Column("time (UTC)", whole=True)
_TOLD = (_TIME, Column("to"), Column("verb", whole=True), Column("what"))


def show(played: Played, limit: int) -> None:
    """What would have been told, at most `limit` lines of it, and then what there is to count."""
    if not played.lines:
        output.say()
        output.say("Nobody would have been told anything.")
    else:
        if limit:
            _heading("Who would have been told what")
            rows = _together([("", line) for line in played.lines])
            output.table(_TOLD, [_row(lines) for _, lines in rows[:limit]])
            _more(len(rows) - limit)
        _heading("How often")
        _totals(played)
        _heading(f"Each day, {_days(played.days())}")
        _each_day(played)
    show_rules(played)
    _problems(played)


def show_difference(before: Played, now: Played, found: Difference, limit: int, name: str) -> None:
    """What is otherwise than under the configuration called `name`, at most `limit` lines of it."""
    for names, what in ((found.gone_destinations, "only in"), (found.new_destinations, "not in")):
        if names:
            output.say(f"Destinations {what} {name}: {', '.join(names)}")
    if not (found.gone or found.new or found.changed):
        output.say()
        output.say(f"Nothing differs: {name} would have told the same at the same times.")
    else:
        _heading(f"How often, {name} -> now")
        _totals_beside(before, now)
        _heading(f"Each day, {_days(now.days())}")
        _each_day_beside(before, now, name)
        if limit:
            _heading("What would have been told otherwise")
            output.say(f"- only under {name}   + only now   ~ changed", "dim")
            rows = _together(_signed(found))
            columns = (Column("", whole=True), *_TOLD)
            output.table(columns, [[_SIGNS[sign], *_row(each)] for sign, each in rows[:limit]])
            _more(len(rows) - limit)
    show_rules(now)


def _heading(text: str) -> None:
    output.say()
    output.say(text, "strong")


def _more(count: int) -> None:
    if count > 0:
        output.say(f"... and {count:,} more; --show N shows more of them, --json all", "dim")


def _together(signed: Sequence[tuple[str, Line]]) -> list[tuple[str, list[Line]]]:
    """Lines that tell the same at the same time, of which only the destinations differ."""
    found: dict[tuple[object, ...], list[Line]] = {}
    for sign, line in signed:
        shown = line.headline if sign == "~" else _cut(line.headline)
        found.setdefault((sign, line.at, line.verb, shown), []).append(
            replace(line, headline=shown)
        )
    return [(str(key[0]), lines) for key, lines in found.items()]


def _row(lines: Sequence[Line]) -> list[str | Cell]:
    verb = Cell(str(lines[0].verb), _STYLES.get(lines[0].verb, ""))
    to = ", ".join(dict.fromkeys(line.destination for line in lines))
    return [output.minute(lines[0].at), to, verb, lines[0].headline]


def _signed(found: Difference) -> list[tuple[str, Line]]:
    """Each line with its sign, one that has changed with how it was before."""
    gone = frozenset(line.key for line in found.gone)
    signed = []
    for each in found.in_order():
        if isinstance(each, Changed):
            signed.append(("~", replace(each.now, headline=_change(each))))
        else:
            signed.append(("-" if each.key in gone else "+", each))
    return signed


def _change(each: Changed) -> str:
    said = []
    if each.before.at != each.now.at:
        said.append(f"instead of {output.minute(each.before.at)}")
    if each.before.headline != each.now.headline:
        said.append(f"instead of: {_cut(each.before.headline)}")
    elif each.before.said != each.now.said:
        said.append("the text below the headline")
    return f"{_cut(each.now.headline)} ({'; '.join(said)})"


def _verbs(*played: Played) -> list[Verb]:
    told = {line.verb for each in played for line in each.lines}
    return [verb for verb in Verb if verb in told]


def _totals(played: Played) -> None:
    verbs = _verbs(played)
    columns = [Column("destination"), *(Column(str(verb), right=True) for verb in verbs)]
    rows = [
        [name, *(_count(counts[verb]) for verb in verbs), f"{counts.total():,}"]
        for name, counts in played.totals().items()
    ]
    output.table([*columns, Column("all", right=True)], rows)


def _totals_beside(before: Played, now: Played) -> None:
    was, is_ = before.totals(), now.totals()
    verbs = _verbs(before, now)
    columns = [Column("destination"), *(Column(str(verb), right=True) for verb in verbs)]
    rows = []
    for name in dict.fromkeys((*is_, *was)):
        pairs = [
            (was[name][verb] if name in was else 0, is_[name][verb] if name in is_ else 0)
            for verb in verbs
        ]
        both = (sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs))
        rows.append([name, *map(_beside, pairs), _beside(both) or "0"])
    output.table([*columns, Column("all", right=True)], rows)


def _beside(pair: tuple[int, int]) -> str | Cell:
    before, now = pair
    if before == now:
        return _count(now)
    return Cell(f"{before:,} -> {now:,}", "good" if now < before else "warn")


def _each_day(played: Played) -> None:
    days = played.days()
    rows = []
    for name, counts in played.totals().items():
        if counts.total():
            each = played.each_day(name)
            rows.append([name, _bars(each, max(each)), _most(each, days)])
    output.table(_day_columns(len(days)), rows)


def _each_day_beside(before: Played, now: Played, name: str) -> None:
    days = now.days()
    rows: list[list[str]] = []
    for destination in dict.fromkeys((*now.totals(), *before.totals())):
        was, is_ = before.each_day(destination), now.each_day(destination)
        highest = max(*was, *is_)
        if highest:
            rows.append([destination, name, _bars(was, highest), _most(was, days)])
            rows.append([destination, "now", _bars(is_, highest), _most(is_, days)])
    first, *others = _day_columns(len(days))
    output.table([first, Column("under"), *others], rows)


def _day_columns(days: int) -> list[Column]:
    _, size = gathered([0] * days)
    title = "told" if size == 1 else f"told ({size} days a bar)"
    return [Column("destination"), Column(title, whole=True), Column("most in a day")]


def _bars(counts: Sequence[int], highest: int) -> str:
    sums, size = gathered(counts)
    encoding = (output.console().encoding or "").lower()
    return bars(sums, max(sums) if size > 1 else highest, plain=not encoding.startswith("utf"))


def _most(counts: Sequence[int], days: Sequence[date]) -> str:
    most = max(counts)
    return f"{most:,} on {_day(days[counts.index(most)])}" if most else ""


def show_rules(played: Played) -> None:
    silent = played.silent_rules()
    if not silent:
        output.say()
        output.say("Every rule matched at least once.")
        return
    _heading("Rules that matched nothing, and why they did not")
    output.table(
        (Column("rule"), Column("because (events)")),
        [[name, _misses(fired)] for name, fired in silent.items()],
    )


def _misses(fired: Fired) -> str:
    most = [f"{reason} ({count:,})" for reason, count in fired.misses.most_common(MISSES)]
    return "; ".join(most) or "no event was looked at"


def _problems(played: Played) -> None:
    longest = played.longest(LONGEST)
    if not longest:
        return
    _heading("The longest problems")
    output.table(_PROBLEM, [_problem(each, played.until) for each in longest])
    still_open = played.open_problems()
    if not still_open:
        output.say()
        output.say("No problem was open at the end.")
        return
    _heading(f"Open at the end: {len(still_open):,}")
    rows = [_problem(each, played.until) for each in still_open[:OPEN_LIMIT]]
    output.table(_PROBLEM, rows)
    if len(still_open) > OPEN_LIMIT:
        output.say(f"... and {len(still_open) - OPEN_LIMIT:,} more; --json has all", "dim")


_PROBLEM = (
    Column("since (UTC)", whole=True),
    Column("for", right=True),
    Column("told", right=True),
    Column("what"),
)


def _problem(each: Problem, until: datetime) -> list[str | Cell]:
    length = output.length(each.length(until))
    is_open = each.closed_at is None
    return [
        output.minute(each.opened_at),
        Cell(f"{length}, open" if is_open else length, "bad" if is_open else ""),
        f"{each.told:,}",
        _cut(each.headline),
    ]


def _cut(headline: str, limit: int = HEADLINE) -> str:
    return headline if len(headline) <= limit else f"{headline[: limit - 1].rstrip()}…"


def _count(count: int) -> str:
    return f"{count:,}" if count else ""


def _days(days: Sequence[date]) -> str:
    return f"{_day(days[0])} to {_day(days[-1])}" if len(days) > 1 else _day(days[0])


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"
