"""What is read from dbt Cloud's runs, and which of two retries the other."""

from typing import Any

import pytest

from lab.dbt_cloud.cloud import DbtCloud
from lab.faults import Fault
from shared.errors import TemporaryFailure
from subscriber.dbt_cloud.jobs import JobRun, Jobs
from subscriber.outbound import Outbound, UnknownOutcome

TOLD: dict[str, Any] = {
    "id": 70437497968255,
    "job_definition_id": 9,
    "status": 20,
    "status_message": "dbt command failed",
    "href": "https://cloud.getdbt.com/deploy/1/projects/9/runs/70437497968255/",
    "trigger": {"cause": "scheduled", "cause_category": "Scheduled"},
    "retrying_run_id": 70437497968000,
    "can_retry": False,
    "retry_not_supported_reason": "RETRY_NOT_LATEST_RUN",
}


def read(told: Any) -> JobRun:
    """The run, as dbt Cloud told it."""
    cloud = DbtCloud()
    with cloud.running() as served:
        cloud.admin_faults.next(Fault("answer", status=200, body={"data": told}))
        return Jobs(served.base_url, "1", "a-token", Outbound()).run("5")


def test_a_run_is_read_with_what_decides_on_another() -> None:
    assert read(TOLD) == JobRun(
        id="70437497968255",
        job_id="9",
        status=20,
        status_message="dbt command failed",
        link="https://cloud.getdbt.com/deploy/1/projects/9/runs/70437497968255/",
        cause="scheduled",
        category="scheduled",
        retrying="70437497968000",
        can_retry=False,
        why_no_retry="RETRY_NOT_LATEST_RUN",
    )


@pytest.mark.parametrize("odd", [None, 7.5, [], {}, True, "\ud83d", "javascript:x"])
def test_what_is_odd_in_a_run_is_left_out(odd: object) -> None:
    told = {"id": "5", **{name: odd for name in TOLD if name != "id"}}

    run = read(told)

    texts = (run.status_message, run.why_no_retry)
    assert texts == ((odd, odd) if isinstance(odd, str) else ("", ""))
    assert (run.id, run.status, run.link, run.cause, run.retrying) == ("5", None, "", "", "")
    assert run.can_retry is (True if odd is True else None)


@pytest.mark.parametrize("told", [None, [], "x", {}, {"id": 0}, {"id": True}, {"id": "x"}])
def test_what_is_no_run_is_not_taken_for_one(told: object) -> None:
    with pytest.raises(TemporaryFailure, match="Admin API"):
        read(told)


@pytest.mark.parametrize("body", [None, [], {"data": {}}, {"data": "x"}])
def test_what_is_no_list_is_not_taken_for_an_empty_one(body: object) -> None:
    cloud = DbtCloud()
    with cloud.running() as served:
        cloud.admin_faults.next(Fault("answer", status=200, body=body))

        with pytest.raises(TemporaryFailure, match="Admin API"):
            Jobs(served.base_url, "1", "a-token", Outbound()).newest("5")


@pytest.mark.parametrize("body", [None, [], {"data": None}, {"data": {"id": None}}])
def test_what_does_not_say_which_run_it_began_may_have_begun_one(body: object) -> None:
    cloud = DbtCloud()
    with cloud.running() as served:
        cloud.admin_faults.next(Fault("answer", status=200, body=body))

        with pytest.raises(UnknownOutcome, match="which run it began"):
            Jobs(served.base_url, "1", "a-token", Outbound()).start("5", {"cause": "x"})


def test_a_token_is_not_shown_when_it_is_printed() -> None:
    assert "a-token" not in repr(Jobs("https://x.example", "1", "a-token", Outbound()))


@pytest.mark.parametrize(
    ("run", "is_retry", "original"),
    [
        (JobRun("5"), False, ""),
        (JobRun("5", category="scheduled"), False, ""),
        (JobRun("5", category="rerun"), True, ""),
        (JobRun("5", retrying="4"), True, "4"),
        (JobRun("5", retrying="10"), False, ""),
    ],
)
def test_a_run_that_names_an_older_one_is_its_retry(
    run: JobRun, *, is_retry: bool, original: str
) -> None:
    assert (run.is_retry, run.original) == (is_retry, original)


@pytest.mark.parametrize(
    ("failed", "other", "expected"),
    [
        (JobRun("9"), JobRun("10", retrying="9", category="rerun"), True),
        (JobRun("9", retrying="10"), JobRun("10"), True),
        (JobRun("9"), JobRun("10", category="rerun"), True),
        (JobRun("9"), JobRun("10", retrying="8", category="rerun"), False),
        (JobRun("9"), JobRun("10", category="scheduled"), False),
        (JobRun("9"), JobRun("8", category="rerun"), False),
        (JobRun("9"), JobRun("9", category="rerun"), False),
    ],
)
def test_a_retry_is_recognised_whichever_of_the_two_runs_names_the_other(
    failed: JobRun, other: JobRun, *, expected: bool
) -> None:
    assert failed.is_retried_by(other) is expected
