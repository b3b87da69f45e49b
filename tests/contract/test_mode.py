"""Mode's destination and the lab's Mode against the published description (Swagger 2.0)."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import pytest
import requests
from openapi_schema_validator import OAS30Validator

from lab.limits import Window
from lab.mode import Mode
from lab.mode_run import DATASET_ON_THE_WAY, ON_THE_WAY, Ending
from lab.serve import serve
from subscriber.actions import Handle, Verb
from subscriber.destinations.mode import Mode as Destination
from subscriber.outbound import Outbound
from subscriber.progress import Running
from tests.builders import NOW, an_action
from tests.contract import published
from tests.contract.recording import Recording, Sent

CREDENTIALS = ("a-token", "a-secret")
REPORT = "5f4dcc3b5aa7"
DATASET = "5a4177a2902c"
RUNS = "/{account}/reports/{report}/runs"
DATASET_RUNS = "/{account}/datasets/{dataset}/runs"
NULL = {"enum": [None], "nullable": True}


class Service:
    """A Mode that serves, and the published description of it."""

    def __init__(self, url: str, mode: Mode, swagger: Any) -> None:
        self.mode = mode
        self.swagger = swagger
        self.base = url + swagger["basePath"]
        self.runs = self.base + RUNS.format(account="acme", report=REPORT)
        self.dataset_runs = self.base + DATASET_RUNS.format(account="acme", dataset=DATASET)

    def start(self, body: Any, credentials: Any = CREDENTIALS) -> requests.Response:
        return requests.post(self.runs, json=body, auth=credentials, timeout=5)

    def poll(self, token: str) -> requests.Response:
        return requests.get(f"{self.runs}/{token}", auth=CREDENTIALS, timeout=5)

    def check(self, path: str, method: str, answer: requests.Response) -> None:
        """Raise unless `answer` is one that the description has for `method` on `path`."""
        responses = self.swagger["paths"][path][method]["responses"]
        self.check_as(responses[str(answer.status_code)]["schema"], answer)

    def check_as(self, schema: Any, answer: requests.Response) -> None:
        """Raise unless `answer` is as `schema`, one of the description's, says."""
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
    mode = Mode(
        workspace="acme", reports=[REPORT], token=token, secret=secret, uses={REPORT: [DATASET]}
    )
    with serve(mode.app) as url:
        yield Service(url, mode, swagger)


def test_the_published_example_starts_a_run(service: Service) -> None:
    example = service.swagger["definitions"]["RunReportRequestBody"]["properties"]["parameters"]

    answer = service.start({"parameters": example["example"]})

    assert answer.status_code == 202
    service.check(RUNS, "post", answer)


def test_a_body_with_datasets_is_accepted_as_published(service: Service) -> None:
    answer = service.start({"report": {"dataset_tokens": [{"token": DATASET}]}})

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


def test_a_dataset_is_run_and_polled_as_published(service: Service) -> None:
    started = requests.post(service.dataset_runs, auth=CREDENTIALS, timeout=5)
    assert started.status_code == 202
    service.check(DATASET_RUNS, "post", started)

    as_told = {"$ref": "#/definitions/DatasetRun"}  # its path names the schema of a report's run
    for _ in range(3):
        answer = requests.get(
            f"{service.dataset_runs}/{started.json()['token']}", auth=CREDENTIALS, timeout=5
        )
        service.check_as(as_told, answer)
    assert answer.json()["state"] == "succeeded"


def test_the_states_of_a_dataset_run_are_the_published_ones(service: Service) -> None:
    states = service.swagger["definitions"]["DatasetRun"]["properties"]["state"]["enum"]

    assert {*DATASET_ON_THE_WAY, *get_args(Ending)} == set(states)


@pytest.mark.parametrize("ending", get_args(Ending))
def test_query_runs_are_listed_as_published(service: Service, ending: Ending) -> None:
    service.mode.ending = ending
    run = service.start({}).json()
    for _ in range(3):
        service.poll(run["token"])

    answer = requests.get(f"{service.runs}/{run['token']}/query_runs", auth=CREDENTIALS, timeout=5)

    service.check_as({"$ref": "#/definitions/QueryRuns"}, answer)
    (query_run,) = answer.json()["_embedded"]["query_runs"]
    definitions = {"definitions": nullable(service.swagger["definitions"])}
    OAS30Validator({"$ref": "#/definitions/QueryRun"} | definitions).validate(query_run)


def test_being_forbidden_or_asking_too_often_is_answered_as_published(service: Service) -> None:
    service.mode.may_run = False
    service.check_as({"$ref": "#/definitions/Forbidden"}, service.start({}))
    service.mode.limit = Window(1, timedelta(minutes=1), lambda: NOW)
    service.mode.limit.take()
    service.check_as({"$ref": "#/definitions/RateLimited"}, service.start({}))


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


@pytest.fixture(scope="module")
def sent() -> Iterator[list[Sent]]:
    """All that Mode is ever sent: by a report alone, and by one with datasets, to their ends."""
    stand_in = Mode(
        workspace="acme", reports=[REPORT], token="t", secret="s", uses={REPORT: [DATASET]}
    )
    stand_in.ending = "completed"
    recording = Recording(stand_in.app)
    with serve(recording) as url:
        for fields in ({}, {"datasets": [DATASET]}, {"parameters": {"a": 1}}):
            written = {"token": "env:T", "secret": "env:S", "base_url": url, **fields}
            destination = Destination.model_validate(
                {"workspace": "acme", "report": REPORT, **written}
            ).with_secrets(lambda ref: ref.name.lower())
            handle: Handle | None = destination.deliver(an_action(Verb.REFRESH), Outbound())
            while handle:
                progress = destination.progress(handle, Outbound())
                again = handle if isinstance(progress, Running) else None
                handle = getattr(progress, "handle", None) or again
        yield recording.sent


def test_every_request_is_one_that_is_published(sent: list[Sent]) -> None:
    swagger = published.description("mode/swagger.runs-only.derived.yml")
    definitions = {"definitions": swagger["definitions"]}
    kinds = set()
    for request in sent:
        if request.path.endswith("/query_runs"):
            continue  # it is linked to in every answer, and was trimmed from the description
        (path,) = [each for each in swagger["paths"] if leads(each, request.path)]
        asked = swagger["paths"][path][request.method.lower()]
        kinds.add(asked["operationId"])
        bodies = [each["schema"] for each in asked["parameters"] if each["in"] == "body"]
        if bodies:
            OAS30Validator(bodies[0] | definitions).validate(request.content)
            assert request.content.keys() <= bodies[0]["properties"].keys()
        elif request.method == "POST":
            assert request.content == {}
        assert request.headers["accept"] in swagger["produces"]

    assert kinds == {"runDataset", "getDatasetRun", "runReport", "getReportRun"}
    assert any("query_runs" in request.path for request in sent)


def leads(published: str, path: str) -> bool:
    """Whether `path` is one of those that are `published`, below the base path."""
    return re.fullmatch("/api" + re.sub(r"{\w+}", "[^/]+", published), path) is not None


def test_a_report_is_told_of_as_published(service: Service) -> None:
    answer = requests.get(service.runs.removesuffix("/runs"), auth=CREDENTIALS, timeout=5)

    service.check("/{account}/reports/{report}", "get", answer)


def test_the_runs_of_a_dataset_are_listed_as_published(service: Service) -> None:
    requests.post(service.dataset_runs, auth=CREDENTIALS, timeout=5)

    answer = requests.get(service.dataset_runs, auth=CREDENTIALS, timeout=5)

    service.check(DATASET_RUNS, "get", answer)
    assert answer.json()["pagination"]["total_count"] == 1


def test_a_look_asks_for_what_is_published_and_runs_nothing(service: Service) -> None:
    token, secret = CREDENTIALS
    made = Destination.model_validate(
        {
            "workspace": "acme",
            "report": REPORT,
            "datasets": [DATASET],
            "token": "env:T",
            "secret": "env:S",
            "base_url": service.base.removesuffix("/api"),
        }
    ).with_secrets(lambda ref: {"T": token, "S": secret}[ref.name])

    made.examine(Outbound())

    assert service.mode.runs == []
