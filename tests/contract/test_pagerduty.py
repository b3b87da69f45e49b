"""The lab's PagerDuty against the published description and the documented limits."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from openapi_schema_validator import OAS30Validator, OAS31Validator
from pydantic import SecretStr

from lab import pagerduty_event
from lab.pagerduty import PagerDuty
from lab.serve import serve
from subscriber.actions import Action, Verb
from subscriber.destinations.pagerduty import PagerDuty as Destination
from subscriber.outbound import encode
from tests.builders import a_told, an_action
from tests.contract import published
from tests.subscriber.test_destinations.golden import CASES, a_case

KEY = "e93facc04764012d7bfb002500d5d1a6"
EXAMPLES_KEY = "737ea619db564d41bd9824063e1f6b08"
WRITTEN = Destination(routing_key=SecretStr("env:KEY"))
WITH_CHANGES = Destination(routing_key=SecretStr("env:KEY"), change_events=True)
ALERTS = [case for case in CASES if case != "refresh"]


@pytest.fixture(scope="module")
def openapi() -> Any:
    return published.description("pagerduty/events-v2.openapi.json")


@pytest.fixture(scope="module")
def published_event(openapi: Any) -> OAS30Validator:
    """An event by the vendor's file, which knows of no lengths and no conditions."""
    media = openapi["paths"]["/enqueue"]["post"]["requestBody"]["content"]["application/json"]
    return OAS30Validator(media["schema"] | {"components": openapi["components"]})


@pytest.fixture(scope="module")
def documented_event() -> OAS31Validator:
    """An event by the documented limits."""
    return OAS31Validator(published.description("pagerduty/alert-event.strict.schema.json"))


@pytest.fixture(scope="module")
def published_change(openapi: Any) -> OAS30Validator:
    return OAS30Validator(change_media(openapi)["schema"] | {"components": openapi["components"]})


def change_media(openapi: Any) -> Any:
    body = openapi["paths"]["/change/enqueue"]["post"]["requestBody"]
    return body["content"]["application/json"]


@pytest.fixture
def url() -> Iterator[str]:
    with serve(PagerDuty(KEY, EXAMPLES_KEY).app) as url:
        yield url


def an_event(**fields: Any) -> dict[str, Any]:
    payload = {"summary": "orders failed", "source": "Production", "severity": "error"}
    return {"routing_key": KEY, "event_action": "trigger", "payload": payload} | fields


def exchange(
    url: str, event: Any, path: str = "/enqueue"
) -> tuple[requests.Request, requests.Response]:
    request = requests.Request("POST", f"{url}/v2{path}", json=event)
    with requests.Session() as session:
        return request, session.send(request.prepare(), timeout=5)


def at(openapi: Any, url: str) -> OpenAPI:
    return OpenAPI.from_dict(openapi | {"servers": [{"url": f"{url}/v2"}]})


def test_the_published_example_is_accepted(openapi: Any, url: str) -> None:
    media = openapi["paths"]["/enqueue"]["post"]["requestBody"]["content"]["application/json"]
    (example,) = media["examples"].values()

    _, answer = exchange(url, example["value"])

    assert answer.status_code == 202


def test_a_published_example_of_a_change_is_accepted_and_answered_as_published(
    openapi: Any, url: str
) -> None:
    example = change_media(openapi)["examples"]["build-change-event"]

    request, answer = exchange(url, example["value"], "/change/enqueue")

    assert answer.status_code == 202
    at(openapi, url).validate_response(
        RequestsOpenAPIRequest(request), RequestsOpenAPIResponse(answer)
    )


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(an_event(dedup_key="orders"), id="opened"),
        pytest.param(an_event(), id="opened with a key of its own"),
        pytest.param(
            {"routing_key": KEY, "event_action": "resolve", "dedup_key": "orders"}, id="dropped"
        ),
    ],
)
def test_what_was_taken_is_answered_as_published(openapi: Any, url: str, event: Any) -> None:
    request, answer = exchange(url, event)

    assert answer.status_code == 202
    at(openapi, url).validate_response(
        RequestsOpenAPIRequest(request), RequestsOpenAPIResponse(answer)
    )


@pytest.mark.parametrize("event", [{}, [], an_event(routing_key="x" * 32), an_event(payload=None)])
def test_what_was_refused_is_answered_as_published(openapi: Any, url: str, event: Any) -> None:
    # the file names this answer, but not so that a program finds it
    error = openapi["components"]["responses"]["Error"]["content"]["application/json"]["schema"]

    _, answer = exchange(url, event)

    assert answer.status_code == 400
    OAS30Validator(error).validate(answer.json())
    assert answer.json()["errors"]


def test_what_is_not_json_is_answered_like_the_published_example(openapi: Any, url: str) -> None:
    error = openapi["components"]["responses"]["Error"]["content"]["application/json"]

    answer = requests.post(f"{url}/v2/enqueue", data=b"{", timeout=5)

    assert answer.json() == error["examples"]["response"]["value"]


TEXT = st.text(min_size=1).filter(str.strip)
TIME = st.sampled_from(["2026-01-05T12:00:00Z", "2026-01-05T12:00:00.5+01:00"])
PAYLOADS = st.fixed_dictionaries(
    {
        "summary": TEXT | st.just("x" * 1024),
        "source": TEXT,
        "severity": st.sampled_from(pagerduty_event.SEVERITIES),
    },
    optional={
        "timestamp": TIME,
        "component": TEXT,
        "group": TEXT,
        "class": TEXT,
        "custom_details": st.dictionaries(TEXT, st.integers() | TEXT),
    },
)
LINKS = st.fixed_dictionaries({"href": st.just("https://x/y")}, optional={"text": TEXT})
IMAGES = st.fixed_dictionaries({"src": st.just("https://x/y.png")}, optional={"alt": TEXT})
TRIGGERS = st.fixed_dictionaries(
    {
        "routing_key": st.just(KEY),
        "event_action": st.just("trigger"),
        "payload": PAYLOADS,
    },
    optional={
        "dedup_key": TEXT | st.just("k" * 255),
        "client": TEXT,
        "client_url": st.just("https://x"),
        "links": st.lists(LINKS, max_size=2),
        "images": st.lists(IMAGES, max_size=2),
    },
)


@given(event=TRIGGERS)
def test_what_keeps_the_documented_limits_is_taken(
    documented_event: OAS31Validator, event: dict[str, Any]
) -> None:
    documented_event.validate(event)

    assert list(pagerduty_event.errors(event, {KEY})) == []


def one_of_everything() -> dict[str, Any]:
    return an_event(
        dedup_key="orders",
        client="Afterrun",
        client_url="https://x",
        links=[{"href": "https://x", "text": "the run"}],
        images=[{"src": "https://x/y.png", "href": "https://x", "alt": "a picture"}],
        payload={
            "summary": "orders failed",
            "source": "Production",
            "severity": "error",
            "timestamp": "2026-01-05T12:00:00Z",
            "component": "orders",
            "group": "finance",
            "class": "model",
            "custom_details": {"rows": 1},
        },
    )


def places(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """The path of each part of `value` that the vendor gives a meaning to."""
    if above:
        yield above
    if above[-1:] != ("custom_details",):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts if isinstance(value, dict | list) else ():
            yield from places(part, *above, key)


@pytest.mark.parametrize("odd", [None, 7, "odd", [], ["odd"], {"odd": 1}], ids=repr)
@pytest.mark.parametrize("place", [*places(one_of_everything())], ids=lambda place: f"{place}")
def test_what_the_published_description_refuses_is_refused(
    published_event: OAS30Validator, place: tuple[Any, ...], odd: Any
) -> None:
    event = one_of_everything()
    part: Any = event
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = odd

    if not published_event.is_valid(event):
        assert list(pagerduty_event.errors(event, {KEY})) != []


@pytest.mark.parametrize(
    "event",
    [
        an_event(payload=an_event()["payload"] | {"summary": "x" * 1025}),
        an_event(payload=an_event()["payload"] | {"summary": " "}),
        an_event(payload=an_event()["payload"] | {"source": ""}),
        an_event(dedup_key="k" * 256),
        an_event(routing_key="short"),
        an_event(images=[{"src": "http://example.com/a.png"}]),
        {"routing_key": KEY, "event_action": "trigger"},
        {"routing_key": KEY, "event_action": "resolve"},
    ],
)
def test_what_only_the_documented_limits_refuse_is_refused(
    documented_event: OAS31Validator, published_event: OAS30Validator, event: dict[str, Any]
) -> None:
    assert published_event.is_valid(event)
    assert not documented_event.is_valid(event)

    assert list(pagerduty_event.errors(event, {KEY})) != []


def said(written: Destination, action: Action) -> Any:
    """What PagerDuty is told of `action`: its secret in place, through JSON and back."""
    return json.loads(written.shown(action)) | {"routing_key": KEY}


@pytest.mark.parametrize("case", ALERTS)
def test_the_alerts_that_we_tell_are_as_documented_and_as_published(
    documented_event: OAS31Validator,
    published_event: OAS30Validator,
    url: str,
    case: str,
) -> None:
    event = said(WRITTEN, a_case("pagerduty", case))

    documented_event.validate(event)
    if event["event_action"] == "trigger":  # the vendor's file demands a payload of every event
        published_event.validate(event)
    assert exchange(url, event)[1].status_code == 202


@pytest.mark.parametrize("outcome", ["started", "succeeded", "cancelled"])
@pytest.mark.parametrize("case", CASES)
def test_the_changes_that_we_tell_are_as_published(
    published_change: OAS30Validator, url: str, case: str, outcome: str
) -> None:
    told = replace(a_case("pagerduty", case).message, level="", outcome=outcome)

    event = said(WITH_CHANGES, an_action(Verb.TELL, message=told))

    published_change.validate(event)
    assert set(event) <= {"routing_key", "payload", "links"}
    assert set(event["payload"]) == {"summary", "source", "timestamp", "custom_details"}
    assert exchange(url, event, "/change/enqueue")[1].status_code == 202


@pytest.mark.parametrize("level", ["failure", "warning"])
@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.REFRESH])
def test_what_we_say_is_as_documented(
    documented_event: OAS31Validator, published_event: OAS30Validator, verb: Verb, level: str
) -> None:
    names = {"new": ("a",), "still": ("b",), "fixed": ("c",)}
    told = a_told(level=level, since="2026-01-05T11:00:00+00:00", **names)

    event = json.loads(
        encode(WRITTEN.with_secrets(lambda _: KEY).alert(an_action(verb, message=told, owner="o")))
    )

    documented_event.validate(event)
    if verb is not Verb.CLOSE:  # the vendor's file demands a payload of every event
        published_event.validate(event)
