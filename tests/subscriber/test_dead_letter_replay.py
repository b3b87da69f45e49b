"""What becomes of a dead letter, by what the ledger knows of the work it names."""

from datetime import timedelta
from typing import Any

import pytest

from subscriber.dead_letter import DeadLetter, Sort
from subscriber.dead_letter_replay import SETTLING, Outcome, replayed
from subscriber.ledger.contract import Kind, Work
from tests.builders import NOW

OLD, YOUNG = NOW - SETTLING, NOW - SETTLING + timedelta(seconds=1)
LEASED = NOW + timedelta(seconds=60)


def a_letter(sort: Sort = Sort.ACTION, **fields: Any) -> DeadLetter:
    told = {"id": "1", "published_at": OLD, "key": "k", "reason": "400", "attributes": {}}
    return DeadLetter(**{**told, "sort": sort, "size_bytes": 2, **fields})


def work(outcome: str = "", *, kind: Kind = Kind.ACTION, **fields: Any) -> Work:
    result = {"outcome": outcome} if outcome else {}
    told = {"key": "k", "body": {}, "recorded_at": NOW, "due_at": None, "attempts": 1}
    return Work(**{**told, "kind": kind, "result": result, **fields})


@pytest.mark.parametrize(
    ("letter", "given_up"),
    [
        (a_letter(), work("refused")),
        (a_letter(Sort.EVENT), work("given up", kind=Kind.EVENT)),
    ],
)
def test_what_was_given_up_for_good_is_reopened(letter: DeadLetter, given_up: Work) -> None:
    assert replayed(letter, given_up, NOW).outcome is Outcome.REOPENED


@pytest.mark.parametrize("outcome", ["delivered", "superseded"])
def test_what_was_settled_otherwise_meanwhile_is_not_done_again(outcome: str) -> None:
    result = replayed(a_letter(), work(outcome), NOW)

    assert result.outcome is Outcome.TAKEN
    assert result.reason == f"it was settled meanwhile: {outcome}"


def test_what_the_ledger_has_forgotten_stays_with_the_reason() -> None:
    result = replayed(a_letter(), None, NOW)

    assert result.outcome is Outcome.KEPT
    assert result.reason == (
        "the ledger knows no such action (any more: it keeps what is settled for 30 days)"
    )


def test_a_letter_that_names_work_of_another_kind_reopens_nothing() -> None:
    result = replayed(a_letter(), work("given up", kind=Kind.EVENT), NOW)

    assert result.outcome is Outcome.KEPT
    assert result.reason == "the ledger knows it as an event, not as an action"


def test_what_was_reopened_and_not_yet_tried_is_due_already() -> None:
    reopened = work("refused", due_at=NOW, attempts=0)

    assert replayed(a_letter(published_at=YOUNG), reopened, NOW).outcome is Outcome.TAKEN


def test_an_old_letter_of_work_that_is_due_has_nothing_more_to_say() -> None:
    assert replayed(a_letter(), work(due_at=LEASED), NOW).outcome is Outcome.TAKEN


def test_the_letter_of_a_refusal_that_is_just_being_settled_stays() -> None:
    result = replayed(a_letter(published_at=YOUNG), work(due_at=LEASED), NOW)

    assert result.outcome is Outcome.KEPT
    assert result.reason == (
        "it is being worked on; replay it again in 5 minutes if it is still here"
    )
