"""Superseding: its table, row by row."""

from typing import Any

import pytest

from subscriber.actions import Action, Verb
from subscriber.destination import Does
from subscriber.ledger.contract import Kind, Work
from subscriber.superseding import as_it_goes_out, counterpart
from tests.builders import NOW, a_told, an_action

OPEN = an_action(Verb.OPEN)
CLOSE = an_action(Verb.CLOSE, message=a_told(headline="Daily build recovered", text="in run 101"))


def recorded(action: Action, **result: Any) -> Work:
    return Work(action.key, Kind.ACTION, action.body(), NOW, NOW, result=result)


def an_overtaken_open(**result: Any) -> Work:
    return recorded(OPEN, outcome="superseded", **result)


def test_an_open_and_its_close_depend_on_each_other() -> None:
    assert counterpart(OPEN) == CLOSE.key
    assert counterpart(CLOSE) == OPEN.key


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.REMIND])
def test_what_comes_between_depends_on_the_open(verb: Verb) -> None:
    assert counterpart(an_action(verb)) == OPEN.key


@pytest.mark.parametrize("verb", [Verb.TELL, Verb.REFRESH])
def test_what_has_no_episode_depends_on_nothing(verb: Verb) -> None:
    assert counterpart(an_action(verb)) is None


def test_an_open_whose_close_is_recorded_is_superseded() -> None:
    assert as_it_goes_out(OPEN, recorded(CLOSE), Does.ALERT) is None


@pytest.mark.parametrize("does", [Does.ALERT, Does.TELL, None])
def test_an_open_whose_close_is_not_recorded_goes_out(does: Does | None) -> None:
    assert as_it_goes_out(OPEN, None, does) is OPEN


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.REMIND])
def test_what_comes_between_is_superseded_with_its_open(verb: Verb) -> None:
    assert as_it_goes_out(an_action(verb), an_overtaken_open(), Does.TELL) is None


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.REMIND, Verb.CLOSE])
@pytest.mark.parametrize("outcome", ["delivered", "refused"])
def test_what_follows_any_other_open_goes_out(verb: Verb, outcome: str) -> None:
    action = an_action(verb)

    assert as_it_goes_out(action, recorded(OPEN, outcome=outcome), Does.ALERT) is action


@pytest.mark.parametrize("does", [Does.ALERT, None])
def test_a_close_of_what_never_opened_is_superseded_at_a_pager(does: Does | None) -> None:
    assert as_it_goes_out(CLOSE, an_overtaken_open(), does) is None


def test_people_are_told_once_that_it_failed_and_recovered() -> None:
    told = as_it_goes_out(CLOSE, an_overtaken_open(), Does.TELL)

    assert told is not None
    assert told.verb is Verb.TELL
    assert told.key == CLOSE.key
    assert told.message.headline == "Daily build recovered"
    assert told.message.text == f"in run 101\n{OPEN.message.headline}"


@pytest.mark.parametrize("does", [Does.ALERT, Does.TELL, None])
def test_a_close_of_what_may_have_opened_goes_out(does: Does | None) -> None:
    assert as_it_goes_out(CLOSE, an_overtaken_open(may_have_arrived=True), does) is CLOSE
