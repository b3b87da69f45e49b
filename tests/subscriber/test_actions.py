"""Actions: what the ledger keeps of them can be read again, and by whom."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.actions import Action, Verb, WrittenByNewer, key_with
from tests.builders import a_told, an_action

WHOLE = an_action(
    Verb.UPDATE,
    after="1/oncall/job/7/100/open/1",
    owner="data@shop.example",
    message=a_told(
        level="warning",
        since="2026-01-05T11:00:00+00:00",
        new=("orders",),
        still=("customers", "stock"),
        fixed=("teas",),
    ),
)


def as_kept_by_an_older_version() -> dict[str, Any]:
    body = an_action().body()
    del body["owner"]
    for name in ("level", "since", "new", "still", "fixed"):
        del body["message"][name]
    return body


def test_an_action_is_read_as_it_was_kept() -> None:
    assert Action.from_body(WHOLE.body()) == WHOLE


def test_lists_that_json_made_of_tuples_are_tuples_again() -> None:
    body = WHOLE.body()
    body["message"] |= {"new": ["orders"], "still": ["customers", "stock"], "fixed": ["teas"]}

    assert Action.from_body(body) == WHOLE


def test_an_action_of_an_older_version_is_a_failure_that_says_no_more() -> None:
    assert Action.from_body(as_kept_by_an_older_version()) == an_action()


@pytest.mark.parametrize("place", ["action", "message", "node"])
def test_an_action_of_a_newer_version_is_refused_and_says_so(place: str) -> None:
    body = WHOLE.body()
    where = {
        "action": body,
        "message": body["message"],
        "node": body["message"]["nodes"][0],
    }[place]
    where["colour"] = "blue"

    with pytest.raises(WrittenByNewer, match="written by a newer version of the program"):
        Action.from_body(body)


def test_a_verb_of_a_newer_version_is_refused_and_says_so() -> None:
    with pytest.raises(WrittenByNewer, match="written by a newer version of the program"):
        Action.from_body(WHOLE.body() | {"verb": "escalate"})


def test_the_key_of_a_close_is_that_of_its_open_with_the_verb_replaced() -> None:
    opened = "1/oncall/job/7/100/open/1"
    closed = "1/oncall/job/7/100/close/1"

    assert key_with(opened, Verb.CLOSE) == closed
    assert key_with(closed, Verb.OPEN) == opened


def test_the_third_update_follows_the_first_open() -> None:
    assert key_with("1/oncall/job/7/100/update/3", Verb.OPEN) == "1/oncall/job/7/100/open/1"


@given(st.text(), st.sampled_from(Verb), st.sampled_from(Verb))
def test_names_that_hold_slashes_are_left_whole(name: str, verb: Verb, other: Verb) -> None:
    assert key_with(f"1/{name}/{verb}/1", other) == f"1/{name}/{other}/1"
