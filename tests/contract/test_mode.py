"""The lab's Mode against the published description (Swagger 2.0)."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
import requests
from openapi_schema_validator import OAS30Validator

from lab.mode import Mode
from lab.mode_run import ON_THE_WAY, Ending
from lab.serve import serve
from tests.contract import published

CREDENTIALS = ("a-token", "a-secret")
REPORT = "5f4dcc3b5aa7"
RUNS = "/{account}/reports/{report}/runs"
NULL = {"enum": [None], "nullable": True}


class Service:
    """A Mode that serves, and the published description of it."""

    def __init__(self, url: str, swagger: Any) -> None:
        self.swagger = swagger
        self.base = url + swagger["basePath"]
        self.runs = self.base + RUNS.format(account="acme", report=REPORT)

    def start(self, body: Any, credentials: Any = CREDENTIALS) -> requests.Response:
        return requests.post(self.runs, json=body, auth=credentials, timeout=5)

    def poll(self, token: str) -> requests.Response:
        return requests.get(f"{self.runs}/{token}", auth=CREDENTIALS, timeout=5)

    def check(self, path: str, method: str, answer: requests.Response) -> None:
        """Raise unless `answer` is one that the description has for `method` on `path`."""
        responses = self.swagger["paths"][path][method]["responses"]
        schema = responses[str(answer.status_code)]["schema"]
        definitions = {"definitions": nullable(self.swagger["definitions"])}
        OAS30Validator(schema | definitions).validate(answer.json())
        assert answer.headers["content-type"] in self.swagger["produces"]


def nullable(schema: Any) -> Any:
    """`schema`, whose properties may be null too: Swagger 2.0 cannot say which of them may."""
    if isinstance(schema, list):
        return [nullable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: nullable(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        changed["properties"] = {
            name: {"anyOf": [each, NULL]} for name, each in changed["properties"].items()
        }
    return changed


@pytest.fixture
def service() -> Iterator[Service]:
    swagger = published.description("mode/swagger.runs-only.derived.yml")
    token, secret = CREDENTIALS
    mode = Mode(workspace="acme", reports=[REPORT], token=token, secret=secret)
    with serve(mode.app) as url:
        yield Service(url, swagger)


def test_the_published_example_starts_a_run(service: Service) -> None:
    example = service.swagger["definitions"]["RunReportRequestBody"]["properties"]["parameters"]

    answer = service.start({"parameters": example["example"]})

    assert answer.status_code == 202
    service.check(RUNS, "post", answer)


def test_a_body_with_datasets_is_accepted_as_published(service: Service) -> None:
    answer = service.start({"report": {"dataset_tokens": [{"token": "5a4177a2902c"}]}})

    service.check(RUNS, "post", answer)
    assert answer.status_code == 202


def test_each_poll_is_answered_as_published(service: Service) -> None:
    token = service.start({}).json()["token"]

    answers = [service.poll(token) for _ in range(4)]

    for answer in answers:
        service.check(RUNS + "/{run}", "get", answer)
    assert answers[-1].json()["state"] == "succeeded"


def test_the_states_of_a_run_are_the_published_ones(service: Service) -> None:
    states = service.swagger["definitions"]["ReportRun"]["properties"]["state"]["enum"]

    assert {*ON_THE_WAY, *get_args(Ending)} == set(states)


@pytest.mark.parametrize(
    ("body", "credentials", "status"),
    [({"parameters": []}, CREDENTIALS, 400), ({}, ("a-token", "wrong"), 401)],
)
def test_a_refusal_is_answered_as_published(
    service: Service, body: Any, credentials: Any, status: int
) -> None:
    answer = service.start(body, credentials)

    assert answer.status_code == status
    service.check(RUNS, "post", answer)


def test_a_run_that_is_not_there_is_answered_as_published(service: Service) -> None:
    answer = service.poll("unknown")

    assert answer.status_code == 404
    service.check(RUNS + "/{run}", "get", answer)


def test_the_singular_path_is_not_published_and_not_found(service: Service) -> None:
    singular = RUNS.removesuffix("s")

    answer = requests.post(service.runs.removesuffix("s"), json={}, auth=CREDENTIALS, timeout=5)

    assert singular not in service.swagger["paths"]
    assert answer.status_code == 404
