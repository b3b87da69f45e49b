"""Mode: running a report, as the lab's stand-in takes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from lab.faults import Fault
from lab.mode import Mode as StandIn
from lab.serve import serve
from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretRef
from subscriber.actions import Verb
from subscriber.destinations.mode import Mode
from subscriber.outbound import Outbound, UnknownOutcome
from tests.builders import an_action
from tests.subscriber.test_destinations.world import World

TOKEN, SECRET = "tok-0123456789", "sec-ret-0123456789"
REPORT = "5f4dcc3b5aa7"
ODD = ("wörk space", "re?port#1%2F..;x=1")


def read(ref: SecretRef) -> str:
    return {"TOKEN": TOKEN, "SECRET": SECRET}[ref.name]


def a_mode(**fields: Any) -> Mode:
    """As it is when its secrets have been read."""
    written = {"workspace": "acme", "report": REPORT, "token": "env:TOKEN", "secret": "env:SECRET"}
    return Mode.model_validate({**written, **fields}).with_secrets(read)


@contextmanager
def a_served_mode(workspace: str = "acme", report: str = REPORT) -> Iterator[tuple[str, StandIn]]:
    stand_in = StandIn(workspace=workspace, reports=[report], token=TOKEN, secret=SECRET)
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
    assert handle.key == run.token
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


def test_an_answer_that_tells_nothing_of_the_run_is_still_good(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    url, stand_in = url_and_stand_in
    stand_in.faults.next(Fault("answer", status=202, body=["unexpected"]))

    handle = a_mode(base_url=url).deliver(an_action(Verb.REFRESH), Outbound())

    assert (handle.key, handle.url) == ("", "")
