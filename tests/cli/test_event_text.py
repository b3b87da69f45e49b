"""A file with anything in it is an event, or a mistake that says what is wrong with it."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import event_text, history, sample
from shared.errors import Mistake

KEYS = st.sampled_from(
    ["message", "data", "event", "answer", "version", "eventType", "accountId", "runId", "jobId"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | KEYS, inner),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_is_an_event_or_a_mistake(text: bytes) -> None:
    with suppress(Mistake):
        assert event_text.read(text, "it")


def test_a_line_of_a_history_that_is_none_is_named() -> None:
    good = history.line(sample.load("succeeded"))
    text = f'{good}\n\n{{"event": 1, "answer": 2}}\n'.encode()

    with pytest.raises(Mistake, match=r"h\.jsonl:3"):
        event_text.read(text, "h.jsonl")
