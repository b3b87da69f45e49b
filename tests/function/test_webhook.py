"""What a webhook becomes: its body untouched, and attributes to filter by."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.webhook import message
from shared.attributes import VALUE_LIMIT_BYTES, cut
from tests.builders import NOW, a_body

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = [
    "accountId",
    "environmentId",
    "eventId",
    "eventType",
    "jobId",
    "runId",
    "runStatus",
    "runStatusCode",
    "timestamp",
    "webhookId",
]


def test_an_event_s_attributes_say_what_subscriptions_filter_by():
    body = a_body(event_id="wev_9", account_id=1, job_id=7, run_id=100, code=20)

    published = message(body, NOW)

    assert published.data is body
    assert published.attributes == {
        "event_id": "wev_9",
        "event_type": "job.run.completed",
        "account_id": "1",
        "job_id": "7",
        "run_id": "100",
        "environment_id": "55",
        "status_code": "20",
        "content": "event",
        "received_at": "2026-01-05T12:00:00.000+00:00",
    }


def test_an_attribute_that_would_be_empty_is_left_out():
    published = message(a_body(code=None, environmentId=""), NOW)

    assert "status_code" not in published.attributes
    assert "environment_id" not in published.attributes
    assert published.attributes["content"] == "event"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"[]",
        b"\xff\xfe\x00",
        b"{}",
        a_body(event_type="job.run.paused"),
        a_body(run_id="none"),
        a_body(account_id=-1),
        b"[" * 100_000,
    ],
)
def test_a_body_that_tells_of_no_run_is_published_as_it_is_and_marked(body: bytes):
    published = message(body, NOW)

    assert published.data is body
    assert published.attributes["content"] == "unreadable"
    assert published.event_id
    assert "run_id" not in published.attributes


def test_the_same_unreadable_body_has_the_same_id_whenever_it_comes():
    assert message(b"what?", NOW).event_id == message(b"what?", NOW).event_id
    assert message(b"what?", NOW).event_id != message(b"what!", NOW).event_id


def test_a_status_code_of_thousands_of_digits_does_not_exceed_the_limit():
    body = a_body().replace(b'"runStatusCode": 20', b'"runStatusCode": ' + b"9" * 4000)

    published = message(body, NOW)

    assert len(published.attributes.get("status_code", "")) <= VALUE_LIMIT_BYTES


@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_arrives_fits_into_a_message(body: bytes):
    assert_fits(message(body, NOW).attributes)


@given(
    told=st.dictionaries(st.sampled_from(FIELDS), JSON | st.text(min_size=300, max_size=400)),
    data=st.dictionaries(st.sampled_from(FIELDS), JSON | st.text(min_size=300, max_size=400)),
)
def test_whatever_an_event_s_fields_hold_fits_into_a_message(
    told: dict[str, Any], data: dict[str, Any]
):
    event = json.loads(a_body()) | told
    event["data"] |= data

    assert_fits(message(json.dumps(event).encode(), NOW).attributes)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a" * 1025, "a" * 1024),
        ("é" * 600, "é" * 512),
        ("a" + "é" * 600, "a" + "é" * 511),
        ("\N{SNOWMAN}" * 400, "\N{SNOWMAN}" * 341),
        ("\N{ROCKET}" * 256, "\N{ROCKET}" * 256),
    ],
)
def test_what_is_too_long_is_cut_between_characters(text: str, kept: str):
    assert cut(text) == kept


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=1200))
def test_cutting_keeps_whole_characters_and_as_many_as_fit(text: str):
    kept = cut(text * 3)

    size_bytes = len(kept.encode())
    assert (text * 3).startswith(kept)
    assert size_bytes <= VALUE_LIMIT_BYTES
    assert kept == text * 3 or size_bytes > VALUE_LIMIT_BYTES - 4


@given(told=st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=250)))
def test_a_message_never_counts_for_less_than_its_bytes(told: dict[str, str]):
    published = message(json.dumps(json.loads(a_body()) | told).encode(), NOW)

    attributes = sum(len(f"{key}{value}".encode()) for key, value in published.attributes.items())
    assert published.size_bytes >= len(published.data) + attributes


def assert_fits(attributes: Any) -> None:
    assert attributes["event_id"]
    assert attributes["content"] in ("event", "unreadable")
    for key, value in attributes.items():
        assert isinstance(value, str)
        assert 0 < len(value.encode()) <= VALUE_LIMIT_BYTES, key
