"""The lab's Google: what it tells, and how it refuses."""

from collections.abc import Iterator

import pytest
import requests

from lab.google_apis import GoogleApis, deployed
from lab.serve import serve

TOPIC = "pubsub/v1/projects/p/topics/dbt-cloud-events"


class Service:
    def __init__(self, url: str, apis: GoogleApis) -> None:
        self.url, self.apis = url, apis

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: object = None,
        token: str = "t",  # noqa: S107 - no password
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.url}/{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=5)


@pytest.fixture
def service() -> Iterator[Service]:
    apis = GoogleApis()
    deployed(apis, "p", "europe-west1", "https://s")
    with serve(apis.app) as url:
        yield Service(url, apis)


def test_what_is_there_is_told(service: Service) -> None:
    told = service.ask("run/v2/projects/p/locations/europe-west1/services/afterrun-receiver").json()

    assert told["uri"] == "https://afterrun-receiver-123456789.europe-west1.run.app"


def test_what_is_not_there_is_refused_in_googles_words(service: Service) -> None:
    answer = service.ask("iam/v1/projects/-/serviceAccounts/x@y")

    assert answer.status_code == 404
    assert answer.json()["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("path", "method", "token", "status"),
    [
        ("iam/v1/projects/-/serviceAccounts/x", "GET", "", 401),
        ("compute/v1/projects/p", "GET", "t", 404),
        (f"{TOPIC}:setIamPolicy", "POST", "t", 501),
        (f"{TOPIC}:getIamPolicy", "POST", "t", 501),
        (TOPIC, "DELETE", "t", 405),
        (f"{TOPIC}:testIamPermissions", "POST", "t", 400),
        ("pubsub/v2/projects/p/topics/dbt-cloud-events:getIamPolicy", "GET", "t", 404),
    ],
)
def test_it_only_tells(service: Service, path: str, method: str, token: str, status: int) -> None:
    assert service.ask(path, method, {}, token).status_code == status


def test_a_policy_has_its_bindings(service: Service) -> None:
    (binding,) = service.ask(f"{TOPIC}:getIamPolicy").json()["bindings"]

    assert binding == {
        "role": "roles/pubsub.publisher",
        "members": ["serviceAccount:afterrun-receiver@p.iam.gserviceaccount.com"],
    }


def test_permissions_that_are_had_are_told_and_none_is_an_empty_object(service: Service) -> None:
    letters = "pubsub/v1/projects/p/subscriptions/dbt-cloud-events-dead-letters"
    asked = {"permissions": ["pubsub.subscriptions.consume", "pubsub.subscriptions.delete"]}

    some = service.ask(f"{letters}:testIamPermissions", "POST", asked).json()
    none = service.ask(f"{TOPIC}:testIamPermissions", "POST", asked).json()

    assert (some, none) == ({"permissions": ["pubsub.subscriptions.consume"]}, {})


def test_a_service_may_be_hidden_or_switched_off(service: Service) -> None:
    service.apis.hidden.add("pubsub")
    service.apis.disabled.add("iam")

    hidden = service.ask(f"{TOPIC}:getIamPolicy")
    off = service.ask("iam/v1/projects/-/serviceAccounts/x")

    assert (hidden.status_code, off.status_code) == (403, 403)
    assert "has not been used in project" in off.json()["error"]["message"]
