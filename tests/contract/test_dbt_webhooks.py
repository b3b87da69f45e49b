"""The lab's webhooks API, and our requests to it, against the published OpenAPI description."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import requests
from openapi_schema_validator import OAS30Validator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.dbt_cloud import access
from lab.dbt_cloud.cloud import DbtCloud, Served
from lab.serve import serve
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.webhooks import Subscription, Webhooks
from subscriber.outbound import Outbound
from tests.contract import published

WANTED: dict[str, object] = {
    "name": "prod alerts",
    "description": "alerts",
    "client_url": "",
    "active": True,
    "event_types": ["job.run.completed", "job.run.errored"],
    "job_ids": [],
}

# Fields that the documentation's samples have, and the description does not name.
NOT_DESCRIBED = {"created_at", "updated_at", "hmac_secret"}


async def take(request: Request) -> Response:
    return Response("taken", 202)


@pytest.fixture(scope="module")
def cloud() -> DbtCloud:
    return DbtCloud()


@pytest.fixture(scope="module")
def served(cloud: DbtCloud) -> Iterator[Served]:
    with cloud.running() as served:
        yield served


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve(Starlette(routes=[Route("/", take, methods=["POST"])])) as url:
        yield url


def test_each_call_answers_as_published(cloud: DbtCloud, served: Served, endpoint: str) -> None:
    def ask(method: str, path: str, status: int, body: object = None) -> Any:
        return asked(cloud, served, method, path, status, body)

    wanted = WANTED | {"client_url": endpoint}
    created = ask("POST", "subscriptions", 201, wanted)
    one = f"subscription/{created['data']['id']}"
    tested = ask("GET", f"{one}/test", 200)
    cloud.subscriptions.tell(cloud.run(), "job.run.completed")
    event = f"{one}/event/{tested['data']['event_id']}"
    answers = {
        "CreateSubscriptionResponseEnvelope": created,
        "TestSubscriptionResponseEnvelope": tested,
        "PaginatedWebhooksSubscriptions": ask("GET", "subscriptions", 200),
        "SubscriptionResponseEnvelope": ask("GET", one, 200),
        "UpdateSubscriptionResponseEnvelope": ask("PUT", one, 200, wanted | {"active": False}),
        "PaginatedWebhooksEvents": ask("GET", f"{one}/events", 200),
        "ListWebhooksReceiptsResponseEnvelope": ask("GET", f"{event}/receipt", 200),
        "DeleteSubscriptionResponseEnvelope": ask("DELETE", one, 200),
        "NotFound": ask("GET", one, 404),
    }

    found = {name: problems(answer, name) for name, answer in answers.items()}

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_a_webhook_has_no_field_that_is_not_published_but_for_those_documented(
    cloud: DbtCloud, served: Served, endpoint: str
) -> None:
    created = asked(cloud, served, "POST", "subscriptions", 201, WANTED | {"client_url": endpoint})

    unknown = created["data"].keys() - component("Subscription")["properties"].keys()

    assert unknown == NOT_DESCRIBED


def test_every_path_that_the_lab_serves_is_published() -> None:
    published_paths = {re.sub(r"{\w+}", "{}", path) for path in document()["paths"]}

    prefix = "/api/v3/accounts/{}/webhooks/"
    ours = {
        f"{prefix}subscriptions",
        f"{prefix}subscription/{{}}",
        f"{prefix}subscription/{{}}/test",
        f"{prefix}subscription/{{}}/events",
        f"{prefix}subscription/{{}}/event/{{}}/receipt",
    }

    assert ours <= published_paths


@pytest.mark.parametrize("description", ["", "alerts"])
def test_what_we_ask_for_is_as_published(description: str) -> None:
    asked: list[Any] = []

    async def answer(request: Request) -> Response:
        asked.append(await request.json())
        return JSONResponse({"data": {"id": "wsu_1"}, "status": {"code": 200}})

    with serve(Starlette(routes=[Route("/{path:path}", answer, methods=["POST", "PUT"])])) as url:
        webhooks = Webhooks(Admin(url, lambda: "token", Outbound()), "1")
        webhooks.create(
            Subscription(
                id="",
                name="prod alerts",
                client_url="https://example.run.app",
                event_types=("job.run.completed",),
                job_ids=("123",),
                description=description,
            )
        )

    assert [problems(body, "SubscriptionRequest") for body in asked] == [[]]
    assert asked[0].keys() <= component("SubscriptionRequest")["properties"].keys()


def asked(
    cloud: DbtCloud, served: Served, method: str, path: str, status: int, body: object = None
) -> Any:
    answer = requests.request(
        method,
        f"{served.base_url}/api/v3/accounts/{cloud.account_id}/webhooks/{path}",
        json=body,
        headers={"Authorization": f"Token {access.MANAGER_TOKEN}"},
        timeout=5,
    )
    assert answer.status_code == status
    return answer.json()


@cache
def document() -> Any:
    return published.description("dbt-cloud/openapi-v3.yaml")


def component(name: str) -> Any:
    return document()["components"]["schemas"][name]


def problems(answer: Any, name: str) -> list[str]:
    """How `answer` is not as the component `name` says."""
    reference = {"$ref": f"#/components/schemas/{name}"}
    validator = OAS30Validator({"allOf": [reference], "components": document()["components"]})
    return [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(answer)]
