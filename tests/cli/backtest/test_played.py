"""What can be counted in what was played, and how numbers become bars."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cli.backtest.bars import bars, gathered
from cli.backtest.played import Fired, Line, Played, difference
from subscriber.actions import Verb

AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_line(hour: float, verb: Verb, problem: str = "p", to: str = "oncall", said: str = "") -> Line:
    key = f"{problem}/{to}/{verb}/{hour}"
    at = AT + hour * HOUR
    headline = f"{problem} {verb}"
    is_of_a_problem = verb not in (Verb.TELL, Verb.REFRESH)
    return Line(at, key, to, verb, headline, problem if is_of_a_problem else "", said)


def played(*lines: Line, until: float = 48, destinations: tuple[str, ...] = ("oncall",)) -> Played:
    return Played(AT, AT + until * HOUR, lines, {}, {"failed": 1}, 1, destinations)


def test_totals_name_every_destination_the_busiest_first() -> None:
    found = played(a_line(0, Verb.OPEN, to="b"), destinations=("a", "b")).totals()

    assert list(found) == ["b", "a"]
    assert (found["b"][Verb.OPEN], found["a"].total()) == (1, 0)


def test_every_day_that_is_touched_counts_in_utc() -> None:
    found = played(a_line(0, Verb.OPEN), a_line(1, Verb.UPDATE), a_line(2, Verb.CLOSE), until=26)

    assert [str(day) for day in found.days()] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert found.each_day("oncall") == [1, 2, 0]


def test_a_problem_lasts_until_the_last_destination_heard_of_its_end() -> None:
    lines = [a_line(0, Verb.OPEN), a_line(1, Verb.OPEN, to="team"), a_line(2, Verb.CLOSE)]
    half, whole = played(*lines), played(*lines, a_line(3, Verb.CLOSE, to="team"))

    assert [each.closed_at for each in half.problems()] == [None]
    assert half.open_problems()[0].length(half.until) == 48 * HOUR
    (problem,) = whole.problems()
    assert (problem.closed_at, problem.length(whole.until)) == (AT + 3 * HOUR, 3 * HOUR)
    assert problem.destinations == ("oncall", "team")
    assert (problem.told, whole.open_problems()) == (4, [])


def test_the_longest_problem_comes_first_open_or_not() -> None:
    found = played(
        a_line(0, Verb.OPEN, "short"),
        a_line(1, Verb.CLOSE, "short"),
        a_line(10, Verb.OPEN, "long"),
        a_line(46, Verb.OPEN, "open"),
    )

    assert [each.headline for each in found.longest(2)] == ["long open", "open open"]


def test_what_is_told_once_is_no_problem() -> None:
    assert played(a_line(0, Verb.TELL), a_line(1, Verb.REFRESH)).problems() == []


def test_rules_that_matched_nothing_are_known() -> None:
    rules = {"one": Fired(matched=3), "two": Fired()}
    found = Played(AT, AT, [], rules, {}, 0, ())

    assert list(found.silent_rules()) == ["two"]


def test_a_difference_is_what_is_gone_new_or_changed() -> None:
    same, gone, new = a_line(0, Verb.OPEN), a_line(1, Verb.UPDATE), a_line(2, Verb.CLOSE)
    before, after = a_line(3, Verb.TELL, said="a"), a_line(3, Verb.TELL, said="b")

    found = difference(
        played(same, gone, before, destinations=("oncall", "phone")),
        played(same, new, after, destinations=("oncall", "team")),
    )

    assert (found.gone, found.new) == ([gone], [new])
    assert [(each.before, each.now) for each in found.changed] == [(before, after)]
    assert (found.gone_destinations, found.new_destinations) == (["phone"], ["team"])
    assert [each if isinstance(each, Line) else each.now for each in found.in_order()] == [
        gone,
        new,
        after,
    ]


def test_another_run_that_opened_the_alert_is_no_difference_to_whoever_is_told() -> None:
    one, other = a_line(2, Verb.CLOSE), a_line(2, Verb.CLOSE)
    other = replace(other, key="opened by another run")

    found = difference(played(one, one), played(other))
    twice = difference(played(one), played(other, replace(other, key="and another")))

    assert (found.gone, found.new) == ([], [])
    assert (twice.gone, len(twice.new)) == ([], 1)


def test_what_is_the_same_does_not_differ() -> None:
    found = difference(played(a_line(0, Verb.OPEN)), played(a_line(0, Verb.OPEN)))

    assert (found.gone, found.new, found.changed) == ([], [], [])


@pytest.mark.parametrize(
    ("counts", "shown", "plain"),
    [
        ([0, 1, 8], "·▁█", ".18"),
        ([0, 1, 4, 8], "·▁▄█", ".148"),
        ([1, 1000], "▁█", "19"),
        ([0, 0], "··", ".."),
        ([], "", ""),
    ],
)
def test_whatever_happened_has_a_bar_and_only_that(
    counts: list[int], shown: str, plain: str
) -> None:
    highest = max(counts, default=0)

    assert bars(counts, highest) == shown
    assert bars(counts, highest, plain=True) == plain


def test_many_days_are_gathered_into_fewer_bars() -> None:
    assert gathered([1] * 45) == ([1] * 45, 1)
    assert gathered([1] * 46) == ([2] * 23, 2)
    assert sum(gathered(list(range(1_000)))[0]) == sum(range(1_000))
    assert len(gathered([1] * 1_000)[0]) <= 45
