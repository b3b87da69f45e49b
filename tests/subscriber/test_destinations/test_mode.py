"""Mode: running a report, as the lab's stand-in takes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from lab.faults import Fault
from lab.mode import Mode as StandIn
from lab.mode_query_runs import ERROR
from lab.mode_run import Ending, PythonState, QueryState
from lab.serve import serve
from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretRef
from subscriber import mode_runs
from subscriber.actions import Handle, Verb
from subscriber.destinations.mode import Mode
from subscriber.mode_runs import Stage
from subscriber.outbound import Busy, Outbound, Refused, Reply, UnknownOutcome
from subscriber.progress import Done, Failed, Progress, Running
from tests.builders import an_action
from tests.subscriber.test_destinations.world import World

TOKEN, SECRET = "tok-0123456789", "sec-ret-0123456789"
REPORT = "5f4dcc3b5aa7"
DATASETS = ("5a4177a2902c", "9be1c2d3e4f5")
ODD = ("wörk space", "re?port#1%2F..;x=1")


def read(ref: SecretRef) -> str:
    return {"TOKEN": TOKEN, "SECRET": SECRET}[ref.name]


def a_mode(**fields: Any) -> Mode:
    """As it is when its secrets have been read."""
    written = {"workspace": "acme", "report": REPORT, "token": "env:TOKEN", "secret": "env:SECRET"}
    return Mode.model_validate({**written, **fields}).with_secrets(read)


@contextmanager
def a_served_mode(workspace: str = "acme", report: str = REPORT) -> Iterator[tuple[str, StandIn]]:
    stand_in = StandIn(
        workspace=workspace,
        reports=[report],
        token=TOKEN,
        secret=SECRET,
        uses={report: DATASETS},
    )
    with serve(stand_in.app) as url:
        yield url, stand_in


@contextmanager
def a_world() -> Iterator[World]:
    with a_served_mode() as (url, stand_in):
        yield World(
            destination=a_mode(base_url=url),
            action=an_action(Verb.REFRESH),
            faults=stand_in.faults,
            carried_out=lambda: len(stand_in.runs),
            noes=([], {}, {"token": ""}, "<html>"),
        )


@pytest.fixture
def url_and_stand_in() -> Iterator[tuple[str, StandIn]]:
    with a_served_mode() as served:
        yield served


def test_a_refresh_runs_the_report_and_tells_where_to_see_it(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in

    handle = a_mode(base_url=url).deliver(an_action(Verb.REFRESH), Outbound())

    (run,) = stand_in.runs
    assert run.report == REPORT
    assert handle.key == run.href
    assert handle.url == f"https://app.mode.com/acme/reports/{REPORT}/runs/{run.token}"


def test_a_report_is_run_with_the_parameters_that_are_configured(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    parameters = {"region": "EMEA", "days": 30, "segments": ["a", "b"], "draft": False, "x": None}

    a_mode(base_url=url, parameters=parameters).deliver(an_action(Verb.REFRESH), Outbound())

    assert stand_in.runs[0].parameters == parameters


def test_without_parameters_the_reports_own_hold(url_and_stand_in: tuple[str, StandIn]) -> None:
    url, stand_in = url_and_stand_in

    a_mode(base_url=url).deliver(an_action(Verb.REFRESH), Outbound())

    assert stand_in.runs[0].parameters == {}


def test_names_that_mean_something_in_a_url_are_quoted() -> None:
    with a_served_mode(*ODD) as (url, stand_in):
        mode = a_mode(base_url=url, workspace=ODD[0], report=ODD[1])

        mode.deliver(an_action(Verb.REFRESH), Outbound())

    assert [(run.workspace, run.report) for run in stand_in.runs] == [ODD]


@pytest.mark.parametrize("workspace", ["../../api/other", "acme/reports/other", "acme?x="])
def test_a_name_leads_to_no_other_path(
    workspace: str, url_and_stand_in: tuple[str, StandIn]
) -> None:
    url, stand_in = url_and_stand_in

    with pytest.raises(PermanentFailure, match="answered 404"):
        a_mode(base_url=url, workspace=workspace).deliver(an_action(Verb.REFRESH), Outbound())

    assert stand_in.runs == []


@pytest.mark.parametrize("name", ["workspace", "report"])
@pytest.mark.parametrize("written", ["", "  ", ".", ".."])
def test_a_name_that_is_none_is_refused(name: str, written: str) -> None:
    with pytest.raises(ValidationError, match="copy it from the report's URL"):
        a_mode(**{name: written})


def test_white_space_around_a_name_is_not_part_of_it() -> None:
    assert a_mode(report=f" {REPORT}\n").report == REPORT


def test_a_wrong_token_is_refused_and_not_repeated_in_the_reason(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    mode = a_mode(base_url=url)

    with pytest.raises(PermanentFailure, match="answered 401") as raised:
        mode.model_copy(update={"token": mode.secret}).deliver(an_action(), Outbound())

    assert SECRET not in str(raised.value)
    assert stand_in.runs == []


def test_a_refresh_whose_answer_was_lost_is_not_repeated_by_itself(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.faults.next(Fault("lost"))

    with pytest.raises(UnknownOutcome):
        a_mode(base_url=url).deliver(an_action(Verb.REFRESH), Outbound())

    assert len(stand_in.runs) == 1


def test_a_server_error_is_not_repeated_by_itself(url_and_stand_in: tuple[str, StandIn]) -> None:
    url, stand_in = url_and_stand_in
    stand_in.faults.next(Fault("answer", status=503))

    with pytest.raises(TemporaryFailure):
        a_mode(base_url=url).deliver(an_action(Verb.REFRESH), Outbound())

    assert stand_in.runs == []


def followed(mode: Mode, handle: Handle, looks: int = 20) -> tuple[Progress, Handle]:
    """How it ended, within so many looks, and the last handle that it had."""
    progress: Progress = Running()
    for _ in range(looks):
        progress = mode.progress(handle, Outbound())
        if not isinstance(progress, Running):
            break
        handle = progress.handle or handle
    return progress, handle


def looked_at(mode: Mode, stand_in: StandIn, *answers: object) -> Progress:
    """What is made of `answers`, the next that Mode gives, after a run was begun."""
    handle = mode.deliver(an_action(Verb.REFRESH), Outbound())
    for body in answers:
        stand_in.faults.next(Fault("answer", status=200, body=body))
    return mode.progress(handle, Outbound())


def test_a_run_is_looked_at_until_it_succeeded(url_and_stand_in: tuple[str, StandIn]) -> None:
    mode = a_mode(base_url=url_and_stand_in[0])
    handle = mode.deliver(an_action(Verb.REFRESH), Outbound())

    looks = [mode.progress(handle, Outbound()) for _ in range(4)]

    assert looks == [Running(), Running(), Done(), Done()]


def test_a_run_that_failed_names_the_query_and_what_mode_says_of_it(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.ending = "failed"
    mode = a_mode(base_url=url)

    progress, _ = followed(mode, mode.deliver(an_action(Verb.REFRESH), Outbound()))

    assert progress == Failed(f"the report {REPORT} failed in Mode: query Revenue by day: {ERROR}")


def test_a_run_that_was_cancelled_says_so(url_and_stand_in: tuple[str, StandIn]) -> None:
    url, stand_in = url_and_stand_in
    stand_in.ending = "cancelled"
    mode = a_mode(base_url=url)

    progress, _ = followed(mode, mode.deliver(an_action(Verb.REFRESH), Outbound()))

    assert progress == Failed(f"the report {REPORT} was cancelled in Mode")


@pytest.mark.parametrize(
    ("queries", "python", "ended"),
    [
        ("succeeded", "none", None),
        ("succeeded", "succeeded", None),
        ("failed", "none", "was completed in Mode, but not well: query Revenue by day: Query ran"),
        ("cancelled", "none", "was completed in Mode, but not well: query Revenue by day"),
        ("succeeded", "failed", "failed in Mode: its notebook failed"),
    ],
)
def test_a_run_that_is_completed_is_good_if_its_queries_and_its_notebook_are(
    url_and_stand_in: tuple[str, StandIn],
    queries: QueryState,
    python: PythonState,
    ended: str | None,
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.ending, stand_in.queries, stand_in.python = "completed", queries, python
    mode = a_mode(base_url=url)

    progress, _ = followed(mode, mode.deliver(an_action(Verb.REFRESH), Outbound()))

    if ended is None:
        assert progress == Done()
    else:
        assert isinstance(progress, Failed)
        assert progress.reason.startswith(f"the report {REPORT} {ended}")


def test_a_completed_run_whose_notebook_goes_on_is_looked_at_again(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    told = {"token": "x", "state": "completed", "python_state": "submitted"}

    assert looked_at(a_mode(base_url=url), stand_in, told) == Running()


def test_whether_a_completed_run_is_good_is_not_said_without_a_look_at_its_queries(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.ending = "completed"
    mode = a_mode(base_url=url)
    handle = mode.deliver(an_action(Verb.REFRESH), Outbound())
    followed(mode, handle)
    stand_in.faults.always(Fault("answer", status=503, path="query_runs"))

    with pytest.raises(TemporaryFailure):
        mode.progress(handle, Outbound())


@pytest.mark.parametrize("status", [404, 503])
def test_that_a_run_failed_is_told_without_a_reason_if_there_is_none_to_be_had(
    url_and_stand_in: tuple[str, StandIn], status: int
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.ending = "failed"
    stand_in.faults.always(Fault("answer", status=status, path="query_runs"))
    mode = a_mode(base_url=url)

    progress, _ = followed(mode, mode.deliver(an_action(Verb.REFRESH), Outbound()))

    assert progress == Failed(f"the report {REPORT} failed in Mode")


@pytest.mark.parametrize(
    ("completed_at", "expected"), [(None, Running()), ("2026-01-05T12:00:00Z", None)]
)
def test_a_state_that_nobody_knows_goes_on_until_mode_says_when_it_ended(
    url_and_stand_in: tuple[str, StandIn], completed_at: str | None, expected: Progress | None
) -> None:
    url, stand_in = url_and_stand_in
    told = {"token": "x", "state": "resting", "completed_at": completed_at}

    progress = looked_at(a_mode(base_url=url), stand_in, told)

    assert progress == (
        expected
        or Failed(f"the report {REPORT} ended in Mode in a state that no page of Mode's names")
    )


@pytest.mark.parametrize("body", [None, [], {}, {"state": 7}, "text"])
def test_what_tells_of_no_run_says_nothing_of_how_far_it_is(
    url_and_stand_in: tuple[str, StandIn], body: object
) -> None:
    url, stand_in = url_and_stand_in

    with pytest.raises(TemporaryFailure, match="is it Mode"):
        looked_at(a_mode(base_url=url), stand_in, body)


def test_datasets_are_run_first_one_after_the_other_and_then_the_report_with_them(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    mode = a_mode(base_url=url, datasets=DATASETS, parameters={"region": "EMEA"})

    handle = mode.deliver(an_action(Verb.REFRESH), Outbound())
    assert [run.of for run in stand_in.dataset_runs] == [DATASETS[0]]
    progress, last = followed(mode, handle)

    assert progress == Done()
    (report,) = stand_in.runs
    assert report.parameters == {"region": "EMEA"}
    assert report.shows == {run.of: run.token for run in stand_in.dataset_runs}
    assert [run.of for run in stand_in.dataset_runs] == list(DATASETS)
    assert last.url == f"https://app.mode.com/acme/reports/{REPORT}/runs/{report.token}"


def test_a_report_that_was_run_before_pulls_the_new_runs_of_all_its_datasets_in(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    mode = a_mode(base_url=url, datasets=DATASETS)

    for _ in range(2):
        followed(mode, mode.deliver(an_action(Verb.REFRESH), Outbound()))

    assert stand_in.runs[1].shows == {run.of: run.token for run in stand_in.dataset_runs[2:]}


def test_a_step_whose_answer_was_lost_is_begun_again_after_a_minute_at_the_earliest(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    mode = a_mode(base_url=url, datasets=DATASETS[:1])
    handle = mode.deliver(an_action(Verb.REFRESH), Outbound())
    mode.progress(handle, Outbound())
    stand_in.faults.next(Fault("lost", path=f"/reports/{REPORT}/runs"))

    with pytest.raises(UnknownOutcome) as raised:
        mode.progress(handle, Outbound())

    assert raised.value.retry_after_s == 60
    assert len(stand_in.runs) == 1


def test_a_stage_is_one_look_and_begins_when_the_one_before_is_over(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    mode = a_mode(base_url=url, datasets=DATASETS[:1])
    handle = mode.deliver(an_action(Verb.REFRESH), Outbound())

    assert mode.progress(handle, Outbound()) == Running()
    assert stand_in.runs == []
    began = mode.progress(handle, Outbound())

    assert isinstance(began, Running)
    assert began.handle == Handle(
        stand_in.runs[0].href,
        f"https://app.mode.com/acme/reports/{REPORT}/runs/{stand_in.runs[0].token}",
    )


@pytest.mark.parametrize(
    ("ending", "how"),
    [
        ("failed", f"failed in Mode: query Revenue by day: {ERROR}"),
        ("cancelled", "was cancelled in Mode"),
    ],
)
def test_a_dataset_that_does_not_end_well_ends_the_refresh(
    url_and_stand_in: tuple[str, StandIn], ending: Ending, how: str
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.dataset_ending = ending
    mode = a_mode(base_url=url, datasets=DATASETS)

    progress, _ = followed(mode, mode.deliver(an_action(Verb.REFRESH), Outbound()))

    assert progress == Failed(f"the dataset {DATASETS[0]} {how}; the report was not run")
    assert len(stand_in.dataset_runs) == 1
    assert stand_in.runs == []


def test_what_stands_in_a_handle_is_followed_whatever_datasets_are_configured_by_now(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    handle = a_mode(base_url=url, datasets=DATASETS).deliver(an_action(Verb.REFRESH), Outbound())

    progress, _ = followed(a_mode(base_url=url), handle)

    assert progress == Done()
    assert list(stand_in.runs[0].shows) == list(DATASETS)


def test_a_handle_with_as_many_datasets_as_there_may_be_fits_what_is_kept_of_one(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    datasets = tuple(f"{number:040}" for number in range(20))
    assert a_mode(datasets=datasets).datasets == datasets

    assert len(Stage("/api/" + "x" * 500, datasets[:1], datasets[1:]).key()) < 2_000


@pytest.mark.parametrize("datasets", [["x"] * 21, ["x" * 41], [""], ["."], "x"])
def test_datasets_that_are_none_are_refused(datasets: object) -> None:
    with pytest.raises(ValidationError):
        a_mode(datasets=datasets)


def test_the_link_to_a_run_is_followed_where_it_leads(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    mode = a_mode(base_url=url)
    known = mode.deliver(an_action(Verb.REFRESH), Outbound()).key

    for href in (known, f"{url}{known}"):
        body = {"token": "another", "_links": {"self": {"href": href}}}
        stand_in.faults.next(Fault("answer", status=202, body=body))
        assert mode.deliver(an_action(Verb.REFRESH), Outbound()).key == known


@pytest.mark.parametrize(
    "href",
    [
        "https://elsewhere.example/api/acme/reports/x/runs/1",
        "//elsewhere.example/api/acme/reports/x/runs/1",
        "http://[broken/api",
        "/elsewhere/runs/1",
        "/api/../admin",
        "/api/a b\r\nHost: x",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_link_that_leads_elsewhere_is_not_followed(
    url_and_stand_in: tuple[str, StandIn], href: str
) -> None:
    url, stand_in = url_and_stand_in
    body = {"token": "1/2", "_links": {"self": {"href": href}}}
    stand_in.faults.next(Fault("answer", status=202, body=body))

    handle = a_mode(base_url=url).deliver(an_action(Verb.REFRESH), Outbound())

    assert handle.key == f"/api/acme/reports/{REPORT}/runs/1%2F2"


def test_a_base_url_with_a_path_stands_before_what_mode_links_to() -> None:
    told = Reply(202, {"_links": {"self": {"href": "https://gateway.example/mode/api/a/runs/1"}}})

    found = mode_runs.path(told, "self", "https://gateway.example/mode", "")

    assert found == "/api/a/runs/1"


@pytest.mark.parametrize("key", ["", "x", "/etc/passwd", "[", "[]", '["/api/x",[],[]]', "[1,2,3]"])
def test_a_handle_that_leads_nowhere_is_not_asked_with(key: str) -> None:
    with pytest.raises(PermanentFailure, match="look for it in Mode"):
        a_mode(base_url="http://127.0.0.1:1").progress(Handle(key), Outbound())


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (400, "compare the names and values of `parameters`"),
        (401, "make a new pair"),
        (403, "may not run the report"),
        (404, "does not show it to this token"),
    ],
)
def test_each_refusal_names_its_fix(
    url_and_stand_in: tuple[str, StandIn], status: int, fix: str
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.faults.next(Fault("answer", status=status, body={"message": f"no such {SECRET}"}))

    with pytest.raises(Refused, match=fix) as raised:
        a_mode(base_url=url).deliver(an_action(Verb.REFRESH), Outbound())

    assert raised.value.status == status
    assert SECRET not in str(raised.value)
    assert ("it says: no such [redacted]" in str(raised.value)) == (status == 400)


def test_who_may_not_run_it_and_who_may_not_see_it_are_told_apart(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.may_run = False

    with pytest.raises(Refused, match="403: this token may not run the report") as forbidden:
        a_mode(base_url=url).deliver(an_action(Verb.REFRESH), Outbound())
    with pytest.raises(Refused, match="404: Mode has no dataset unknown in the workspace acme"):
        a_mode(base_url=url, datasets=["unknown"]).deliver(an_action(Verb.REFRESH), Outbound())

    assert forbidden.value.status == 403


def test_a_dataset_that_the_report_does_not_use_is_told_in_modes_words(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    mode = a_mode(base_url=url_and_stand_in[0], datasets=DATASETS[:1])
    handle = mode.deliver(an_action(Verb.REFRESH), Outbound())
    another = Stage(mode_runs.stage(handle.key).path, ran=("of another report",))

    with pytest.raises(Refused, match="it says: The report does not use such a dataset"):
        followed(mode, Handle(another.key()))


@pytest.mark.parametrize(("header", "pause_s"), [({}, 60), ({"Retry-After": "7"}, 7)])
def test_a_limit_that_says_nothing_is_left_alone_for_a_minute(
    url_and_stand_in: tuple[str, StandIn], header: dict[str, str], pause_s: int
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.faults.next(Fault("answer", status=429, headers=header))

    with pytest.raises(Busy) as raised:
        a_mode(base_url=url).deliver(an_action(Verb.REFRESH), Outbound())

    assert raised.value.retry_after_s == pause_s


def test_a_run_that_is_no_longer_there_can_not_be_asked_for(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    mode = a_mode(base_url=url_and_stand_in[0])

    with pytest.raises(Refused, match="404: Mode has no run of the report"):
        mode.progress(Handle(f"/api/acme/reports/{REPORT}/runs/gone"), Outbound())


def test_what_a_query_says_is_redacted_and_cut(url_and_stand_in: tuple[str, StandIn]) -> None:
    url, stand_in = url_and_stand_in
    error = f"\x00password=hunter2 {SECRET} \u202e<b>&\n" + "🙂" * 100_000
    bad = {"state": "failed", "query_name": "N" * 1_000, "error_message": error}

    progress = looked_at(
        a_mode(base_url=url),
        stand_in,
        {"state": "failed", "token": "x"},
        {"_embedded": {"query_runs": [bad, bad]}},
    )

    assert isinstance(progress, Failed)
    assert "password=[redacted] [redacted] <b>&" in progress.reason
    assert "hunter2" not in progress.reason
    assert SECRET not in progress.reason
    assert progress.reason.endswith("… (and 1 more)")
    assert len(progress.reason) < 500
    assert progress.reason.isprintable()


@pytest.mark.parametrize(
    "listed", [None, [], {"_embedded": []}, {"_embedded": {"query_runs": {}}}, "x"]
)
def test_a_list_of_queries_that_is_none_tells_of_none(listed: object) -> None:
    assert mode_runs.bad_queries(listed) == []


def test_a_look_runs_nothing_and_says_which_report_the_token_sees() -> None:
    with a_served_mode() as (url, mode):
        found = a_mode(base_url=url, datasets=DATASETS).examine(Outbound())

        assert found.said == "the token sees the report Revenue; untried: to run it"
        assert (mode.runs, mode.dataset_runs) == ([], [])


def test_a_look_says_that_a_report_is_archived() -> None:
    with a_served_mode() as (url, mode):
        mode.archived = True

        found = a_mode(base_url=url).examine(Outbound())

        assert found.doubts == ("the report is archived in Mode: nobody looks at it",)


def test_a_look_says_which_dataset_is_not_there() -> None:
    with (
        a_served_mode() as (url, _),
        pytest.raises(PermanentFailure, match="Mode has no dataset 000000000000"),
    ):
        a_mode(base_url=url, datasets=("000000000000",)).examine(Outbound())


def test_a_look_at_a_report_that_is_not_there_says_so() -> None:
    with (
        a_served_mode() as (url, _),
        pytest.raises(PermanentFailure, match="Mode has no report none"),
    ):
        a_mode(base_url=url, report="none").examine(Outbound())
