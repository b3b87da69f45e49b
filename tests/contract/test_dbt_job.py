"""What a dbt job is run, retried and followed with, against the published OpenAPI description."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator

from lab.dbt_cloud import access
from lab.dbt_cloud.cloud import DbtCloud
from lab.serve import serve
from subscriber.destinations.dbt_job import DbtJob
from subscriber.outbound import Outbound
from tests.contract import published
from tests.contract.recording import Recording, Sent
from tests.subscriber.test_destinations.golden import CASES, a_case
from tests.subscriber.test_destinations.test_dbt_job import after

OTHERWISE: dict[str, Any] = {"steps": ["dbt build -s a"], "git_branch": "main", "threads": 4}
TRIGGER = "TriggerRunRequestRequest"


@pytest.fixture(scope="module")
def document() -> Any:
    return published.description("dbt-cloud/openapi-v2.yaml")


@pytest.fixture(scope="module")
def sent() -> Iterator[list[Sent]]:
    """All that dbt Cloud is ever sent: a start, a retry, one that was retried before, and looks."""
    cloud = DbtCloud()
    marts = cloud.add_job("Marts")
    recording = Recording(cloud.admin_app)
    with serve(recording) as url:

        def destination(**fields: Any) -> DbtJob:
            made = DbtJob.model_validate({"token": "env:T", "base_url": url, **fields})
            return made.with_secrets(lambda _: access.RUNNER_TOKEN)

        for fields in ({}, OTHERWISE):
            running = destination(job=marts.id, **fields)
            handle = running.deliver(after(cloud.run()), Outbound())
            running.progress(handle, Outbound())
        failed = cloud.run(sample="model_error")
        for _ in range(2):
            destination(action="retry").deliver(after(failed), Outbound())
        destination(job=marts.id, account=cloud.account_id).examine(Outbound())
        yield recording.sent


def operation(document: Any, request: Sent) -> Any:
    """What is published of such a request."""
    (found,) = [
        operations
        for path, operations in document["paths"].items()
        if re.fullmatch(re.sub(r"{\w+}", "[0-9]+", path), request.path)
    ]
    return found[request.method.lower()]


def test_every_kind_of_request_was_sent(sent: list[Sent]) -> None:
    kinds = {f"{r.method} {re.sub('[0-9]{2,}', '1', r.path.split('/', 5)[5])}" for r in sent}

    assert kinds == {
        "POST jobs/1/run/",
        "POST runs/1/retry/",
        "GET runs/1/",
        "GET runs/",
        "GET jobs/1/",
    }


def test_every_request_has_a_published_path_and_published_parameters(
    document: Any, sent: list[Sent]
) -> None:
    for request in sent:
        parameters = operation(document, request).get("parameters", ())
        known = {each["name"] for each in parameters if each["in"] == "query"}
        # what is related is documented with the answer, not among the parameters of one run
        assert set(request.query) - {"include_related"} <= known


def test_every_body_is_as_published(document: Any, sent: list[Sent]) -> None:
    for request in sent:
        if "requestBody" in operation(document, request):
            assert request.headers["content-type"] == "application/json"
            assert wrong(document, request.content) == []
        elif request.method == "POST":
            assert request.content == {}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("otherwise", [{}, OTHERWISE])
def test_whatever_ended_the_body_is_as_published(
    document: Any, case: str, otherwise: dict[str, Any]
) -> None:
    written = DbtJob.model_validate({"job": 456, "token": "env:T", **otherwise})

    _, _, body = written.shown(a_case("dbt_job", case)).partition("\n")

    assert wrong(document, json.loads(body)) == []
    assert len(json.loads(body)["cause"]) <= 255


def wrong(document: Any, body: Any) -> list[str]:
    """How `body` is not what a job may be run with; what is not named there is wrong too."""
    schemas = document["components"]
    described = schemas["schemas"][TRIGGER]["properties"]
    reference = {"$ref": f"#/components/schemas/{TRIGGER}"}
    validator = OAS30Validator({"allOf": [reference], "components": schemas})
    return [error.message for error in validator.iter_errors(body)] + sorted(
        set(body) - set(described)
    )
