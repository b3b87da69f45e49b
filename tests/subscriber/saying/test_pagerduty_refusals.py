"""What a refusal says to people: which it is, and what to do."""

from typing import Any

import pytest

from subscriber.outbound import Refused, Reply
from subscriber.saying.pagerduty_refusals import explained

SECRET = "0123456789abcdef0123456789abcdef"


def said(status: int, content: Any = None) -> str:
    refused = Refused(f"events.x answered {status}", status, Reply(status, content))
    found = explained(refused)
    assert found.status == status  # by which a credential is read anew
    return str(found)


def invalid(*errors: Any) -> dict[str, Any]:
    message = "Event object is invalid"
    return {"status": "invalid event", "message": message, "errors": list(errors)}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (invalid("Invalid routing key"), "PagerDuty does not know the routing key: copy the"),
        (
            invalid("Length of 'routing_key' is incorrect (should be 32 characters)"),
            "the routing key does not have 32 characters: copy the",
        ),
        (
            invalid("'routing_key' is missing or blank"),
            "the routing key does not have 32 characters: copy the",
        ),
        (
            invalid("'payload.summary' is missing or blank", "Invalid routing key"),
            "PagerDuty does not know the routing key: copy the",
        ),
        (
            invalid("'summary' is too long (maiximum is 1024 characters)"),
            "finds the event invalid (summary), which is Afterrun's fault",
        ),
        (
            invalid("'payload.severity' is invalid (must be one of the following: 'critical')"),
            "finds the event invalid (payload, severity), which",
        ),
        (invalid("JSON parse error"), "finds the event invalid, which is Afterrun's fault"),
        (invalid("Event is too large"), "finds the event too large"),
    ],
)
def test_a_refusal_is_told_from_the_others_by_what_pagerduty_says(content: Any, why: str) -> None:
    assert why in said(400, content)


@pytest.mark.parametrize(
    "content", [None, "no", [], {}, {"errors": None}, {"errors": "no"}, invalid()]
)
def test_a_refusal_without_a_reason_is_most_often_about_the_key(content: Any) -> None:
    assert "gives no reason; most often it does not know the routing key" in said(400, content)


def test_the_key_and_the_region_are_named_as_what_to_look_at() -> None:
    why = said(400, invalid("Invalid routing key"))

    assert "*Events API v2*" in why
    assert "https://events.eu.pagerduty.com" in why


def test_a_body_that_is_too_large_on_the_way_is_said_to_be() -> None:
    assert "finds the event too large" in said(413)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410])
def test_what_the_events_api_never_answers_comes_from_elsewhere(status: int) -> None:
    assert f"answered {status}: the Events API never answers so" in said(status)


def test_a_redirect_says_already_what_is_wrong() -> None:
    assert said(307) == "events.x answered 307"


@pytest.mark.parametrize(
    "errors", [[SECRET], [f"Invalid routing key {SECRET}"], [f"'summary' {SECRET}"], [{SECRET: 1}]]
)
def test_nothing_that_pagerduty_says_is_repeated(errors: list[Any]) -> None:
    assert SECRET not in said(400, invalid(*errors))
