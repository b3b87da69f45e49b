"""A dbt job: run after a run, or a run retried, as the lab's dbt Cloud takes it."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import ValidationError

from lab.dbt_cloud import access
from lab.dbt_cloud.cloud import DbtCloud, Served
from lab.dbt_cloud.state import Job, Run
from lab.faults import Fault
from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.actions import Action, Handle, Verb
from subscriber.destinations.dbt_job import CHAIN_LIMIT, DbtJob
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome
from subscriber.progress import Done, Failed, Progress, Running
from tests.builders import a_told, an_action
from tests.subscriber.test_destinations.world import World

TOKEN = access.RUNNER_TOKEN


def a_dbt_job(token: str = TOKEN, **fields: Any) -> DbtJob:
    """As it is when its secrets have been read."""
    written = {"job": 456, "token": "env:TOKEN", **fields}
    return DbtJob.model_validate(written).with_secrets(lambda _: token)


def after(run: Run, *, key: str = "", **facts: str) -> Action:
    """The action that follows `run`; what started that is not known unless `facts` say."""
    told = {
        "account_id": str(run.account_id),
        "job_id": str(run.job.id),
        "run_id": str(run.id),
        **facts,
    }
    return an_action(
        Verb.REFRESH,
        key=key or f"{run.account_id}/marts/job/{run.job.id}/{run.id}/refresh/1",
        message=a_told(headline="Staging succeeded in Production", facts=told),
    )


@dataclass(frozen=True)
class Side:
    """dbt Cloud with a job that was run, `staging`, and one that is to be run, `marts`."""

    cloud: DbtCloud
    served: Served
    staging: Job
    marts: Job

    def destination(self, **fields: Any) -> DbtJob:
        return a_dbt_job(**{"job": self.marts.id, "base_url": self.served.base_url, **fields})

    def begun(self) -> list[Run]:
        """The runs of `marts`, in their order."""
        return [run for run in self.cloud.runs.values() if run.job == self.marts]

    def calls(self) -> list[str]:
        """What was asked for, without the account."""
        account = f"/api/v2/accounts/{self.cloud.account_id}/"
        return [f"{c.method} {c.path.removeprefix(account)}" for c in self.cloud.admin_calls.all]


@contextmanager
def a_side() -> Iterator[Side]:
    cloud = DbtCloud()
    with cloud.running() as served:
        yield Side(cloud, served, cloud.add_job("Staging"), cloud.add_job("Marts"))


@pytest.fixture
def side() -> Iterator[Side]:
    with a_side() as side:
        yield side


@dataclass(frozen=True)
class Actions(World):
    """A world in which each delivery is of another action: what was begun is not begun again."""

    def deliver(self, action: Action | None = None) -> Handle:
        told = (action or self.action).message
        # of a run that the stand-in knows, whatever is told of it
        facts = told.facts | self.action.message.facts
        about = replace(self.action, message=replace(told, facts=facts))
        another = replace(about, key=f"{about.key}/{next(NUMBERS)}")
        return self.destination.deliver(another, Outbound(read_timeout_s=2))


NUMBERS = itertools.count()


@contextmanager
def a_world() -> Iterator[World]:
    with a_side() as side:
        yield Actions(
            destination=side.destination(),
            action=after(side.cloud.run(side.staging)),
            carried_out=lambda: len(side.begun()),
            faults=side.cloud.admin_faults,
            noes=({}, [], {"data": None}, {"status": {"is_success": False}, "data": {"id": "x"}}),
            path="/run/",
        )


def test_a_job_is_run_after_a_run(side: Side) -> None:
    source = side.cloud.run(side.staging)

    handle = side.destination().deliver(after(source), Outbound())

    (run,) = side.begun()
    assert handle == Handle(f"{side.cloud.account_id}/{run.id}", run.href)
    assert run.trigger.cause == (
        "Staging succeeded in Production "
        f"[afterrun 1 {source.account_id}/marts/job/{source.job.id}/{source.id}/refresh/1]"
    )
    assert run.trigger.overrides == {}


def test_what_is_done_otherwise_than_the_job_says_is_told(side: Side) -> None:
    written = side.destination(steps=["dbt build -s marts"], git_branch=" hotfix ", threads=8)

    written.deliver(after(side.cloud.run(side.staging)), Outbound())

    assert side.begun()[0].trigger.overrides == {
        "steps_override": ["dbt build -s marts"],
        "git_branch": "hotfix",
        "threads_override": 8,
    }


def test_the_account_is_the_runs_unless_another_is_written(side: Side) -> None:
    source = side.cloud.run(side.staging)
    elsewhere = replace(source, account_id=1)

    written = side.destination(account=side.cloud.account_id)
    handle = written.deliver(after(elsewhere), Outbound())

    assert handle.key.startswith(f"{side.cloud.account_id}/")
    with pytest.raises(PermanentFailure, match="write `account`"):
        side.destination().deliver(an_action(Verb.REFRESH), Outbound())


@pytest.mark.parametrize("name", ["account_id", "run_id", "job_id"])
@pytest.mark.parametrize(
    "odd", ["../../x", "1/../2", "", "x", "0", "1" * 20, "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_an_id_that_is_none_is_not_asked_with(side: Side, name: str, odd: str) -> None:
    action = after(side.cloud.run(side.staging), **{name: odd})

    try:
        side.destination().deliver(action, Outbound())
    except PermanentFailure:
        assert name == "account_id"

    assert all(call.path.isascii() and ".." not in call.path for call in side.cloud.admin_calls.all)


def test_what_an_earlier_try_began_is_found_again_and_not_begun_twice(side: Side) -> None:
    action = after(side.cloud.run(side.staging))
    side.cloud.admin_faults.next(Fault("lost", path="/run/"))
    destination = side.destination()

    with pytest.raises(UnknownOutcome):
        destination.deliver(action, Outbound())
    for _ in range(120):
        side.cloud.start(side.staging)
    handle = destination.deliver(action, Outbound())

    (run,) = side.begun()
    assert handle == Handle(f"{side.cloud.account_id}/{run.id}", run.href)


def test_another_action_begins_a_run_of_its_own(side: Side) -> None:
    first, second = side.cloud.run(side.staging), side.cloud.run(side.staging)

    handles = [side.destination().deliver(after(run), Outbound()) for run in (first, second)]

    assert len(set(handles)) == len(side.begun()) == 2


def test_an_action_whose_key_begins_as_anothers_does_is_another(side: Side) -> None:
    source = side.cloud.run(side.staging)

    for key in ("1/marts/job/7/10", "1/marts/job/7/1", "1/marts/job/7/10 ", "marts/job/7/10"):
        side.destination().deliver(after(source, key=key), Outbound())

    assert len(side.begun()) == 4


def test_a_job_is_not_run_after_a_run_of_its_own(side: Side) -> None:
    source = side.cloud.run(side.marts)

    with pytest.raises(PermanentFailure, match="after each run of its own, for ever"):
        side.destination().deliver(after(source), Outbound())

    assert side.begun() == [source]
    assert side.calls() == []


def test_a_chain_of_jobs_ends(side: Side) -> None:
    jobs = [side.cloud.add_job(f"Job {number}") for number in range(CHAIN_LIMIT + 1)]
    source = side.cloud.run(side.staging)
    causes = []
    for job in jobs[:CHAIN_LIMIT]:
        handle = side.destination(job=job.id).deliver(after(source), Outbound())
        source = side.cloud.runs[int(handle.key.partition("/")[2])]
        causes.append(source.trigger.cause)

    with pytest.raises(PermanentFailure, match=r"5 jobs in a row .* round in a circle"):
        side.destination(job=jobs[-1].id).deliver(after(source), Outbound())

    assert [f"[afterrun {step} " in cause for step, cause in enumerate(causes, 1)] == [True] * 5


def go_round(side: Side, *jobs: Job) -> None:
    """Run the first of `jobs` after a run, the next after that, and so on, for ever."""
    source = side.cloud.run(side.staging)
    for job in itertools.cycle(jobs):
        action = after(source, trigger=source.trigger.cause_category)
        handle = side.destination(job=job.id).deliver(action, Outbound())
        source = side.cloud.runs[int(handle.key.partition("/")[2])]


def test_two_jobs_that_run_each_other_come_to_an_end(side: Side) -> None:
    with pytest.raises(PermanentFailure, match="round in a circle"):
        go_round(side, side.marts, side.staging)

    assert len(side.cloud.runs) == 1 + CHAIN_LIMIT


def test_a_retry_counts_as_the_run_that_it_retries(side: Side) -> None:
    began = side.destination().deliver(after(side.cloud.run(side.staging)), Outbound())
    run = side.cloud.runs[int(began.key.partition("/")[2])]
    side.cloud.finish(run, "model_error")
    retry = side.destination(action="retry", job=None)
    retried = retry.deliver(after(run), Outbound())
    source = side.cloud.runs[int(retried.key.partition("/")[2])]

    side.destination(job=side.cloud.job.id).deliver(after(source, trigger="rerun"), Outbound())

    (_, last) = sorted((run.id, run.trigger.cause) for run in side.cloud.runs.values())[-1]
    assert "[afterrun 2 " in last


@pytest.mark.parametrize("trigger", ["scheduled", "ui", "ci", "merge", "job completion"])
def test_what_dbt_cloud_started_itself_is_not_asked_about(side: Side, trigger: str) -> None:
    side.destination().deliver(after(side.cloud.run(side.staging), trigger=trigger), Outbound())

    assert side.calls() == ["GET runs/", f"POST jobs/{side.marts.id}/run/"]


@pytest.mark.parametrize("trigger", ["", "api", "rerun"])
def test_what_may_have_been_started_from_here_is_asked_about(side: Side, trigger: str) -> None:
    source = side.cloud.run(side.staging)

    side.destination().deliver(after(source, trigger=trigger), Outbound())

    assert side.calls()[0] == f"GET runs/{source.id}/"


@pytest.mark.parametrize("status", [403, 404])
def test_a_run_that_the_token_may_not_see_begins_a_chain_anew(side: Side, status: int) -> None:
    source = side.cloud.run(side.staging)
    side.cloud.admin_faults.next(Fault("answer", status=status, path=f"/runs/{source.id}/"))

    side.destination().deliver(after(source), Outbound())

    assert "[afterrun 1 " in side.begun()[0].trigger.cause


def test_a_run_of_another_account_begins_a_chain_anew_unasked(side: Side) -> None:
    source = replace(side.cloud.run(side.staging), account_id=1)

    side.destination(account=side.cloud.account_id).deliver(after(source), Outbound())

    assert side.calls() == ["GET runs/", f"POST jobs/{side.marts.id}/run/"]


def test_a_job_of_the_same_id_in_another_account_is_another_job(side: Side) -> None:
    source = replace(side.cloud.run(side.marts), account_id=1)

    side.destination(account=side.cloud.account_id).deliver(after(source), Outbound())

    assert len(side.begun()) == 2


def test_where_what_was_begun_cannot_be_seen_nothing_is_begun(side: Side) -> None:
    side.cloud.metadata_only_refusal = 403

    with pytest.raises(Refused, match=r"may not view the runs of the job .*Job Viewer"):
        side.destination(token=access.BLIND_TOKEN).deliver(
            after(side.cloud.run(side.staging)), Outbound()
        )

    assert side.begun() == []


def retry(side: Side, **fields: Any) -> DbtJob:
    return side.destination(**{"action": "retry", "job": None, **fields})


def test_a_run_that_failed_is_resumed(side: Side) -> None:
    failed = side.cloud.run(side.staging, sample="model_error")

    handle = retry(side).deliver(after(failed), Outbound())

    run = side.cloud.runs[int(handle.key.partition("/")[2])]
    assert run.retrying_run_id == failed.id
    assert handle.url == run.href
    assert side.calls() == [f"GET runs/{failed.id}/", f"POST runs/{failed.id}/retry/"]


def test_a_retry_whose_answer_was_lost_is_found_again(side: Side) -> None:
    failed = side.cloud.run(side.staging, sample="model_error")
    side.cloud.admin_faults.next(Fault("lost", path="/retry/"))

    with pytest.raises(UnknownOutcome):
        retry(side).deliver(after(failed), Outbound())
    handle = retry(side).deliver(after(failed), Outbound())

    (_, again) = side.cloud.runs.values()
    assert handle == Handle(f"{side.cloud.account_id}/{again.id}", again.href)


@pytest.mark.parametrize("trigger", ["rerun", ""])
def test_a_retry_is_not_retried_whoever_began_it(side: Side, trigger: str) -> None:
    failed = side.cloud.run(side.staging, sample="model_error")
    side.cloud.ending = "model_error"
    began = retry(side).deliver(after(failed), Outbound())
    again = side.cloud.runs[int(began.key.partition("/")[2])]
    side.cloud.finish(again, "model_error")
    by_hand = side.cloud.run(side.marts, sample="model_error", cause_category="rerun")

    for run in (again, by_hand):
        with pytest.raises(PermanentFailure, match="is a retry itself"):
            retry(side).deliver(after(run, trigger=trigger), Outbound())

    assert len(side.cloud.runs) == 3


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        ("success", "did not end with an error"),
        ("clone_failure", "before dbt wrote results"),
        ("source_freshness", "does not know the command"),
    ],
)
def test_what_cannot_be_retried_says_why(side: Side, sample: str, why: str) -> None:
    run = side.cloud.run(side.staging, sample=sample)

    with pytest.raises(PermanentFailure, match=why):
        retry(side).deliver(after(run), Outbound())

    assert list(side.cloud.runs) == [run.id]


def test_a_run_that_is_the_newest_no_longer_is_not_retried(side: Side) -> None:
    failed = side.cloud.run(side.staging, sample="model_error")
    side.cloud.run(side.staging)

    with pytest.raises(PermanentFailure, match="a newer run, and only the newest"):
        retry(side).deliver(after(failed), Outbound())


@pytest.mark.parametrize("status", [403, 404])
def test_a_run_that_the_token_may_not_see_is_not_retried(side: Side, status: int) -> None:
    failed = side.cloud.run(side.staging, sample="model_error")
    side.cloud.admin_faults.next(Fault("answer", status=status))

    with pytest.raises(Refused, match="Job Viewer"):
        retry(side).deliver(after(failed), Outbound())

    assert list(side.cloud.runs) == [failed.id]


def test_a_refusal_to_retry_is_told_in_dbt_clouds_words(side: Side) -> None:
    failed = side.cloud.run(side.staging, sample="model_error")
    said = {"status": {"user_message": f"Not now, {TOKEN}"}}
    side.cloud.admin_faults.next(Fault("answer", status=400, body=said, path="/retry/"))

    with pytest.raises(Refused, match=r"retry the run .* it says: Not now, \[redacted\]"):
        retry(side).deliver(after(failed), Outbound())


def test_only_runs_of_the_job_that_is_written_are_retried(side: Side) -> None:
    failed = side.cloud.run(side.staging, sample="model_error")

    with pytest.raises(PermanentFailure, match=f"none of the job {side.marts.id}"):
        retry(side, job=side.marts.id).deliver(after(failed), Outbound())
    retry(side, job=side.staging.id).deliver(after(failed), Outbound())

    assert len(side.cloud.runs) == 2


def test_a_run_of_another_account_is_not_retried(side: Side) -> None:
    failed = side.cloud.run(side.staging, sample="model_error")

    with pytest.raises(PermanentFailure, match="only runs of the account 1 are retried here"):
        retry(side, account=1).deliver(after(failed), Outbound())
    with pytest.raises(PermanentFailure, match="not known which run"):
        retry(side).deliver(after(failed, run_id=""), Outbound())

    assert side.calls() == []


def followed(destination: DbtJob, handle: Handle) -> list[Progress]:
    return [destination.progress(handle, Outbound()) for _ in range(4)]


@pytest.mark.parametrize(
    ("ending", "end"),
    [
        ("success", Done()),
        ("model_error", "ended with an error: dbt command failed"),
        ("cancelled", "was cancelled"),
    ],
)
def test_the_run_is_looked_at_until_it_ended(side: Side, ending: str, end: Done | str) -> None:
    side.cloud.ending = ending
    destination = side.destination()

    handle = destination.deliver(after(side.cloud.run(side.staging)), Outbound())
    looks = followed(destination, handle)

    expected = (
        end if isinstance(end, Done) else Failed(f"the run {_run(handle)} in dbt Cloud {end}")
    )
    assert looks == [Running(), Running(), expected, expected]


def test_a_run_is_looked_at_where_it_is_whatever_account_is_configured_by_now(side: Side) -> None:
    handle = side.destination().deliver(after(side.cloud.run(side.staging)), Outbound())

    assert side.destination(account=1).progress(handle, Outbound()) == Running()


@pytest.mark.parametrize("message", [None, "", "None", 7])
def test_an_error_of_which_nothing_is_said_has_no_reason(side: Side, message: object) -> None:
    told = {"data": {"id": 5, "status": 20, "status_message": message}}
    side.cloud.admin_faults.next(Fault("answer", status=200, body=told))

    progress = side.destination().progress(Handle("1/5"), Outbound())

    assert progress == Failed("the run 5 in dbt Cloud ended with an error")


def test_what_dbt_cloud_says_of_an_error_is_redacted_and_cut(side: Side) -> None:
    message = f"\x00 token={TOKEN} <b>\n" + "🙂" * 10_000
    told = {"data": {"id": 5, "status": 20, "status_message": message}}
    side.cloud.admin_faults.next(Fault("answer", status=200, body=told))

    progress = side.destination().progress(Handle("1/5"), Outbound())

    assert isinstance(progress, Failed)
    assert "token=[redacted] <b> 🙂" in progress.reason
    assert progress.reason.endswith("…")
    assert len(progress.reason) < 260


@pytest.mark.parametrize("status", [4, 0, None, "10", True])
def test_a_status_that_nobody_knows_is_no_end(side: Side, status: object) -> None:
    told = {"data": {"id": 5, "status": status}}
    side.cloud.admin_faults.next(Fault("answer", status=200, body=told))

    assert side.destination().progress(Handle("1/5"), Outbound()) == Running()


@pytest.mark.parametrize("body", [None, [], {}, {"data": []}, {"data": {"id": True}}, "<html>"])
def test_what_is_no_run_says_nothing_of_how_far_it_is(side: Side, body: object) -> None:
    side.cloud.admin_faults.next(Fault("answer", status=200, body=body))

    with pytest.raises(TemporaryFailure, match="Admin API"):
        side.destination().progress(Handle("1/5"), Outbound())


@pytest.mark.parametrize("key", ["", "5", "1/x", "1/5/..", "1/5?x", "01/5"])
def test_a_handle_that_names_no_run_is_not_asked_with(side: Side, key: str) -> None:
    with pytest.raises(PermanentFailure, match="look for it in dbt Cloud"):
        side.destination().progress(Handle(key), Outbound())

    assert side.calls() == []


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (400, "compare `steps`, `git_branch` and `threads`.* it says: no such branch"),
        (401, "one of the account .* the access URL"),
        (403, "may not run the job .*Job Runner.* it says: no such branch"),
        (404, "does not show it to the token.*Job Runner.* in that project$"),
        (409, "answered 409: it says: no such branch"),
    ],
)
def test_each_refusal_names_its_fix(side: Side, status: int, fix: str) -> None:
    said = {"status": {"code": status, "user_message": "no such branch"}}
    side.cloud.admin_faults.next(Fault("answer", status=status, body=said, path="/run/"))

    with pytest.raises(Refused, match=fix) as raised:
        side.destination().deliver(after(side.cloud.run(side.staging)), Outbound())

    assert raised.value.status == status
    assert side.begun() == []


def test_a_token_that_only_reads_and_a_job_that_is_not_there_are_told_apart(side: Side) -> None:
    action = after(side.cloud.run(side.staging))

    with pytest.raises(Refused, match="403: the token may not run the job"):
        side.destination(token=access.TOKEN).deliver(action, Outbound())
    with pytest.raises(Refused, match="404: dbt Cloud has no job 456 in the account"):
        side.destination(job=456).deliver(action, Outbound())
    with pytest.raises(Refused, match="401: dbt Cloud refuses the token"):
        side.destination(token="wrong").deliver(action, Outbound())


@pytest.mark.parametrize(("header", "pause_s"), [({}, 300), ({"Retry-After": "7"}, 7)])
def test_a_limit_that_says_nothing_lasts_five_minutes(
    side: Side, header: dict[str, str], pause_s: int
) -> None:
    side.cloud.admin_faults.next(Fault("answer", status=429, headers=header, path="/run/"))

    with pytest.raises(Busy) as raised:
        side.destination().deliver(after(side.cloud.run(side.staging)), Outbound())

    assert raised.value.retry_after_s == pause_s


@pytest.mark.parametrize("what", ["lost", "cut"])
def test_nothing_is_begun_a_second_time_by_itself(side: Side, what: Any) -> None:
    side.cloud.admin_faults.next(Fault(what, path="/run/"), times=3)

    with pytest.raises(UnknownOutcome):
        side.destination().deliver(after(side.cloud.run(side.staging)), Outbound())

    assert len([call for call in side.calls() if call.startswith("POST")]) == 1


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"job": None}, "write `job`"),
        ({"job": "Marts"}, "write an id"),
        ({"job": True}, "write an id"),
        ({"job": 0}, "write an id"),
        ({"job": 1.5}, "write an id"),
        ({"job": "1" * 20}, "write an id"),
        ({"account": "../1"}, "write an id"),
        ({"action": "rerun"}, "'run' or 'retry'"),
        ({"steps": []}, "this list is empty"),
        ({"steps": [" "]}, "at least 1 character"),
        ({"git_branch": ""}, "at least 1 character"),
        ({"threads": 0}, "greater than or equal to 1"),
        ({"threads": "4"}, "valid integer"),
        ({"action": "retry", "steps": ["dbt build"]}, "leave out steps"),
        ({"action": "retry", "git_branch": "x"}, "leave out git_branch"),
        ({"action": "retry", "threads": 1}, "leave out threads"),
        ({"schema_override": "x"}, "extra_forbidden"),
        ({"git_sha": "x"}, "extra_forbidden"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        a_dbt_job(**fields)


@pytest.mark.parametrize("written", [70403103916188, "70403103916188", " 70403103916188\n"])
def test_an_id_may_be_written_as_a_number_or_as_text(written: object) -> None:
    assert a_dbt_job(job=written).job == "70403103916188"


def test_what_is_shown_of_a_retry_names_the_run() -> None:
    action = an_action(
        Verb.REFRESH, message=a_told(facts={"account_id": "1", "run_id": "100", "job": "Staging"})
    )

    shown = a_dbt_job(action="retry", job=None).shown(action)

    assert shown == "POST /api/v2/accounts/1/runs/100/retry/\n{}\n"


def _run(handle: Handle) -> str:
    return handle.key.partition("/")[2]


def test_a_look_runs_nothing_and_says_which_job_the_token_sees(side: Side) -> None:
    found = side.destination().examine(Outbound())

    assert found.said == "the token sees the job Marts; untried: to run it"
    assert side.begun() == []


def test_a_look_asks_in_the_account_that_is_written(side: Side) -> None:
    side.destination(account=side.cloud.account_id).examine(Outbound())

    assert side.calls() == [f"GET jobs/{side.marts.id}/"]


def test_a_look_at_a_job_that_is_not_there_says_so(side: Side) -> None:
    with pytest.raises(PermanentFailure, match="dbt Cloud has no job 7 in the account"):
        side.destination(job=7).examine(Outbound())


def test_a_look_at_what_retries_any_job_says_which_accounts_the_token_sees(side: Side) -> None:
    found = side.destination(action="retry", job=None).examine(Outbound())

    assert found.said == (
        f"the token sees the account {side.cloud.account_id}; untried: to retry runs"
    )


def test_a_look_with_a_wrong_token_says_where_the_right_host_stands(side: Side) -> None:
    wrong = a_dbt_job("wrong-0123456789", job=side.marts.id, base_url=side.served.base_url)

    with pytest.raises(PermanentFailure, match="Access URLs"):
        wrong.examine(Outbound())
