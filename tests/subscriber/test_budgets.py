"""Budgets: never more than the limit in any stretch of time, whoever takes."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriber.actions import WrittenByNewer
from subscriber.budgets import CONTENDED_WAIT, EXACT, take
from subscriber.ledger.contract import Change, Ledger
from subscriber.ledger.memory import MemoryLedger
from tests.builders import NOW

MINUTE = timedelta(minutes=1)


def take_at(
    ledger: Ledger, seconds: float, limit: int = 3, name: str = "oncall"
) -> datetime | None:
    return take(ledger, name, [(limit, MINUTE)], NOW + timedelta(seconds=seconds))


def test_what_fits_is_taken_and_what_does_not_is_told_when_it_will() -> None:
    ledger = MemoryLedger()

    assert [take_at(ledger, at) for at in (0, 10, 20)] == [None] * 3
    assert take_at(ledger, 30) == NOW + MINUTE


def test_there_is_room_again_when_it_said_there_would_be_and_not_before() -> None:
    ledger = MemoryLedger()
    for at in (0, 10, 20):
        take_at(ledger, at)

    assert take_at(ledger, 59.999999) == NOW + MINUTE
    assert take_at(ledger, 60) is None
    assert take_at(ledger, 60) == NOW + timedelta(seconds=70)


def test_a_budget_that_was_asked_in_vain_has_lost_nothing() -> None:
    ledger = MemoryLedger()
    for _ in range(3):
        take_at(ledger, 0)

    for at in range(1, 60):
        assert take_at(ledger, at) == NOW + MINUTE

    assert [take_at(ledger, 60) for _ in range(3)] == [None] * 3


def test_each_name_has_a_budget_of_its_own() -> None:
    ledger = MemoryLedger()
    for _ in range(3):
        take_at(ledger, 0)

    assert take_at(ledger, 0, name="data") is None


def test_a_limit_that_shrank_holds_at_once() -> None:
    ledger = MemoryLedger()
    for at in (0, 10, 20):
        take_at(ledger, at)

    assert take_at(ledger, 30, limit=1) == NOW + timedelta(seconds=80)


def test_many_at_once_take_exactly_what_there_is() -> None:
    ledger = MemoryLedger()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: take_at(ledger, 0, limit=25), range(100)))

    assert answers.count(None) == 25
    assert set(answers) == {None, NOW + MINUTE}


class Contended(MemoryLedger):
    """A ledger in which somebody else is always faster."""

    def decide(self, *_: object, **__: object) -> bool:
        return False


def test_where_others_are_always_faster_it_is_tried_a_moment_later() -> None:
    assert take_at(Contended(), 0) == NOW + CONTENDED_WAIT


def test_a_budget_of_a_newer_version_is_refused_and_not_misread() -> None:
    ledger = MemoryLedger()
    before = ledger.subjects(["budget/oncall"])[0]
    ledger.decide([Change(before, {"version": 2, "left": 7})], [])

    with pytest.raises(WrittenByNewer, match="written by a newer version"):
        take_at(ledger, 0)


@settings(deadline=None)
@given(
    limit=st.sampled_from([1, 2, 5, EXACT + 1, 1_000]),
    pauses=st.lists(st.floats(0, 20), max_size=15),
    each=st.integers(1, 30),
)
def test_no_stretch_of_time_sees_more_than_the_limit(
    limit: int, pauses: list[float], each: int
) -> None:
    ledger, at, taken = MemoryLedger(), 0.0, list[float]()
    for pause in pauses:
        at += pause
        taken += [at for _ in range(each) if take_at(ledger, at, limit) is None]

    assert all(sum(1 for t in taken if begin <= t < begin + 60) <= limit for begin in set(taken))


def test_what_is_kept_of_a_large_budget_stays_small() -> None:
    ledger = MemoryLedger()
    for number in range(2_000):
        assert take_at(ledger, number * 0.05, limit=1_000_000) is None

    kept = ledger.subjects(["budget/oncall"])[0].body

    assert len(kept["taken_us"]) <= 102
    assert len(json.dumps(kept)) < 5_000


@settings(deadline=None)
@given(pauses=st.lists(st.floats(0, 600), max_size=15), each=st.integers(1, 8))
def test_of_several_limits_each_holds_in_any_stretch_of_its_own(
    pauses: list[float], each: int
) -> None:
    ledger, at, taken = MemoryLedger(), 0.0, list[float]()
    paces = [(3, MINUTE), (7, timedelta(hours=1))]
    for pause in pauses:
        at += pause
        now = NOW + timedelta(seconds=at)
        taken += [at for _ in range(each) if take(ledger, "x", paces, now) is None]

    for limit, stretch in ((3, 60), (7, 3_600)):
        assert all(sum(b <= t < b + stretch for t in taken) <= limit for b in set(taken))


def test_of_several_limits_the_one_that_has_room_last_says_when() -> None:
    ledger, paces = MemoryLedger(), [(2, timedelta(hours=1)), (1, MINUTE)]

    assert take(ledger, "x", paces, NOW) is None
    assert take(ledger, "x", paces, NOW) == NOW + MINUTE
    assert take(ledger, "x", paces, NOW + MINUTE) is None
    assert take(ledger, "x", paces, NOW + 2 * MINUTE) == NOW + timedelta(hours=1)
