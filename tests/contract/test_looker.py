"""The lab's Looker, and what we ask a Looker, against the published OpenAPI description."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

from lab.limits import Window
from lab.looker import Looker
from lab.looker_datagroup import Datagroup
from lab.serve import serve
from subscriber.destinations.looker import Looker as Destination
from subscriber.outbound import Outbound
from tests.builders import NOW, Clock
from tests.contract import published
from tests.contract.recorded import Recorded
from tests.subscriber.test_destinations.golden import CASES, a_case

CLIENT = {"client_id": "an-id", "client_secret": "a-secret"}
NOW_S = int(NOW.timestamp())


PATHS = ("/login", "/logout", "/datagroups", "/datagroups/{datagroup_id}")
SCHEMAS = ("AccessToken", "Datagroup", "Error", "ValidationError", "ValidationErrorDetail")


@pytest.fixture(scope="module")
def description() -> Any:
    """The published description of PATHS; much of the rest is no valid OpenAPI."""
    whole = published.description("looker/Looker.4.0.oas.json")
    schemas = whole["components"]["schemas"]
    return whole | {
        "paths": {path: whole["paths"][path] for path in PATHS},
        "components": {"schemas": {name: schemas[name] for name in SCHEMAS}},
    }


class Service:
    """A Looker that serves, and the published description of it."""

    def __init__(self, url: str, looker: Looker, description: Any) -> None:
        self.api = f"{url}/api/4.0"
        self.looker = looker
        self.openapi = OpenAPI.from_dict(description | {"servers": [{"url": self.api}]})
        self.headers: dict[str, str] = {}

    def exchange(self, method: str, path: str, **asked: Any) -> requests.Response:
        """The answer to a request; raises unless both are as published."""
        request = requests.Request(method, self.api + path, headers=self.headers, **asked)
        with requests.Session() as session:
            answer = session.send(request.prepare(), timeout=5)
        self.openapi.validate_request(RequestsOpenAPIRequest(request))
        self.openapi.validate_response(
            RequestsOpenAPIRequest(request), RequestsOpenAPIResponse(answer)
        )
        return answer


@pytest.fixture
def service(description: Any) -> Iterator[Service]:
    clock = Clock()
    datagroups = [Datagroup("7", "shop", "daily"), Datagroup("8", "shop", "x", may_update=False)]
    looker = Looker(client_id="an-id", client_secret="a-secret", datagroups=datagroups, clock=clock)
    with serve(looker.app) as url:
        service = Service(url, looker, description)
        login = requests.post(f"{service.api}/login", data=CLIENT, timeout=5).json()
        service.headers = {"Authorization": f"token {login['access_token']}"}
        yield service


@pytest.mark.parametrize(("secret", "status"), [("a-secret", 200), ("another", 404)])
def test_a_login_is_answered_as_published(service: Service, secret: str, status: int) -> None:
    answer = service.exchange("POST", "/login", data=CLIENT | {"client_secret": secret})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "asked", "status"),
    [
        ("GET", "/datagroups", {}, 200),
        ("GET", "/datagroups/7", {}, 200),
        ("GET", "/datagroups/9", {}, 404),
        ("PATCH", "/datagroups/7", {"json": {"triggered_at": NOW_S}}, 200),
        ("PATCH", "/datagroups/7", {"json": {"stale_before": NOW_S}}, 200),
        ("PATCH", "/datagroups/7", {"json": {"stale_before": NOW_S + 9}}, 422),
        ("PATCH", "/datagroups/8", {"json": {"stale_before": NOW_S}}, 404),
    ],
)
def test_each_call_is_answered_as_published(
    service: Service, method: str, path: str, asked: Any, status: int
) -> None:
    assert service.exchange(method, path, **asked).status_code == status


def test_being_asked_too_often_is_answered_as_published(service: Service) -> None:
    service.looker.window = Window(1, service.looker.window.per)
    service.looker.window.take()

    assert service.exchange("GET", "/datagroups").status_code == 429


def test_a_logout_is_answered_as_published(service: Service, description: Any) -> None:
    answer = requests.delete(f"{service.api}/logout", headers=service.headers, timeout=5)

    # with an empty body, which the file says to be a text
    assert str(answer.status_code) in description["paths"]["/logout"]["delete"]["responses"]
    assert answer.content == b""


def test_what_may_be_set_is_what_the_description_does_not_say_is_only_read(
    description: Any,
) -> None:
    fields = description["components"]["schemas"]["Datagroup"]["properties"]

    settable = {name for name, field in fields.items() if not field.get("readOnly")}

    assert settable == {"triggered_at", "stale_before"}


@pytest.mark.parametrize("effect", ["trigger", "drop_cache"])
@pytest.mark.parametrize("datagroup", ["shop::daily", "7"])
def test_what_we_ask_is_as_published(description: Any, datagroup: str, effect: str) -> None:
    looker = Looker(
        client_id="an-id", client_secret="a-secret", datagroups=[Datagroup("7", "shop", "daily")]
    )
    recorded = Recorded(looker.app)
    with serve(recorded) as url:
        written = {"client_id": "an-id", "client_secret": "env:S", "datagroup": datagroup}
        made = Destination.model_validate({"base_url": url, "effect": effect, **written})
        destination, outbound = made.with_secrets(lambda _: "a-secret"), Outbound()
        for case in CASES:
            destination.deliver(a_case("looker", case), outbound)

    openapi = OpenAPI.from_dict(description | {"servers": [{"url": f"{url}/api/4.0"}]})
    settable = set(description["components"]["schemas"]["Datagroup"]["properties"])
    assert [sent.method for sent in recorded.sent].count("PATCH") == len(CASES)
    for sent in recorded.sent:
        openapi.validate_request(RequestsOpenAPIRequest(sent.at(url)))
        if sent.method == "PATCH":
            assert set(json.loads(sent.body)) <= settable
        if sent.method == "POST":  # of the log-in, the description has only words
            assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
            assert sent.body == b"client_id=an-id&client_secret=a-secret"
