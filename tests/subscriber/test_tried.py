"""What was tried: kept for people within bounds, and enough to know what may have arrived."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.ledger.contract import RESULT_LIMIT_BYTES, Kind, Work
from subscriber.ledger.entry import Entry
from subscriber.tried import SHOWN, Outcome, Tried
from tests.builders import NOW


def claimed(attempt: int = 1, **result: Any) -> Work:
    return Work("key", Kind.ACTION, {}, NOW, NOW, attempts=attempt, result=result)


def test_each_attempt_is_kept_with_what_came_of_it() -> None:
    tried = Tried().and_now(NOW, Outcome.NOT_YET, "busy").and_now(NOW, Outcome.DELIVERED)

    assert tried.told_at_last()["attempts"] == [
        {"at": NOW.isoformat(), "outcome": "not yet", "reason": "busy"},
        {"at": NOW.isoformat(), "outcome": "delivered", "reason": ""},
    ]


def test_of_many_attempts_the_first_and_the_last_are_kept() -> None:
    tried = Tried()
    for number in range(1, 101):
        tried = tried.and_now(NOW, Outcome.NOT_YET, str(number))

    kept = [attempt["reason"] for attempt in tried.attempts]
    assert kept == ["1", *(str(number) for number in range(82, 101))]
    assert len(kept) == SHOWN


@given(st.lists(st.text(max_size=2_000), max_size=30))
def test_whatever_the_reasons_they_fit_the_ledger(reasons: list[str]) -> None:
    tried = Tried()
    for reason in reasons:
        tried = tried.and_now(NOW, Outcome.NOT_YET, reason * 10)

    assert len(tried.attempts) <= SHOWN
    assert len(Entry.of(claimed(**tried.told())).result) < RESULT_LIMIT_BYTES / 2


def test_a_first_attempt_has_nothing_that_may_have_arrived() -> None:
    assert not Tried.before(claimed(attempt=1)).may_have_arrived


def test_attempts_that_are_known_to_have_failed_have_not_arrived() -> None:
    before = Tried().and_lost().and_lost()

    assert not Tried.before(claimed(attempt=3, **before.told())).may_have_arrived


def test_an_attempt_that_said_nothing_may_have_arrived() -> None:
    before = Tried().and_lost()

    assert Tried.before(claimed(attempt=3, **before.told())).may_have_arrived


def test_an_attempt_that_nobody_answered_may_have_arrived_for_ever_after() -> None:
    before = Tried().and_perhaps_arrived().and_lost().and_lost()

    assert Tried.before(claimed(attempt=4, **before.told())).may_have_arrived


@pytest.mark.parametrize("tried", [Tried().and_lost(), Tried().and_perhaps_arrived()])
def test_a_replay_counts_attempts_anew_and_knows_what_may_have_arrived(tried: Tried) -> None:
    replayed = claimed(attempt=1, **tried.told_at_last())
    once_more = claimed(attempt=2, **tried.told_at_last())

    assert Tried.before(replayed).may_have_arrived is tried.may_have_arrived
    assert Tried.before(once_more).may_have_arrived


def test_what_was_delivered_has_arrived() -> None:
    assert Tried.before(claimed(attempt=1, outcome="delivered")).may_have_arrived


def test_exactly_as_many_attempts_as_are_shown_are_all_kept():
    tried = Tried()
    for n in range(SHOWN):
        tried = tried.and_now(NOW + timedelta(minutes=n), Outcome.NOT_YET, str(n))

    assert [each["reason"] for each in tried.attempts] == [str(n) for n in range(SHOWN)]
