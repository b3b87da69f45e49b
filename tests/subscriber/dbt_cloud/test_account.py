"""What an account holds, listed over loopback, and runs as the webhooks that told of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.dbt_cloud import events
from lab.dbt_cloud.access import METADATA_TOKEN, TOKEN
from lab.dbt_cloud.cloud import DbtCloud
from lab.faults import Fault
from shared.errors import TemporaryFailure
from shared.event import read
from subscriber.dbt_cloud.account import Account, Names, body_of, time_of
from subscriber.dbt_cloud.admin import Admin
from subscriber.outbound import Busy, Outbound, Refused

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NO_NAMES = Names({}, {}, {})


@pytest.fixture
def cloud() -> DbtCloud:
    return DbtCloud()


@contextmanager
def listed(cloud: DbtCloud, token: str = TOKEN, account_id: str = "") -> Iterator[Account]:
    with cloud.running() as served:
        admin = Admin(served.base_url, lambda: token, Outbound(read_timeout_s=2.0))
        yield Account(admin, account_id or str(cloud.account_id))


def of(account: Account, runs: list[dict[str, Any]]) -> list[bytes]:
    names = account.names(also_deleted=True)
    bodies = [body_of(run, account.id, names) for run in runs]
    return [body for body in bodies if body is not None]


def test_the_names_of_projects_environments_and_jobs_are_listed_with_their_projects(
    cloud: DbtCloud,
) -> None:
    finance = cloud.add_project("Finance")
    staging = cloud.add_environment("Staging", finance)
    hourly = cloud.add_job("Hourly", staging)

    with listed(cloud) as account:
        names = account.names()

    assert [each.name for each in names.projects.values()] == ["Teahouse", "Finance"]
    assert names.environments[str(staging.id)].name == "Staging"
    assert names.environments[str(staging.id)].parent == str(finance.id)
    assert names.jobs[str(hourly.id)].name == "Hourly"
    assert names.jobs[str(hourly.id)].parent == str(finance.id)
    assert names.hidden == ()
    assert hourly.id > 2**32


def test_a_list_of_more_than_one_page_is_whole(cloud: DbtCloud) -> None:
    for number in range(250):
        cloud.add_job(f"Job {number}")

    with listed(cloud) as account:
        assert len(account.names().jobs) == 251

    asked = [call.query for call in cloud.admin_calls.all if call.path.endswith("/jobs/")]
    assert [query.partition("offset=")[2] for query in asked] == ["0", "100", "200"]


def test_what_was_deleted_has_a_name_for_the_past_only(cloud: DbtCloud) -> None:
    gone = cloud.add_job("Gone")
    cloud.jobs[gone.id] = replace(gone, state=2)

    with listed(cloud) as account:
        now, past = account.names(), account.names(also_deleted=True)

    assert str(gone.id) not in now.jobs
    assert past.jobs[str(gone.id)].name == "Gone"
    assert past.jobs[str(gone.id)].is_deleted
    assert not past.jobs[str(cloud.job.id)].is_deleted


@pytest.mark.parametrize("status", [403, 404])
def test_a_list_that_the_token_may_not_read_is_empty_and_named(
    cloud: DbtCloud, status: int
) -> None:
    cloud.admin_faults.always(Fault("answer", status=status, path="/environments/"))

    with listed(cloud) as account:
        names = account.names()

    assert (names.environments, names.hidden) == ({}, ("environments",))
    assert [each.name for each in names.jobs.values()] == ["Nightly build"]


def test_a_token_that_is_refused_is_no_list_that_is_hidden(cloud: DbtCloud) -> None:
    with listed(cloud, "wrong") as account, pytest.raises(Refused) as refused:
        account.names()

    assert refused.value.status == 401
    assert "answered 401, invalid token" in str(refused.value)


@pytest.mark.parametrize(("token", "account_id"), [(METADATA_TOKEN, ""), (TOKEN, "17")])
def test_runs_that_the_token_may_not_see_are_refused_with_what_to_look_at(
    cloud: DbtCloud, token: str, account_id: str
) -> None:
    with listed(cloud, token, account_id) as account, pytest.raises(Refused) as refused:
        list(account.runs(LONG_AGO))

    assert refused.value.status == 404
    assert f"shows this token no runs of account {account.id} (404)" in str(refused.value)


def test_busy_is_not_taken_for_a_list_that_is_hidden(cloud: DbtCloud) -> None:
    cloud.admin_faults.always(Fault("answer", status=429, path="/jobs/"))

    with listed(cloud) as account, pytest.raises(Busy) as busy:
        account.names()

    assert busy.value.status == 429


@pytest.mark.parametrize("body", ["hello", ["a"], {"status": 200}])
def test_what_is_not_the_admin_api_is_said(cloud: DbtCloud, body: object) -> None:
    cloud.admin_faults.always(Fault("answer", status=200, body=body))

    with listed(cloud) as account, pytest.raises(TemporaryFailure, match="is its URL right"):
        account.names()


def test_runs_are_listed_with_the_newest_first_back_to_a_time(cloud: DbtCloud) -> None:
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    runs = [cloud.run(at=begin + timedelta(hours=hour)) for hour in range(5)]

    with listed(cloud) as account:
        found = list(account.runs(begin + timedelta(hours=2)))

    assert [run["id"] for run in found] == [run.id for run in reversed(runs[2:])]
    assert found[0]["trigger"]["cause_category"] == "scheduled"
    assert found[0]["job"]["name"] == "Nightly build"


def test_runs_that_begin_while_pages_are_read_make_none_come_twice_or_be_left_out(
    cloud: DbtCloud,
) -> None:
    there = {cloud.start().id for _ in range(250)}

    with listed(cloud) as account:
        pages = account.runs(LONG_AGO)
        found = [next(pages)["id"]]
        new = {cloud.start().id for _ in range(130)}
        found += [run["id"] for run in pages]

    assert len(found) == len(set(found))
    assert there <= set(found) <= there | new


def test_a_server_that_gives_shorter_pages_is_read_to_the_end(cloud: DbtCloud) -> None:
    def a_page(*ids: int) -> Fault:
        body = {
            "data": [{"id": id_, "created_at": "2026-02-01 08:00:00.000000+00:00"} for id_ in ids],
            "extra": {"pagination": {"count": len(ids), "total_count": 3}},
        }
        return Fault("answer", status=200, body=body)

    cloud.admin_faults.next(a_page(3, 2))
    cloud.admin_faults.next(a_page(1))

    with listed(cloud) as account:
        assert [run["id"] for run in account.runs(LONG_AGO)] == [3, 2, 1]


def test_one_run_can_be_asked_for(cloud: DbtCloud) -> None:
    run = cloud.run(sample="model_error")

    with listed(cloud) as account:
        found = account.run(str(run.id))

    assert found["id"] == run.id
    assert found["job"]["name"] == "Nightly build"


@pytest.mark.parametrize("sample", ["success", "model_error", "clone_failure"])
def test_a_run_reads_as_the_webhook_that_told_of_it(cloud: DbtCloud, sample: str) -> None:
    run = cloud.run(sample=sample)
    sent = events.of(run, "job.run.completed", webhook_id="wsu_1", webhook_name="Afterrun")

    with listed(cloud) as account:
        (body,) = of(account, list(account.runs(LONG_AGO)))

    was, made = read(sent.body), read(body)
    made_up = {"id": was.id, "occurred_at": was.occurred_at, "finished_at": was.finished_at}
    assert replace(made, **made_up) == was  # type: ignore[arg-type]
    assert made.id == f"run-{run.id}"
    assert made.finished_at == run.finished_at


def test_a_run_that_goes_on_was_told_of_by_nothing_yet(cloud: DbtCloud) -> None:
    cloud.start()

    with listed(cloud) as account:
        assert of(account, list(account.runs(LONG_AGO))) == []


def test_a_run_of_what_has_been_deleted_has_its_names_all_the_same(cloud: DbtCloud) -> None:
    cloud.run()
    cloud.environments[cloud.production.id] = replace(cloud.production, state=2)

    with listed(cloud) as account:
        (body,) = of(account, list(account.runs(LONG_AGO)))

    assert read(body).environment_name == "Production"


def test_what_a_run_lacks_is_empty_and_never_the_word_none() -> None:
    run = {
        "id": 70437497968255,
        "status": 20,
        "job_definition_id": 5,
        "job_id": None,
        "project_id": None,
        "environment_id": None,
        "status_message": None,
        "created_at": "2026-02-01 08:00:00.000000+00:00",
    }

    body = body_of(run, "1", NO_NAMES)

    assert body is not None
    told = json.loads(body)
    assert told["data"] == {
        "jobId": "5",
        "jobName": "",
        "runId": "70437497968255",
        "environmentId": "",
        "environmentName": "",
        "projectId": "",
        "projectName": "",
        "runStatus": "Errored",
        "runStatusCode": 20,
        "runStatusMessage": "None",
    }
    assert told["timestamp"] == "2026-02-01T08:00:00Z"
    assert read(body).run_id == "70437497968255"


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2024-08-30 12:43:34.602258+00:00", datetime(2024, 8, 30, 12, 43, 34, 602258, UTC)),
        ("2024-08-30T14:43:34+02:00", datetime(2024, 8, 30, 12, 43, 34, tzinfo=UTC)),
        ("2024-08-30T12:43:34.602258999Z", datetime(2024, 8, 30, 12, 43, 34, 602258, UTC)),
        ("2024-08-30 12:43:34", datetime(2024, 8, 30, 12, 43, 34, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
        (17, None),
    ],
)
def test_times_are_read_in_every_form_seen(written: object, time: datetime | None) -> None:
    assert time_of({"at": written}, "at") == time
