"""What Pub/Sub delivers over HTTP, in each of its forms, and what is none of them."""

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriber import push
from subscriber.push import SIZE_LIMIT_BYTES, Delivered, NotAPush
from tests.builders import a_body, a_push

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"


def read(content: Any, content_type: str = JSON) -> Delivered:
    return push.read(json.dumps(content).encode(), content_type)


def test_a_raw_push_is_the_message_with_what_pubsub_says_of_it() -> None:
    request = a_push(a_body(), message_id="2070443601311540", content="event")

    delivered = read(request | {"deliveryAttempt": 5})

    assert delivered == Delivered(
        id="2070443601311540",
        data=a_body(),
        attributes={"content": "event"},
        attempt=5,
    )


def test_a_binary_cloud_event_is_the_same() -> None:
    request = a_push(a_body())

    assert read(request, "application/json; charset=utf-8") == read(request)


@pytest.mark.parametrize(
    "content_type", [STRUCTURED, f"{STRUCTURED}; charset=utf-8", "Application/CloudEvents+JSON"]
)
def test_a_structured_cloud_event_holds_the_push_as_its_data(content_type: str) -> None:
    event = {"specversion": "1.0", "type": "google.cloud.pubsub", "data": a_push(a_body())}

    assert read(event, content_type) == read(a_push(a_body()))


def test_whatever_the_content_type_a_push_is_a_push() -> None:
    assert read(a_push(b"x"), "") == read(a_push(b"x"), "text/plain") == read(a_push(b"x"))


def test_a_message_without_data_is_a_message() -> None:
    delivered = read({"message": {"messageId": "1", "attributes": {"content": "tick"}}})

    assert delivered == Delivered("1", b"", {"content": "tick"})


@pytest.mark.parametrize("data", ["", None])
def test_empty_data_is_no_data(data: Any) -> None:
    assert read({"message": {"data": data}}) == Delivered("", b"")


@pytest.mark.parametrize("key", ["messageId", "message_id"])
def test_either_spelling_of_the_id_will_do(key: str) -> None:
    assert read({"message": {key: "17"}}).id == "17"


def test_keys_that_nobody_knows_are_ignored() -> None:
    assert read({"message": {"data": "eA==", "shape": "round"}, "colour": "blue"}).data == b"x"


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        ({"a": "1", "b": 2, "c": None, "d": ["x"]}, {"a": "1"}),
        (None, {}),
        ([], {}),
        ("text", {}),
    ],
)
def test_only_texts_are_attributes(attributes: Any, kept: dict[str, str]) -> None:
    assert read({"message": {"attributes": attributes}}).attributes == kept


@pytest.mark.parametrize("attempt", [None, "5", 1.5, True, [], {}])
def test_an_attempt_that_is_no_number_counts_as_none(attempt: Any) -> None:
    delivered = read({"message": {}, "deliveryAttempt": attempt})

    assert delivered.attempt == 0
    assert not isinstance(delivered.attempt, bool)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is not JSON"),
        (b"not json", "the body is not JSON"),
        (b"\xff\xfe\x00", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b'{"message": {"deliveryAttempt": ' + b"9" * 5_000 + b"}}", "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (b'"text"', "the body is not a JSON object"),
        (b"{}", "the body is no Pub/Sub push: it holds no `message`"),
        (b'{"message": []}', "the body is no Pub/Sub push: it holds no `message`"),
        (b'{"message": "text"}', "the body is no Pub/Sub push: it holds no `message`"),
        (b'{"message": null}', "the body is no Pub/Sub push: it holds no `message`"),
        (b'{"message": {"data": "***"}}', "`message.data` is not base64"),
        (b'{"message": {"data": "eA"}}', "`message.data` is not base64"),
        (b'{"message": {"data": "e A=="}}', "`message.data` is not base64"),
        (b'{"message": {"data": "_-8="}}', "`message.data` is not base64"),
        ('{"message": {"data": "é"}}'.encode(), "`message.data` is not base64"),
        (b'{"message": {"data": 5}}', "`message.data` is not base64"),
        (b'{"message": {"data": [1, 2]}}', "`message.data` is not base64"),
        (b'{"message": {"data": {"a": "b"}}}', "`message.data` is not base64"),
    ],
)
def test_anything_else_is_no_push(body: bytes, said: str) -> None:
    with pytest.raises(NotAPush) as raised:
        push.read(body, JSON)

    assert str(raised.value) == said


@pytest.mark.parametrize("data", [None, [], "text"])
def test_a_structured_cloud_event_without_a_push_is_none(data: Any) -> None:
    with pytest.raises(NotAPush):
        read({"specversion": "1.0", "data": data}, STRUCTURED)


def test_the_largest_message_that_pubsub_delivers_is_a_push() -> None:
    data = b"x" * 10_000_000

    assert read(a_push(data)).data == data


def test_what_is_larger_than_any_push_is_not_looked_at() -> None:
    with pytest.raises(NotAPush, match="larger than any push"):
        push.read(b" " * (SIZE_LIMIT_BYTES + 1), JSON)


@given(st.binary(), st.sampled_from([JSON, STRUCTURED, "", "text/plain"]))
@example(b'{"message": {"data": "\\ud800"}}', JSON)
@example(b'\xef\xbb\xbf{"message": {}}', JSON)
def test_any_bytes_are_a_push_or_none(body: bytes, content_type: str) -> None:
    try:
        delivered = push.read(body, content_type)
    except NotAPush:
        return
    assert isinstance(delivered, Delivered)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(["message", "subscription", "deliveryAttempt", "data"]),
        ANYTHING
        | st.dictionaries(
            st.sampled_from(["data", "attributes", "messageId", "message_id", "message"]), ANYTHING
        ),
    ),
    st.sampled_from([JSON, STRUCTURED]),
)
def test_any_object_is_a_push_or_none(content: Any, content_type: str) -> None:
    try:
        delivered = read(content, content_type)
    except NotAPush:
        return
    assert isinstance(delivered.data, bytes)
    assert all(isinstance(value, str) for value in delivered.attributes.values())


@given(st.binary(max_size=2_000))
def test_data_arrives_as_it_was_published(data: bytes) -> None:
    assert read({"message": {"data": base64.b64encode(data).decode()}}).data == data
