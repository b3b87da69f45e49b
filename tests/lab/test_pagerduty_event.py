from typing import Any

import pytest

from lab import pagerduty_event

KEY = "0123456789abcdef0123456789abcdef"
RULESET_KEY = "R0123456789abcdef0123456789abcde"
ONE_OF = "must be one of the following:"


def an_event(**fields: Any) -> dict[str, Any]:
    """An event that PagerDuty accepts, but for `fields`; a field that is None is left out."""
    event = {"routing_key": KEY, "event_action": "trigger", "payload": a_payload()} | fields
    return {name: value for name, value in event.items() if value is not None}


def a_payload(**fields: Any) -> dict[str, Any]:
    payload = {"summary": "orders failed", "source": "Production", "severity": "error"} | fields
    return {name: value for name, value in payload.items() if value is not None}


def errors(event: dict[str, Any]) -> list[str]:
    return list(pagerduty_event.errors(event, {KEY}))


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(an_event(), id="with the least that it takes"),
        pytest.param(an_event(dedup_key="k" * 255), id="with the longest key"),
        pytest.param(an_event(dedup_key=""), id="with an empty key, which counts as none"),
        pytest.param(
            an_event(payload=a_payload(summary="ä" * 1024)), id="with the longest summary"
        ),
        pytest.param(an_event(payload=a_payload(custom_details={"n": 1})), id="with details"),
        pytest.param(
            an_event(payload=a_payload(timestamp="2015-07-17T08:42:58.315+0000")), id="with a time"
        ),
        pytest.param(
            an_event(payload=a_payload(component="orders", group="finance", **{"class": "model"})),
            id="with all that groups alerts",
        ),
        pytest.param(
            an_event(
                client="Afterrun",
                client_url="https://cloud.getdbt.com",
                links=[{"href": "https://cloud.getdbt.com", "text": "the run"}],
                images=[{"src": "https://example.com/a.png", "alt": "a"}],
            ),
            id="with all that people look at",
        ),
        pytest.param(
            {"routing_key": KEY, "event_action": "resolve", "dedup_key": "k"}, id="resolve"
        ),
        pytest.param(
            {"routing_key": KEY, "event_action": "acknowledge", "dedup_key": "k", "payload": "x"},
            id="acknowledge, whose payload is ignored",
        ),
    ],
)
def test_an_event_is_accepted(event: dict[str, Any]) -> None:
    assert errors(event) == []


@pytest.mark.parametrize("severity", ["critical", "error", "warning", "info"])
def test_four_severities_are_known(severity: str) -> None:
    assert errors(an_event(payload=a_payload(severity=severity))) == []


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (an_event(routing_key=None), "'routing_key' is missing or blank"),
        (an_event(routing_key=" "), "'routing_key' is missing or blank"),
        (
            an_event(routing_key="short"),
            "Length of 'routing_key' is incorrect (should be 32 characters)",
        ),
        (an_event(routing_key="x" * 32), "Invalid routing key"),
        (
            an_event(event_action=None),
            f"'event_action' is invalid ({ONE_OF} 'trigger', 'acknowledge' or 'resolve')",
        ),
        (an_event(dedup_key=7), "'dedup_key' is invalid (must be a string)"),
        (an_event(dedup_key="k" * 256), "'dedup_key' is too long (maiximum is 255 characters)"),
        (an_event(event_action="resolve"), "'dedup_key' is missing or blank"),
        (an_event(event_action="acknowledge", dedup_key=""), "'dedup_key' is missing or blank"),
        (an_event(payload=None), "'payload' is missing or blank"),
        (an_event(payload="orders failed"), "'payload' is missing or blank"),
        (an_event(client=1), "'client' is invalid (must be a string)"),
        (an_event(links={}), "'links' is invalid (must be an array of objects)"),
        (an_event(links=["https://x"]), "'links' is invalid (must be an array of objects)"),
        (an_event(links=[{"text": "x"}]), "'links.href' is missing or blank"),
        (
            an_event(links=[{"href": "https://x", "text": 1}]),
            "'links.text' is invalid (must be a string)",
        ),
        (an_event(images=[{}]), "'images.src' is missing or blank"),
        (
            an_event(images=[{"src": "http://x/a.png"}]),
            "'images.src' is invalid (must be served over https)",
        ),
    ],
)
def test_an_event_is_refused_in_pagerdutys_words(event: dict[str, Any], error: str) -> None:
    assert errors(event) == [error]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"summary": None}, "'payload.summary' is missing or blank"),
        ({"summary": " "}, "'payload.summary' is missing or blank"),
        ({"summary": "x" * 1025}, "'summary' is too long (maiximum is 1024 characters)"),
        ({"source": None}, "'payload.source' is missing or blank"),
        ({"source": ""}, "'payload.source' is missing or blank"),
        (
            {"severity": "high"},
            f"'payload.severity' is invalid ({ONE_OF} 'critical', 'warning', 'error' or 'info')",
        ),
        ({"group": ["finance"]}, "'payload.group' is invalid (must be a string)"),
        (
            {"timestamp": "yesterday"},
            "'payload.timestamp' is invalid (must be an ISO 8601 time)",
        ),
        (
            {"custom_details": "text"},
            "'payload.custom_details' is invalid (must be an object)",
        ),
    ],
)
def test_a_payload_is_refused_in_pagerdutys_words(fields: dict[str, Any], error: str) -> None:
    assert errors(an_event(payload=a_payload(**fields))) == [error]


def test_all_that_is_wrong_is_said_at_once() -> None:
    event = an_event(routing_key="x" * 32, payload=a_payload(summary=None, source=None))

    assert errors(event) == [
        "Invalid routing key",
        "'payload.summary' is missing or blank",
        "'payload.source' is missing or blank",
    ]


def a_change(**fields: Any) -> dict[str, Any]:
    event = {"routing_key": KEY, "payload": {"summary": "built"}} | fields
    return {name: value for name, value in event.items() if value is not None}


def errors_in_change(event: dict[str, Any]) -> list[str]:
    return list(pagerduty_event.errors_in_change(event, {KEY, RULESET_KEY}))


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(a_change(), id="with the least that it takes"),
        pytest.param(a_change(payload={"summary": "ä" * 1024}), id="with the longest summary"),
        pytest.param(
            a_change(
                payload={
                    "summary": "built",
                    "source": "Shop",
                    "timestamp": "2015-07-17T08:42:58.315+0000",
                    "custom_details": {"rows": 1},
                },
                links=[{"href": "https://x", "text": "the run"}],
                images=[{"src": "https://x/a.png"}],
            ),
            id="with all that people look at",
        ),
    ],
)
def test_a_change_is_accepted(event: dict[str, Any]) -> None:
    assert errors_in_change(event) == []


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (a_change(routing_key=None), "'routing_key' is missing or blank"),
        (a_change(routing_key="x" * 32), "Invalid routing key"),
        (a_change(routing_key=RULESET_KEY), "Invalid routing key"),
        (a_change(payload=None), "'payload' is missing or blank"),
        (a_change(payload={"source": "Shop"}), "'payload.summary' is missing or blank"),
        (a_change(payload={"summary": "\n"}), "'payload.summary' is missing or blank"),
        (
            a_change(payload={"summary": "x" * 1025}),
            "'summary' is too long (maiximum is 1024 characters)",
        ),
        (
            a_change(payload={"summary": "x", "source": 1}),
            "'payload.source' is invalid (must be a string)",
        ),
        (
            a_change(payload={"summary": "x", "timestamp": "today"}),
            "'payload.timestamp' is invalid (must be an ISO 8601 time)",
        ),
        (
            a_change(payload={"summary": "x", "custom_details": "text"}),
            "'payload.custom_details' is invalid (must be an object)",
        ),
        (a_change(links=[{"text": "x"}]), "'links.href' is missing or blank"),
    ],
)
def test_a_change_is_refused_in_pagerdutys_words(event: dict[str, Any], error: str) -> None:
    assert errors_in_change(event) == [error]


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_json_is_understood(content_type: str) -> None:
    assert pagerduty_event.read(content_type, b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", b"{}"),
        ("application/x-www-form-urlencoded", b"{}"),
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b"\xff"),
        ("application/json", b"[" * 100_000),
    ],
)
def test_anything_else_is_not(content_type: str, body: bytes) -> None:
    assert pagerduty_event.read(content_type, body) is None
