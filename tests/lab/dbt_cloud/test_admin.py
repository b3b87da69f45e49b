import re
from dataclasses import replace

import pytest

from lab.dbt_cloud.cloud import DbtCloud
from lab.dbt_cloud.readiness import Readiness
from tests.lab.dbt_cloud.client import Client

ADMIN_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00")


def test_a_run_tells_its_status_its_job_and_where_people_open_it(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="model_error")

    answer = client.run(run).json()

    assert answer["status"]["is_success"]
    told = answer["data"]
    assert (told["status"], told["status_humanized"]) == (20, "Error")
    assert (told["is_error"], told["is_success"], told["is_complete"]) == (True, False, True)
    assert told["job_definition_id"] == told["job_id"] == cloud.job.id
    assert told["href"] == (
        f"https://{cloud.host}/deploy/{cloud.account_id}/projects/{cloud.project.id}/runs/{run.id}"
    )
    assert ADMIN_TIME.fullmatch(told["started_at"])
    assert ADMIN_TIME.fullmatch(told["finished_at"])


def test_ids_need_more_than_32_bits_and_later_runs_have_greater_ones(cloud: DbtCloud) -> None:
    first, second = cloud.run(), cloud.run()

    assert 2**32 < first.id < second.id < 2**63
    assert cloud.account_id > 2**32


def test_what_is_related_is_null_unless_asked_for(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()

    told = client.run(run).json()["data"]

    assert [told[name] for name in ("trigger", "job", "environment", "run_steps")] == [None] * 4


@pytest.mark.parametrize(
    "asked", ['["run_steps","trigger"]', "['run_steps', 'trigger']", "run_steps,trigger"]
)
def test_what_is_related_can_be_asked_for_in_the_three_ways_seen(
    cloud: DbtCloud, client: Client, asked: str
) -> None:
    run = cloud.run(cause_category="merge")

    told = client.run(run, include_related=asked).json()["data"]

    assert told["trigger"]["cause_category"] == "merge"
    assert [step["name"] for step in told["run_steps"]] == [
        "Clone git repository",
        "Create profile from connection DuckDB",
        "Invoke dbt with `dbt deps`",
        "Invoke dbt with `dbt build`",
    ]
    assert told["job"] is None


def test_a_run_of_a_pull_request_can_be_recognised(cloud: DbtCloud, client: Client) -> None:
    job = cloud.add_job("On pull requests", job_type="ci")
    run = cloud.run(job, cause_category="ci", pull_request_id=17)

    told = client.run(run, include_related='["trigger","job"]').json()["data"]

    assert told["trigger"]["cause_category"] == "ci"
    assert told["trigger"]["github_pull_request_id"] == 17
    assert told["job"]["job_type"] == "ci"


def test_steps_have_indexes_from_one_their_own_status_and_dbts_coloured_log(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="model_error")

    steps = client.run(run, include_related="run_steps").json()["data"]["run_steps"]

    assert [step["index"] for step in steps] == [1, 2, 3, 4]
    assert [step["status"] for step in steps] == [10, 10, 10, 20]
    assert "\x1b[31mFailure in model orders" in steps[3]["logs"]
    assert steps[3]["run_step_command"]["dbt_command"] == "dbt build"


def test_a_run_whose_clone_failed_has_one_step_and_no_artifacts(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="clone_failure")

    steps = client.run(run, include_related="run_steps").json()["data"]["run_steps"]

    assert [(step["name"], step["status"]) for step in steps] == [("Clone git repository", 20)]
    assert client.run(run, "artifacts/").json()["data"] is None


def test_a_run_that_goes_on_has_not_finished_until_it_is_told_to(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.start()
    before = client.run(run).json()["data"]

    cloud.finish(run, "success")

    after = client.run(run).json()["data"]
    assert (before["status"], before["finished_at"], before["in_progress"]) == (3, None, True)
    assert (after["status"], after["in_progress"]) == (10, False)


def test_artifacts_come_raw_and_are_of_this_run(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run(sample="model_error")

    results = client.run(run, "artifacts/run_results.json").json()

    assert results["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run.id)
    generated_at = results["metadata"]["generated_at"]
    assert run.finished_at is not None
    assert f"{run.started_at:%Y-%m-%dT%H:%M:%S}" <= generated_at
    assert generated_at <= f"{run.finished_at:%Y-%m-%dT%H:%M:%S.%f}"


def test_without_a_step_the_last_ones_artifact_comes_whatever_it_did(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="several_steps")

    last = client.run(run, "artifacts/run_results.json").json()
    tested = client.run(run, "artifacts/run_results.json", step=6).json()

    assert last["args"]["which"] == "generate"
    assert tested["args"]["which"] == "test"


@pytest.mark.parametrize("query", [{"step": 1}, {"step": 3}, {"step": 99}])
def test_a_step_that_wrote_no_such_artifact_is_a_404(
    cloud: DbtCloud, client: Client, query: dict[str, int]
) -> None:
    run = cloud.run(sample="success")

    answer = client.run(run, "artifacts/run_results.json", **query)

    assert answer.status_code == 404
    assert answer.json()["data"] is None
    assert answer.json()["status"]["code"] == 404


def test_the_list_of_artifacts_names_what_can_be_had(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run(sample="tolerated_freshness")

    paths = client.run(run, "artifacts/").json()["data"]

    assert paths == ["manifest.json", "run_results.json", "sources.json"]


def test_artifacts_may_come_late(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run(sample="model_error", artifacts=Readiness(after_asks=2))

    statuses = [client.run(run, "artifacts/run_results.json").status_code for _ in range(3)]

    assert statuses == [404, 404, 200]


def test_artifacts_may_be_missing(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run(sample="model_error", artifacts=Readiness(None))

    assert client.run(run, "artifacts/run_results.json").status_code == 404
    assert client.run(run, "artifacts/").json()["data"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"order_by": "-id"}, [3, 2, 1, 0]),
        ({"order_by": "-finished_at", "limit": 1}, [3]),
        ({"status": 20}, [1]),
        ({"status__in": "[10,20]"}, [0, 1, 2]),
        ({"limit": 2, "offset": 1}, [1, 2]),
        ({"limit": 5_000}, [0, 1, 2, 3]),
    ],
)
def test_runs_can_be_listed(
    cloud: DbtCloud, client: Client, query: dict[str, str | int], expected: list[int]
) -> None:
    runs = [cloud.run(), cloud.run(sample="model_error"), cloud.run(), cloud.start()]

    answer = client.runs(**query).json()

    assert [told["id"] for told in answer["data"]] == [runs[index].id for index in expected]
    assert answer["extra"]["pagination"]["count"] == len(expected)


def test_runs_can_be_listed_by_job_and_from_an_id_on(cloud: DbtCloud, client: Client) -> None:
    hourly = cloud.add_job("Hourly build")
    first, _, second = cloud.run(hourly), cloud.run(), cloud.run(hourly)

    answer = client.runs(job_definition_id=hourly.id, id__gt=first.id).json()

    assert [told["id"] for told in answer["data"]] == [second.id]
    assert answer["extra"]["pagination"] == {"count": 1, "total_count": 1}


def test_no_page_holds_more_than_a_hundred_runs(cloud: DbtCloud, client: Client) -> None:
    for _ in range(101):
        cloud.start()

    answer = client.runs(limit=1_000).json()

    assert answer["extra"]["pagination"] == {"count": 100, "total_count": 101}


def test_a_list_relates_neither_steps_nor_environments(cloud: DbtCloud, client: Client) -> None:
    cloud.run()

    (told,) = client.runs(include_related="trigger,job,run_steps,environment").json()["data"]

    assert told["trigger"]["cause"] == "scheduled"
    assert told["job"]["name"] == "Nightly build"
    assert (told["run_steps"], told["environment"]) == (None, None)


@pytest.mark.parametrize("query", [{"status": "bad"}, {"order_by": "name"}, {"limit": 0}])
def test_a_list_that_makes_no_sense_is_refused(client: Client, query: dict[str, str | int]) -> None:
    assert client.runs(**query).status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["Nightly build", "Hourly", "Ad hoc"]),
        ({"order_by": "name"}, ["Ad hoc", "Hourly", "Nightly build"]),
        ({"order_by": "-id", "limit": 1}, ["Ad hoc"]),
        ({"limit": 1, "offset": 1}, ["Hourly"]),
        ({"offset": 9}, []),
        ({"state": "deleted"}, ["Gone"]),
        ({"state": "all"}, ["Nightly build", "Hourly", "Ad hoc", "Gone"]),
    ],
)
def test_jobs_can_be_listed(
    cloud: DbtCloud, client: Client, query: dict[str, str | int], expected: list[str]
) -> None:
    for name in ("Hourly", "Ad hoc", "Gone"):
        job = cloud.add_job(name)
    cloud.jobs[job.id] = replace(job, state=2)

    answer = client.get(f"{cloud.account_id}/jobs/", query).json()

    assert [told["name"] for told in answer["data"]] == expected
    assert answer["extra"]["pagination"]["count"] == len(expected)


def test_projects_and_environments_can_be_listed_too_and_by_their_project(
    cloud: DbtCloud, client: Client
) -> None:
    finance = cloud.add_project("Finance")
    cloud.add_environment("Staging", finance)

    projects = client.get(f"{cloud.account_id}/projects/").json()["data"]
    environments = client.get(
        f"{cloud.account_id}/environments/", {"project_id": finance.id}
    ).json()["data"]

    assert [told["name"] for told in projects] == ["Teahouse", "Finance"]
    assert [(told["name"], told["project_id"]) for told in environments] == [
        ("Staging", finance.id)
    ]


@pytest.mark.parametrize("what", ["projects", "environments", "jobs"])
def test_what_an_account_holds_is_for_the_tokens_that_may_view_runs(
    cloud: DbtCloud, client: Client, what: str
) -> None:
    def status(token: str) -> int:
        path = f"{cloud.account_id}/{what}/"
        return client.get(path, authorization=f"Token {token}").status_code

    served = client.served

    assert status(served.runner_token) == 200
    assert status(served.metadata_only_token) == 404
    assert status(served.blind_token) == 404
    assert status("wrong") == 401


@pytest.mark.parametrize("query", [{"state": "gone"}, {"order_by": "colour"}, {"offset": -1}])
def test_a_list_of_jobs_that_makes_no_sense_is_refused(
    cloud: DbtCloud, client: Client, query: dict[str, str | int]
) -> None:
    assert client.get(f"{cloud.account_id}/jobs/", query).status_code == 400


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "token"])
def test_the_token_is_taken_in_both_forms(client: Client, scheme: str) -> None:
    answer = client.get("", authorization=f"{scheme} {client.served.token}")

    assert [told["id"] for told in answer.json()["data"]] == [client.account_id]


@pytest.mark.parametrize("authorization", ["Token wrong", "wrong", "Basic dbtc"])
def test_a_wrong_token_is_refused_as_the_real_one_refuses(
    cloud: DbtCloud, client: Client, authorization: str
) -> None:
    run = cloud.run()

    answer = client.get(f"{cloud.account_id}/runs/{run.id}/", authorization=authorization)

    assert answer.status_code == 401
    assert answer.json() == {
        "status": {
            "code": 401,
            "is_success": False,
            "user_message": "Invalid token.",
            "developer_message": None,
        },
        "data": None,
    }


@pytest.mark.parametrize("refusal", [403, 404])
def test_a_token_for_metadata_sees_the_account_and_none_of_its_runs(
    cloud: DbtCloud, client: Client, refusal: int
) -> None:
    run = cloud.run()
    cloud.metadata_only_refusal = refusal
    metadata_only = f"Token {client.served.metadata_only_token}"

    account = client.get("", authorization=metadata_only)
    answer = client.get(f"{cloud.account_id}/runs/{run.id}/", authorization=metadata_only)

    assert account.status_code == 200
    assert answer.status_code == refusal
    assert answer.json()["status"]["code"] == refusal


def test_a_run_is_not_found_in_another_account(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()

    assert client.get(f"1/runs/{run.id}/").status_code == 404


@pytest.mark.parametrize(
    "path", ["1/runs/12345/", "{account}/runs/12345/", "{account}/runs/12345", "{account}/nothing/"]
)
def test_what_is_not_there_is_a_404_in_the_envelope(client: Client, path: str) -> None:
    answer = client.get(path.format(account=client.account_id))

    assert answer.status_code == 404
    assert answer.json()["status"]["is_success"] is False
