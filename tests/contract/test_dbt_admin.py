"""The lab's Admin API against the published OpenAPI description."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from openapi_schema_validator import OAS30Validator

from lab.dbt_cloud.cloud import DbtCloud, Served
from subscriber.dbt_cloud.account import Account
from subscriber.dbt_cloud.admin import Admin
from subscriber.outbound import Outbound
from tests.contract import published

ALL_RELATED = '["trigger","job","environment","run_steps"]'

# Fields that the description says are never null; observed ones are null when there is none.
NULL_ALL_THE_SAME = {
    *("deferring_run_id", "status_message", "owner_thread_id", "artifact_s3_path"),
    *("finished_at", "last_checked_at", "last_heartbeat_at", "retrying_run_id", "deprecation"),
    *("retry_not_supported_reason", "trigger", "job", "environment", "run_steps"),
    *("trigger/azure_pull_request_id", "trigger/github_pull_request_id"),
    *("trigger/gitlab_merge_request_id", "trigger/non_native_pull_request_id"),
    *("trigger/schema_override", "trigger/dbt_version_override", "trigger/threads_override"),
    *("trigger/target_name_override", "trigger/generate_docs_override"),
    *("trigger/timeout_seconds_override", "trigger/steps_override"),
    *("run_steps/*/debug_logs", "run_steps/*/log_path", "run_steps/*/debug_log_path"),
}

ALL_OVERRIDES: dict[str, object] = {
    "git_sha": "9f3c1d2e",
    "git_branch": "main",
    "schema_override": "analytics",
    "dbt_version_override": "1.11.16",
    "target_name_override": "prod",
    "threads_override": 8,
    "timeout_seconds_override": 3600,
    "generate_docs_override": False,
    "steps_override": ["dbt build"],
    "azure_pull_request_id": 1,
    "github_pull_request_id": 2,
    "gitlab_merge_request_id": 3,
    "non_native_pull_request_id": 4,
}

# Fields of a step that nobody has asked for.
NOT_SERVED = ("run_step_invocation", "status_color")

# Fields that answers have and the description of a run's parts leaves out. Those of a step are in
# its schema RunStepResponse.
NOT_DESCRIBED = {
    *("trigger/id", "job/id", "environment/id"),
    *(f"run_steps/*/{name}" for name in ("id", "status_humanized", "truncated_debug_logs")),
    *(f"run_steps/*/{name}" for name in ("created_at", "updated_at", "started_at", "finished_at")),
    *(f"run_steps/*/{name}" for name in ("duration", "duration_humanized", "run_step_command")),
}


@pytest.fixture(scope="module")
def cloud() -> DbtCloud:
    cloud = DbtCloud()
    pull_requests = cloud.add_job("On pull requests", job_type="ci")
    cloud.run(sample="success")
    cloud.run(sample="model_error")
    cloud.run(pull_requests, sample="clone_failure", cause_category="ci", pull_request_id=17)
    cloud.run(sample="cancelled")
    cloud.start()
    cloud.run(cloud.add_job("Hourly build"), sample="model_error")
    return cloud


@pytest.fixture(scope="module")
def served(cloud: DbtCloud) -> Iterator[Served]:
    with cloud.running() as served:
        yield served


def test_a_run_answers_as_published_but_for_known_flaws(cloud: DbtCloud, served: Served) -> None:
    answers = [
        get(cloud, served, f"runs/{run_id}/", include_related=related)
        for run_id in cloud.runs
        for related in ("", ALL_RELATED)
    ]

    found = [problem for answer in answers for problem in problems(answer, "RunResponseEnveloped")]

    assert {problem for problem in found if not is_null(problem)} == set()
    assert {below("data", path) for path, _ in found} == NULL_ALL_THE_SAME


def test_each_way_to_begin_a_run_answers_as_published_but_for_known_flaws(
    cloud: DbtCloud, served: Served
) -> None:
    job = cloud.add_job("Marts")
    failed = cloud.run(job, sample="model_error")

    answers = [
        post(cloud, served, f"runs/{failed.id}/retry/"),
        post(cloud, served, f"jobs/{job.id}/run/", {"cause": "a reason", **ALL_OVERRIDES}),
        post(cloud, served, f"jobs/{job.id}/rerun/"),
    ]
    begun = [answer["data"]["id"] for answer in answers]
    answers += [get(cloud, served, f"runs/{each}/", include_related="trigger") for each in begun]

    found = [problem for answer in answers for problem in problems(answer, "RunResponseEnveloped")]
    assert {problem for problem in found if not is_null(problem)} == set()
    nulls = {below("data", path) for path, _ in found}
    assert nulls <= NULL_ALL_THE_SAME | {"dequeued_at", "started_at"}


def test_what_a_run_may_be_begun_with_is_what_is_published() -> None:
    described = component("TriggerRunRequestRequest")

    assert {"cause", *ALL_OVERRIDES} == set(described["properties"])
    assert problems({"cause": "a reason", **ALL_OVERRIDES}, "TriggerRunRequestRequest") == []


def test_a_run_has_no_field_that_is_not_published_but_for_those_known(
    cloud: DbtCloud, served: Served
) -> None:
    answers = [
        get(cloud, served, f"runs/{run_id}/", include_related=ALL_RELATED) for run_id in cloud.runs
    ]

    unknown = {path for a in answers for path in undescribed(a["data"], component("RunResponse"))}

    assert unknown == NOT_DESCRIBED


def test_a_step_answers_as_the_schema_of_steps_has_it(cloud: DbtCloud, served: Served) -> None:
    described = component("RunStepResponse")["properties"]

    for run_id in cloud.runs:
        run = get(cloud, served, f"runs/{run_id}/", include_related=ALL_RELATED)["data"]
        for step in run["run_steps"]:
            assert set(step) - set(described) == set()
            wrong = [text for where, text in problems(step, "RunStepResponse") if where == ""]
            assert set(wrong) <= {f"'{name}' is a required property" for name in NOT_SERVED}


def test_a_list_of_runs_answers_as_published_but_for_known_flaws(
    cloud: DbtCloud, served: Served
) -> None:
    answer = get(cloud, served, "runs/", include_related="trigger,job", order_by="-id", limit="2")

    found = problems(answer, "RunResponseListEnveloped")

    assert {problem for problem in found if not is_null(problem)} == set()
    assert {below("data/*", path) for path, _ in found} <= NULL_ALL_THE_SAME


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("projects/", "Project"),
        ("environments/", "EnvironmentV2"),
        ("jobs/", "HumanReadableJobDefinition"),
    ],
)
def test_a_list_of_what_the_account_holds_answers_as_published_but_for_nulls(
    cloud: DbtCloud, served: Served, path: str, name: str
) -> None:
    answer = get(cloud, served, path, order_by="-id", limit="2", state="all")

    found = problems(answer, f"{name}ListEnveloped")

    assert {problem for problem in found if not is_null(problem)} == set()
    listed = component(f"{name}ListEnveloped")["properties"]["data"]
    assert undescribed(answer["data"], listed) == set()


@pytest.mark.parametrize("what", ["projects", "environments", "jobs", "runs"])
def test_what_our_account_asks_a_list_for_is_published(
    cloud: DbtCloud, served: Served, what: str
) -> None:
    admin = Admin(served.base_url, lambda: served.token, Outbound())
    ours = Account(admin, str(cloud.account_id))
    before = len(cloud.admin_calls)
    ours.names()
    list(ours.runs(datetime(2026, 1, 1, tzinfo=UTC)))
    described = document()["paths"][f"/api/v2/accounts/{{account_id}}/{what}/"]["get"]
    known = {each["name"] for each in described["parameters"]}

    calls = [call for call in cloud.admin_calls.all[before:] if call.path.endswith(f"/{what}/")]

    assert calls
    assert {name for call in calls for name in parse_qs(call.query)} <= known


def test_a_job_answers_as_an_item_of_the_published_list_does(
    cloud: DbtCloud, served: Served
) -> None:
    listed = get(cloud, served, "jobs/")["data"]

    assert get(cloud, served, f"jobs/{listed[0]['id']}/")["data"] == listed[0]


def test_the_accounts_answer_as_published_but_for_what_is_not_needed(
    cloud: DbtCloud, served: Served
) -> None:
    answer = requests.get(
        f"{served.base_url}/api/v2/accounts/",
        headers={"Authorization": f"Token {served.token}"},
        timeout=5,
    ).json()

    found = {text for _, text in problems(answer, "AccountListEnveloped")}

    assert {text for text in found if not text.endswith("is a required property")} == set()
    assert undescribed(answer["data"][0], component("AccountResponse")) == set()


def test_a_list_of_artifacts_answers_as_published(cloud: DbtCloud, served: Served) -> None:
    run_id = min(cloud.runs)

    answer = get(cloud, served, f"runs/{run_id}/artifacts/")

    assert problems(answer, "ListOfStringsEnveloped") == []


def test_every_path_that_the_lab_serves_is_published(cloud: DbtCloud, served: Served) -> None:
    published = {re.sub(r"{\w+}", "{}", path) for path in document()["paths"]}

    ours = {
        "/api/v2/accounts/",
        "/api/v2/accounts/{}/projects/",
        "/api/v2/accounts/{}/environments/",
        "/api/v2/accounts/{}/jobs/",
        "/api/v2/accounts/{}/runs/",
        "/api/v2/accounts/{}/runs/{}/",
        "/api/v2/accounts/{}/runs/{}/artifacts/",
        "/api/v2/accounts/{}/runs/{}/artifacts/{}",
        "/api/v2/accounts/{}/runs/{}/retry/",
        "/api/v2/accounts/{}/jobs/{}/run/",
        "/api/v2/accounts/{}/jobs/{}/rerun/",
    }

    assert ours <= published


def get(cloud: DbtCloud, served: Served, path: str, **query: str) -> Any:
    answer = requests.get(
        f"{served.base_url}/api/v2/accounts/{cloud.account_id}/{path}",
        params=query,
        headers={"Authorization": f"Token {served.token}"},
        timeout=5,
    )
    assert answer.status_code == 200
    return answer.json()


def post(cloud: DbtCloud, served: Served, path: str, body: object = None) -> Any:
    answer = requests.post(
        f"{served.base_url}/api/v2/accounts/{cloud.account_id}/{path}",
        json=body,
        headers={"Authorization": f"Token {served.runner_token}"},
        timeout=5,
    )
    assert answer.status_code == 200
    return answer.json()


@cache
def document() -> Any:
    return published.description("dbt-cloud/openapi-v2.yaml")


def component(name: str) -> Any:
    return document()["components"]["schemas"][name]


@cache
def validator(name: str) -> OAS30Validator:
    reference = {"$ref": f"#/components/schemas/{name}"}
    return OAS30Validator({"allOf": [reference], "components": document()["components"]})


def problems(answer: Any, name: str) -> list[tuple[str, str]]:
    """Where `answer` is not as the component `name` says, and how; positions in lists as `*`."""
    return [
        ("/".join("*" if isinstance(part, int) else part for part in error.path), error.message)
        for error in validator(name).iter_errors(answer)
    ]


def is_null(problem: tuple[str, str]) -> bool:
    return problem[1].startswith("None ")


def below(prefix: str, path: str) -> str:
    assert path.startswith(f"{prefix}/")
    return path.removeprefix(f"{prefix}/")


def undescribed(value: Any, schema: Any, path: str = "") -> set[str]:
    """The paths of fields in `value` that `schema` does not name."""
    schema = resolved(schema)
    if isinstance(value, list) and "items" in schema:
        return {p for item in value for p in undescribed(item, schema["items"], f"{path}*/")}
    if not isinstance(value, dict) or "properties" not in schema:
        return set()
    known = schema["properties"]
    unknown = {f"{path}{name}" for name in value if name not in known}
    for name in value.keys() & known.keys():
        unknown |= undescribed(value[name], known[name], f"{path}{name}/")
    return unknown


def resolved(schema: Any) -> Any:
    while "$ref" in schema:
        schema = component(schema["$ref"].rpartition("/")[2])
    return schema
