"""What a dead letter is, from the message alone."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.dead_letter import Message, Sort, read
from subscriber.dead_letters import marked
from tests.builders import NOW

FORWARDED = {
    "CloudPubSubDeadLetterSourceSubscription": "dbt-cloud-events",
    "CloudPubSubDeadLetterSourceSubscriptionProject": "acme",
    "CloudPubSubDeadLetterSourceDeliveryCount": "100",
}


def a_letter(attributes: Mapping[str, str], data: bytes = b"{}") -> Message:
    return Message("1", NOW, data, attributes)


def test_an_action_is_named_with_what_refused_it() -> None:
    found = read(a_letter({"content": "action", "action": "1/oncall/7", "reason": "400"}, b"12345"))

    assert (found.sort, found.key, found.reason) == (Sort.ACTION, "1/oncall/7", "400")
    assert (found.id, found.published_at, found.size_bytes) == ("1", NOW, 5)


def test_an_event_is_named_by_its_key() -> None:
    found = read(a_letter({"content": "event", "event": "1/event/wev_1", "reason": "why"}))

    assert (found.sort, found.key) == (Sort.EVENT, "1/event/wev_1")


@pytest.mark.parametrize(
    "attributes",
    [
        {"content": "unreadable", "event_id": "sha256-1"},
        {"content": "event", "event_id": "wev_1"},
        {"content": "action"},
        {"content": "event", "action": "1/oncall/7"},
        {"colour": "blue"},
        {},
    ],
)
def test_what_names_no_work_of_ours_is_unreadable(attributes: dict[str, str]) -> None:
    found = read(a_letter({**attributes, "reason": "not a JSON object"}))

    assert (found.sort, found.reason) == (Sort.UNREADABLE, "not a JSON object")
    assert found.key == attributes.get("event_id", "")
    assert not found.names_work


@pytest.mark.parametrize("own", [{"content": "event", "event_id": "wev_1"}, {"content": "action"}])
def test_what_pubsub_forwarded_is_undelivered_whatever_it_says(own: dict[str, str]) -> None:
    found = read(a_letter({**FORWARDED, **own, "event": "1/event/wev_1", "action": "1/oncall/7"}))

    assert found.sort is Sort.UNDELIVERED
    assert found.reason == "dbt-cloud-events gave up after 100 deliveries: no subscriber took it"


@pytest.mark.parametrize("character", ["x", "é", "🙂"])
def test_a_key_that_was_cut_to_fit_is_whole_again(character: str) -> None:
    key = "1/" + character * 1_200
    attributes = marked({"content": "action", "action": key}, "why")

    found = read(a_letter(attributes, json.dumps({"key": key}).encode()))

    assert found.key == key


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"key": 1}', b'{"key": "2"}', b"\xff", b"1"])
def test_a_key_that_was_cut_stays_so_where_the_body_does_not_continue_it(data: bytes) -> None:
    assert read(a_letter({"content": "action", "action": "1" * 1_024}, data)).key == "1" * 1_024


def test_a_whole_key_is_not_looked_for_in_the_body() -> None:
    found = read(
        a_letter({"content": "action", "action": "1/oncall/7"}, b'{"key": "1/oncall/7/and/more"}')
    )

    assert found.key == "1/oncall/7"


@given(st.binary(max_size=50), st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_anything_at_all_is_a_dead_letter(data: bytes, attributes: dict[str, str]) -> None:
    assert read(Message("1", NOW, data, attributes)).size_bytes == len(data)
