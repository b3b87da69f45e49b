"""What we post as CloudEvents, and what the lab's receiver takes, against the published schema."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker
from pydantic import SecretStr

from lab.webhook_receiver import CLOUDEVENTS, judged
from subscriber.destinations.webhook import Webhook
from tests.builders import a_told, an_action
from tests.contract import published
from tests.lab.test_webhook_receiver import CLOUD_EVENT
from tests.subscriber.test_destinations.golden import CASES, a_case


class Published:
    """The published schema; hypothesis prints what a test is given, and that shall be short."""

    def __init__(self) -> None:
        self.schema = cast(Any, published.description("cloudevents/cloudevents.schema.json"))
        self._validator = Draft7Validator(self.schema, format_checker=FormatChecker())

    def refuses(self, event: Any) -> str:
        """Why, empty if it does not."""
        return "; ".join(error.message for error in self._validator.iter_errors(event))


@pytest.fixture(scope="module")
def schema() -> Published:
    return Published()


def is_taken(event: Any) -> bool:
    status, _ = judged(CLOUDEVENTS, json.dumps(event).encode())
    return status == 204


def test_the_smallest_cloud_event_is_taken(schema: Published) -> None:
    event = {name: CLOUD_EVENT[name] for name in schema.schema["required"]}

    assert schema.refuses(event) == ""
    assert is_taken(event)


@pytest.mark.parametrize("name", ["id", "source", "specversion", "type"])
def test_what_the_published_schema_demands_is_demanded(schema: Published, name: str) -> None:
    event = {key: value for key, value in CLOUD_EVENT.items() if key != name}

    assert schema.refuses(event)
    assert not is_taken(event)


VALUES = st.none() | st.text(max_size=5) | st.integers() | st.booleans() | st.just("1.0")


@given(
    changed=st.dictionaries(
        st.sampled_from(["id", "source", "specversion", "type", "time", "subject", "data"]),
        VALUES | st.just("2026-01-05T12:00:00Z"),
    )
)
def test_whatever_is_taken_is_valid_by_the_published_schema(
    schema: Published, changed: dict[str, Any]
) -> None:
    event = CLOUD_EVENT | changed

    if is_taken(event):
        assert schema.refuses(event) == ""


def a_webhook() -> Webhook:
    secret = SecretStr("env:SECRET")
    return Webhook(url="https://hooks.example.com", secret=secret, format="cloudevents")


@pytest.mark.parametrize("case", CASES)
def test_what_we_post_is_a_valid_cloud_event(schema: Published, case: str) -> None:
    assert schema.refuses(a_webhook().told(a_case("webhook", case))) == ""


@given(text=st.text(max_size=20), key=st.text(min_size=1, max_size=300))
def test_whatever_we_post_is_a_valid_cloud_event(schema: Published, text: str, key: str) -> None:
    message = a_told(headline=text, facts={"account_id": text, "job_id": text, "run_id": text})

    assert schema.refuses(a_webhook().told(an_action(message=message, key=key))) == ""
