"""Jobs are run and failed runs retried through the Admin API, as the real one does it."""

from datetime import timedelta

import pytest
import requests

from lab.dbt_cloud import access, rate_limit
from lab.dbt_cloud.cloud import DbtCloud, Served
from lab.dbt_cloud.rate_limit import RateLimited
from lab.dbt_cloud.state import Environment, Job, Run
from lab.limits import Window
from lab.serve import serve
from tests.builders import Clock
from tests.lab.dbt_cloud.client import Client


@pytest.fixture
def marts(cloud: DbtCloud) -> Job:
    return cloud.add_job("Marts")


def refusal(answer: requests.Response) -> tuple[int, str]:
    status = answer.json()["status"]
    assert (status["code"], status["is_success"]) == (answer.status_code, False)
    return answer.status_code, status["user_message"]


def statuses(client: Client, run_id: int, times: int) -> list[int]:
    path = f"{client.account_id}/runs/{run_id}/"
    return [client.get(path).json()["data"]["status"] for _ in range(times)]


def test_a_run_that_is_asked_for_is_queued(cloud: DbtCloud, client: Client, marts: Job) -> None:
    answer = client.run_job(marts, "Afterrun asks for it")

    assert answer.status_code == 200
    told = answer.json()["data"]
    assert (told["status"], told["status_humanized"]) == (1, "Queued")
    assert (told["job_definition_id"], told["in_progress"]) == (marts.id, True)
    assert (told["started_at"], told["finished_at"]) == (None, None)
    assert told["href"] == cloud.runs[told["id"]].href


def test_it_carries_its_cause(client: Client, marts: Job) -> None:
    client.run_job(marts, "Afterrun asks for it")

    answer = client.runs(
        job_definition_id=marts.id, order_by="-id", limit=1, include_related='["trigger"]'
    )

    (told,) = answer.json()["data"]
    assert told["trigger"]["cause"] == "Afterrun asks for it"
    assert told["trigger"]["cause_category"] == "api"


@pytest.mark.parametrize(
    ("ending", "status"), [("success", 10), ("model_error", 20), ("cancelled", 30)]
)
def test_it_goes_on_each_time_somebody_reads_it_until_it_ends_as_was_chosen(
    cloud: DbtCloud, client: Client, marts: Job, ending: str, status: int
) -> None:
    cloud.ending = ending
    run_id = client.run_job(marts).json()["data"]["id"]
    cloud.ending = "success"

    assert statuses(client, run_id, times=5) == [2, 3, status, status, status]


def test_to_list_runs_takes_none_of_them_on(client: Client, marts: Job) -> None:
    client.run_job(marts)

    for _ in range(5):
        (told,) = client.runs(job_definition_id=marts.id).json()["data"]

    assert told["status"] == 1


def test_a_run_that_dbt_cloud_began_itself_does_not_go_on_by_being_read(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.start()

    assert statuses(client, run.id, times=5) == [3] * 5


def test_a_repeat_is_a_second_run(cloud: DbtCloud, client: Client, marts: Job) -> None:
    client.run_job(marts, "the same")
    client.run_job(marts, "the same")

    assert len(cloud.runs) == 2


def test_a_run_may_do_otherwise_than_its_job_says(client: Client, marts: Job) -> None:
    answer = client.run_job(
        marts, steps_override=["dbt run -s a"], git_branch="x", threads_override=2
    )
    told = client.runs(include_related="trigger").json()["data"][0]

    assert answer.json()["data"]["git_branch"] == "x"
    assert told["trigger"]["steps_override"] == ["dbt run -s a"]
    assert told["trigger"]["threads_override"] == 2
    assert told["trigger"]["schema_override"] is None


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, "cause"),
        ({"cause": ""}, "cause"),
        ({"cause": "  "}, "cause"),
        ({"cause": None}, "cause"),
        ({"cause": 7}, "cause"),
        ({"cause": "x" * 256}, "255"),
        ({"cause": "x", "colour": "blue"}, "colour"),
        ({"cause": "x", "steps_override": "dbt build"}, "steps_override"),
        ({"cause": "x", "steps_override": [""]}, "steps_override"),
        ({"cause": "x", "git_branch": ""}, "git_branch"),
        ({"cause": "x", "threads_override": "4"}, "threads_override"),
        ({"cause": "x", "threads_override": True}, "threads_override"),
        ({"cause": "x", "generate_docs_override": 1}, "generate_docs_override"),
        ([], "object"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused_with_the_reason(
    cloud: DbtCloud, client: Client, marts: Job, body: object, names: str
) -> None:
    status, said = refusal(client.post(f"jobs/{marts.id}/run/", body))

    assert status == 400
    assert names in said
    assert cloud.runs == {}


@pytest.mark.parametrize("content_type", ["text/plain", ""])
@pytest.mark.parametrize("body", [b'{"cause": "x"}', b"{"])
def test_a_body_is_json_and_says_so(
    cloud: DbtCloud, client: Client, marts: Job, content_type: str, body: bytes
) -> None:
    answer = requests.post(
        f"{client.served.base_url}/api/v2/accounts/{cloud.account_id}/jobs/{marts.id}/run/",
        data=body,
        headers={"Authorization": f"Token {access.RUNNER_TOKEN}", "Content-Type": content_type},
        timeout=5,
    )

    assert (answer.status_code, cloud.runs) == (400, {})


def test_a_cause_of_255_characters_is_taken(client: Client, marts: Job) -> None:
    assert client.run_job(marts, "🙂" * 255).status_code == 200


PATHS = ["jobs/{job}/run/", "jobs/{job}/rerun/", "runs/{run}/retry/"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("token", "refused"),
    [("wrong", 401), (access.TOKEN, 403), (access.METADATA_TOKEN, 403)],
)
def test_a_token_without_the_right_to_run_jobs_runs_none(
    cloud: DbtCloud, client: Client, marts: Job, path: str, token: str, refused: int
) -> None:
    failed = cloud.run(marts, sample="model_error")
    path = path.format(job=marts.id, run=failed.id)

    answer = client.post(path, {"cause": "x"}, authorization=f"Token {token}")

    assert refusal(answer)[0] == refused
    assert list(cloud.runs) == [failed.id]


def test_a_missing_right_may_also_be_a_404(cloud: DbtCloud, client: Client, marts: Job) -> None:
    cloud.run_refusal = 404

    answer = client.post(
        f"jobs/{marts.id}/run/", {"cause": "x"}, authorization=f"Token {access.TOKEN}"
    )

    assert refusal(answer)[0] == 404
    assert "proper permissions" in refusal(answer)[1]


def test_who_may_only_run_jobs_sees_nothing_of_them(
    cloud: DbtCloud, client: Client, marts: Job
) -> None:
    cloud.metadata_only_refusal = 403
    blind = f"Token {access.BLIND_TOKEN}"

    begun = client.post(f"jobs/{marts.id}/run/", {"cause": "x"}, authorization=blind)
    seen = client.get(f"{cloud.account_id}/runs/", authorization=blind)

    assert (begun.status_code, seen.status_code) == (200, 403)


@pytest.mark.parametrize(
    "path", ["jobs/1/run/", "jobs/1/rerun/", "runs/1/retry/", "jobs/{job}/run"]
)
def test_what_is_not_there_is_not_found(client: Client, marts: Job, path: str) -> None:
    answer = client.post(path.format(job=marts.id), {"cause": "x"})

    assert refusal(answer)[0] == 404


def test_a_failed_run_is_taken_up_again_from_where_it_failed(
    cloud: DbtCloud, client: Client, marts: Job
) -> None:
    failed = cloud.run(marts, sample="model_error")

    told = client.post(f"runs/{failed.id}/retry/").json()["data"]

    assert told["id"] > failed.id
    assert (told["status"], told["retrying_run_id"]) == (1, failed.id)
    assert statuses(client, told["id"], times=3) == [2, 3, 10]
    assert cloud.runs[told["id"]].steps[-1].command == "dbt retry"
    listed = client.runs(order_by="-id", limit=1, include_related="trigger").json()["data"][0]
    assert listed["trigger"]["cause_category"] == "rerun"


def test_a_retry_may_fail_too(cloud: DbtCloud, client: Client, marts: Job) -> None:
    failed = cloud.run(marts, sample="model_error")
    cloud.ending = "model_error"

    told = client.post(f"runs/{failed.id}/retry/").json()["data"]

    assert statuses(client, told["id"], times=3) == [2, 3, 20]


def test_a_run_is_retried_once(cloud: DbtCloud, client: Client, marts: Job) -> None:
    failed = cloud.run(marts, sample="model_error")
    client.post(f"runs/{failed.id}/retry/")

    answer = client.post(f"runs/{failed.id}/retry/")

    assert refusal(answer) == (400, "This run cannot be retried: RETRY_NOT_LATEST_RUN")


def why_not(client: Client, run: Run) -> str | None:
    told = client.run(run).json()["data"]
    answer = client.post(f"runs/{run.id}/retry/")
    assert told["can_retry"] == (answer.status_code == 200)
    if answer.status_code != 200:
        assert told["retry_not_supported_reason"] in refusal(answer)[1]
    reason: str | None = told["retry_not_supported_reason"]
    return reason


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        ("model_error", None),
        ("success", "RETRY_NOT_FAILED_RUN"),
        ("cancelled", "RETRY_NOT_FAILED_RUN"),
        ("clone_failure", "RETRY_NO_RUN_RESULTS"),
        ("compile_error", "RETRY_NO_RUN_RESULTS"),
        ("source_freshness", "RETRY_UNSUPPORTED_CMD"),
    ],
)
def test_what_cannot_be_retried_says_why_beforehand_and_is_refused(
    cloud: DbtCloud, client: Client, marts: Job, sample: str, reason: str | None
) -> None:
    assert why_not(client, cloud.run(marts, sample=sample)) == reason


def test_only_the_newest_run_of_a_job_can_be_retried(
    cloud: DbtCloud, client: Client, marts: Job
) -> None:
    older, newer = (cloud.run(marts, sample="model_error") for _ in range(2))
    cloud.run(sample="success")

    assert why_not(client, older) == "RETRY_NOT_LATEST_RUN"
    assert why_not(client, newer) is None


def test_an_old_dbt_cannot_retry(cloud: DbtCloud, client: Client) -> None:
    old = Environment(1, "Old", cloud.project, dbt_version="1.5.9")

    run = cloud.run(cloud.add_job("Old build", old), sample="model_error")

    assert why_not(client, run) == "RETRY_UNSUPPORTED_VERSION"


def test_a_rerun_takes_up_the_last_run_if_it_failed_and_else_begins_anew(
    cloud: DbtCloud, client: Client, marts: Job
) -> None:
    failed = cloud.run(marts, sample="model_error")

    resumed = client.post(f"jobs/{marts.id}/rerun/").json()["data"]
    statuses(client, resumed["id"], times=3)
    afresh = client.post(f"jobs/{marts.id}/rerun/").json()["data"]

    assert (resumed["retrying_run_id"], afresh["retrying_run_id"]) == (failed.id, None)
    assert cloud.runs[afresh["id"]].trigger.cause_category == "api"


def test_who_asks_too_often_is_refused_for_five_minutes(cloud: DbtCloud) -> None:
    clock = Clock()
    limited = RateLimited(cloud.admin_app, Window(3, rate_limit.PER, clock))
    with serve(limited) as url:
        client = Client(Served(url, ""), cloud.account_id)

        asked = [client.runs().status_code for _ in range(4)]
        clock.passes(299)
        still = client.runs()
        clock.passes(1)
        again = client.runs().status_code

    assert asked == [200, 200, 200, 429]
    assert refusal(still)[0] == 429
    assert "retry-after" not in still.headers
    assert again == 200


def test_the_account_may_ask_5000_times_a_minute() -> None:
    clock = Clock()
    window = rate_limit.window(clock)

    assert [window.take() for _ in range(5_001)] == [None] * 5_000 + [timedelta(minutes=1)]


def test_the_timeline_tells_what_was_asked_for_and_how_it_ended(
    cloud: DbtCloud, client: Client, marts: Job
) -> None:
    run_id = client.run_job(marts, "Afterrun asks for it").json()["data"]["id"]
    statuses(client, run_id, times=4)

    told = [moment for moment in cloud.timeline.moments if moment.facts.get("run") == str(run_id)]

    assert [moment.what for moment in told] == [
        f"Marts: run {run_id} queued",
        f"Marts: run {run_id} ended, Success",
    ]
    assert told[0].facts["cause"] == "Afterrun asks for it"
