"""The lab's Slack, and what we call of it, against the published Swagger 2.0 (of 2021).

It describes the Web API's answers, forms in place of JSON, and no webhooks. Its lists of errors are
older than some errors that are documented now: those are looked at apart.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from openapi_schema_validator import OAS30Validator

from lab.serve import serve
from lab.slack import Slack as StandIn
from subscriber.actions import Handle
from subscriber.destinations.slack import Slack
from subscriber.outbound import Outbound, Reply, encode
from tests.builders import Clock
from tests.contract import published
from tests.subscriber.test_destinations.golden import CASES, a_case

TOKEN = "xoxb-0123456789-abcdef"
CHANNEL = "C012AB3CD"
POST, UPDATE = "/chat.postMessage", "/chat.update"
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*orders* failed"}}


class Service:
    """A Slack that serves, and the published description of it."""

    def __init__(self, url: str, slack: StandIn, clock: Clock, swagger: Any) -> None:
        self.url, self.slack, self.clock, self.swagger = url, slack, clock, swagger

    def call(self, path: str, *, token: str = TOKEN, **told: Any) -> Any:
        self.clock.passes(1)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = requests.post(
            f"{self.url}{self.swagger['basePath']}{path}",
            json={"channel": CHANNEL, "text": "orders failed", **told},
            headers={**headers, "Content-Type": "application/json; charset=utf-8"},
            timeout=5,
        )
        return answer.json()

    def schema(self, path: str, status: str) -> Any:
        return self.swagger["paths"][path]["post"]["responses"][status]["schema"]

    def check(self, path: str, status: str, answer: Any) -> None:
        """Raise unless `answer` is one that the description has for `path`."""
        definitions = {"definitions": self.swagger["definitions"]}
        OAS30Validator(self.schema(path, status) | definitions).validate(answer)


@pytest.fixture(scope="module")
def swagger() -> Any:
    swagger = published.description("slack/slack_web_openapi_v2.json")
    edited = swagger["paths"][UPDATE]["post"]["responses"]["200"]["schema"]["properties"]
    # the file has an object for the list of blocks, here only
    edited["message"]["properties"]["blocks"] = {"$ref": "#/definitions/blocks"}
    # tuples, which this kind of schema does not have
    swagger["definitions"]["objs_message"]["properties"]["bot_id"] = {"type": "string"}
    return swagger


@pytest.fixture
def service(swagger: Any) -> Iterator[Service]:
    clock = Clock()
    slack = StandIn(
        token=TOKEN,
        channels={CHANNEL: "data-alerts"},
        webhook_path="/services/T/B/x",
        clock=clock,
    )
    with serve(slack.app) as url:
        yield Service(url, slack, clock, swagger)


def test_the_paths_and_their_types_are_published(swagger: Any) -> None:
    for path in (POST, UPDATE):
        assert "application/json" in swagger["paths"][path]["post"]["consumes"]


@pytest.mark.parametrize("told", [{}, {"blocks": [SECTION]}], ids=["text", "blocks"])
def test_a_posted_message_is_answered_as_published(service: Service, told: Any) -> None:
    answer = service.call(POST, **told)

    assert answer["ok"]
    service.check(POST, "200", answer)


def test_a_reply_is_answered_as_published(service: Service) -> None:
    parent = service.call(POST)["ts"]

    answer = service.call(POST, thread_ts=parent, reply_broadcast=True)

    service.check(POST, "200", answer)
    assert answer["message"]["thread_ts"] == parent


@pytest.mark.parametrize("told", [{}, {"blocks": [SECTION]}], ids=["text", "blocks"])
def test_an_edit_is_answered_as_published(service: Service, told: Any) -> None:
    ts = service.call(POST)["ts"]

    answer = service.call(UPDATE, ts=ts, **told)

    assert answer["ok"]
    service.check(UPDATE, "200", answer)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"token": ""}, "not_authed"),
        ({"token": "wrong"}, "invalid_auth"),
        ({"channel": "C000000000"}, "channel_not_found"),
        ({"text": ""}, "no_text"),
    ],
)
@pytest.mark.parametrize("path", [POST, UPDATE])
def test_a_refusal_is_answered_as_published(
    service: Service, path: str, told: Any, word: str
) -> None:
    ts = service.call(POST)["ts"]

    answer = service.call(path, ts=ts, **told)

    assert answer["error"] == word
    service.check(path, "default", answer)


@pytest.mark.parametrize(
    ("path", "word"),
    [(POST, "is_archived"), (UPDATE, "is_inactive")],
)
def test_an_archived_channel_is_answered_as_published(
    service: Service, path: str, word: str
) -> None:
    ts = service.call(POST)["ts"]
    service.slack.archived.add(CHANNEL)

    answer = service.call(path, ts=ts)

    assert answer["error"] == word
    service.check(path, "default", answer)


@pytest.mark.parametrize(
    "word", ["not_in_channel", "msg_too_long", "account_inactive", "rate_limited"]
)
def test_words_for_what_is_wrong_are_published(service: Service, word: str) -> None:
    service.slack.refuse(word)

    service.check(POST, "default", service.call(POST))


@pytest.mark.parametrize(
    "word",
    ["message_not_found", "cant_update_message", "edit_window_closed", "token_revoked"],
)
def test_words_for_why_nothing_is_edited_are_published(service: Service, word: str) -> None:
    service.slack.refuse(word)

    service.check(UPDATE, "default", service.call(UPDATE, ts="1503435956.000247"))


def recording(sent: list[tuple[str, dict[str, Any]]]) -> Outbound:
    """Keeps in `sent` what goes out, and to which path."""

    class Recording(Outbound):
        def post_json(self, url: str, body: object, **more: Any) -> Reply:
            sent.append((urlsplit(url).path, json.loads(encode(body))))
            return super().post_json(url, body, **more)

    return Recording()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("is_refused", [False, True], ids=["blocks", "plain text"])
def test_what_we_call_is_as_published(
    service: Service,
    case: str,
    is_refused: bool,  # noqa: FBT001 - of a table
) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    opened = Handle(key=f"{CHANNEL}/{service.call(POST)['ts']}")
    service.clock.passes(1)
    written = {"bot_token": "env:TOKEN", "channel": CHANNEL, "base_url": service.url}
    bot = Slack.model_validate(written).with_secrets(lambda _: TOKEN)
    if is_refused:
        service.slack.refuse("invalid_blocks", times=1)

    bot.deliver(replace(a_case("slack", case), opened=opened), recording(sent))

    assert sent
    for path, body in sent:
        known = parameters(service.swagger, path.removeprefix(service.swagger["basePath"]))
        assert {name for name, each in known.items() if each.get("required")} <= body.keys()
        for name, value in body.items():
            # lists are described as the texts that forms have of them
            written_as = json.dumps(value) if isinstance(value, list) else value
            OAS30Validator({"type": known[name]["type"]}).validate(written_as)


def parameters(swagger: Any, path: str) -> dict[str, Any]:
    """What a call may say, by name."""
    described = swagger["paths"][path]["post"]["parameters"]
    return {each["name"]: each for each in described if each["in"] == "formData"}


class Telling:
    """A Slack that serves, asked as a look at a destination asks it."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def ask(self, path: str, *, token: str = TOKEN, **told: str) -> Any:
        return requests.get(
            f"{self.service.url}{self.service.swagger['basePath']}{path}",
            params=told,
            headers={"Authorization": f"Bearer {token}"},
            timeout=5,
        ).json()

    def check(self, path: str, status: str, answer: Any) -> None:
        responses = self.service.swagger["paths"][path]["get"]["responses"]
        definitions = {"definitions": self.service.swagger["definitions"]}
        OAS30Validator(responses[status]["schema"] | definitions).validate(answer)


def test_who_a_token_is_of_is_told_as_published(service: Service) -> None:
    telling = Telling(service)

    answer = telling.ask("/auth.test")

    assert answer["ok"]
    telling.check("/auth.test", "200", answer)


def test_a_wrong_token_is_refused_as_published(service: Service) -> None:
    telling = Telling(service)

    answer = telling.ask("/auth.test", token="wrong")

    assert answer["error"] == "invalid_auth"
    telling.check("/auth.test", "default", answer)


def test_what_is_asked_of_a_channel_is_published(service: Service) -> None:
    info = service.swagger["paths"]["/conversations.info"]["get"]

    assert {"channel"} <= {each["name"] for each in info["parameters"] if each["in"] == "query"}


def test_a_channel_is_told_of_with_the_fields_that_are_published(service: Service) -> None:
    service.slack.scopes.add("channels:read")
    info = service.swagger["paths"]["/conversations.info"]["get"]["responses"]["200"]
    published_one = info["examples"]["application/json"]["channel"]

    told = Telling(service).ask("/conversations.info", channel=CHANNEL)["channel"]

    same = {name: type(value) for name, value in published_one.items() if name in told}
    assert {name: type(told[name]) for name in same} == same
    assert {"id", "name", "is_private", "is_archived", "is_member"} <= same.keys()


@pytest.mark.parametrize(
    ("channel", "scopes", "word"),
    [("C000000000", {"channels:read"}, "channel_not_found"), (CHANNEL, set(), "missing_scope")],
)
def test_a_channel_is_refused_as_published(
    service: Service, channel: str, scopes: set[str], word: str
) -> None:
    service.slack.scopes = scopes
    telling = Telling(service)

    answer = telling.ask("/conversations.info", channel=channel)

    assert answer["error"] == word
    telling.check("/conversations.info", "default", answer)
