"""Hex: running a project, as the lab's stand-in takes it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from lab.faults import Fault
from lab.hex import Hex as StandIn
from lab.hex_run import Ending, Project
from lab.serve import serve
from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretRef
from subscriber.actions import Handle, Verb
from subscriber.destinations.hex import Hex
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome
from subscriber.progress import Done, Failed, Progress, Running
from tests.builders import Clock, an_action
from tests.subscriber.test_destinations.world import World

TOKEN = "hxtw_0123456789abcdef"
PROJECT = Project("5a8591dd-4039-49df-9202-96385ba3eff8", inputs=frozenset({"region", "days"}))
DRAFT = Project("0e4c1d1a-1df7-4b0b-9b35-5d0d0c4e7d11", is_published=False)
VIEWED = Project("7b1d3c55-2f0a-4a43-8a7e-6a7b0a1c9f22", may_edit=False)
UNKNOWN = "00000000-0000-0000-0000-000000000007"
NASTY = '<!channel> `x` <b>&amp;</b> "\\ \u202e \x00 👩‍👩‍👧 \ud800 ' + "long " * 20_000


def read(ref: SecretRef) -> str:
    return TOKEN


def a_hex(**fields: Any) -> Hex:
    """As it is when its token has been read."""
    return Hex.model_validate({"project": PROJECT.id, "token": "env:TOKEN", **fields}).with_secrets(
        read
    )


@contextmanager
def a_world() -> Iterator[World]:
    # the common suite asks more often than a Hex takes in an hour
    clock = Clock()
    stand_in = StandIn(token=TOKEN, projects=[PROJECT], clock=clock)

    def carried_out() -> int:
        clock.passes(3_600)
        return len(stand_in.runs)

    with serve(stand_in.app) as url:
        yield World(
            destination=a_hex(base_url=url),
            action=an_action(Verb.REFRESH),
            faults=stand_in.faults,
            carried_out=carried_out,
        )


class Service:
    """A Hex that serves, and what a destination makes of it."""

    def __init__(self, url: str, stand_in: StandIn, clock: Clock) -> None:
        self.url = url
        self.stand_in = stand_in
        self.clock = clock

    def deliver(self, **fields: Any) -> Handle:
        return a_hex(base_url=self.url, **fields).deliver(an_action(Verb.REFRESH), Outbound())

    def progress(self, handle: Handle, **fields: Any) -> Progress:
        return a_hex(base_url=self.url, **fields).progress(handle, Outbound())

    def answers(self, status: int, body: object = None, **headers: str) -> None:
        self.stand_in.faults.next(Fault("answer", status=status, body=body, headers=headers))


@pytest.fixture
def service() -> Iterator[Service]:
    clock = Clock()
    stand_in = StandIn(token=TOKEN, projects=[PROJECT, DRAFT, VIEWED], clock=clock)
    with serve(stand_in.app) as url:
        yield Service(url, stand_in, clock)


def test_a_refresh_runs_the_project_and_tells_where_to_see_it(service: Service) -> None:
    handle = service.deliver()

    (run,) = service.stand_in.runs
    assert run.project == PROJECT
    assert handle.key == f"{PROJECT.id}/{run.id}"
    assert run.id in handle.url


def test_the_published_app_shows_what_was_queried_anew() -> None:
    assert a_hex().body() == {"updatePublishedResults": True, "useCachedSqlResults": False}


def test_with_inputs_the_published_results_cannot_be_updated_too(service: Service) -> None:
    inputs = {"region": "EMEA", "days": [1, None, {"x": 2.5}]}

    service.deliver(inputs=inputs)

    (run,) = service.stand_in.runs
    assert run.asked.input_params == inputs
    assert (run.asked.update_published_results, run.asked.use_cached_sql_results) == (False, False)


def test_an_input_may_be_any_text(service: Service) -> None:
    service.deliver(inputs={"region": NASTY})

    (run,) = service.stand_in.runs
    assert run.asked.input_params == {"region": NASTY.replace("\ud800", "?")}


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_an_input_that_is_no_json_is_refused(number: float) -> None:
    with pytest.raises(ValidationError, match=r"\.nan or \.inf"):
        a_hex(inputs={"days": {"most": [number]}})


@pytest.mark.parametrize("written", ["", "sales", "../../x", f"{PROJECT.id}/runs"])
def test_a_project_that_is_no_uuid_is_refused(written: str) -> None:
    with pytest.raises(ValidationError, match="hex_project_id"):
        a_hex(project=written)


def test_a_uuid_may_be_written_in_capitals_and_with_white_space(service: Service) -> None:
    service.deliver(project=f" {PROJECT.id.upper()}\n")

    assert len(service.stand_in.runs) == 1


@pytest.mark.parametrize(
    ("ending", "progress"),
    [
        ("COMPLETED", Done()),
        ("ERRORED", "ended with an error"),
        ("KILLED", "stopped before it ended"),
    ],
)
def test_a_run_is_followed_to_its_end(service: Service, ending: Ending, progress: Any) -> None:
    service.stand_in.ending = ending
    handle = service.deliver()

    seen = [service.progress(handle) for _ in range(4)]

    assert seen[:2] == [Running(), Running()]
    assert seen[3] == seen[2]
    if isinstance(progress, Done):
        assert seen[2] == progress
    else:
        assert isinstance(seen[2], Failed)
        assert progress in seen[2].reason


def test_a_run_that_gets_no_kernel_has_failed_for_that_reason(service: Service) -> None:
    service.stand_in.ending = "UNABLE_TO_ALLOCATE_KERNEL"
    handle = service.deliver()
    service.progress(handle)

    seen = service.progress(handle)

    assert isinstance(seen, Failed)
    assert "no kernel" in seen.reason
    assert "25" in seen.reason


def test_a_run_is_found_though_another_project_is_configured_by_now(service: Service) -> None:
    handle = service.deliver()

    assert service.progress(handle, project=DRAFT.id) == Running()


def test_a_state_that_is_not_known_says_nothing_of_the_end(service: Service) -> None:
    handle = service.deliver()

    bodies: list[object] = [{"status": "PAUSED"}, {}, [], None]
    for body in bodies:
        service.answers(200, body)
        with pytest.raises(TemporaryFailure, match="not known"):
            service.progress(handle)


def test_a_run_that_hex_has_forgotten_is_never_known(service: Service) -> None:
    with pytest.raises(PermanentFailure, match="does not know the run"):
        service.progress(Handle(f"{PROJECT.id}/{UNKNOWN}"))


def test_a_wrong_token_is_told_apart(service: Service) -> None:
    written = {"project": PROJECT.id, "token": "env:TOKEN", "base_url": service.url}
    hex_ = Hex.model_validate(written).with_secrets(lambda _: "hxtp_wrong")

    with pytest.raises(Refused, match=r"does not accept the token \(401\).*expired") as raised:
        hex_.deliver(an_action(), Outbound())

    assert raised.value.status == 401
    assert "hxtp_wrong" not in str(raised.value)


@pytest.mark.parametrize("fields", [{}, {"inputs": {"days": 1}}])
def test_a_token_without_the_scope_is_told_apart(service: Service, fields: Any) -> None:
    service.stand_in.scopes = set()

    with pytest.raises(Refused, match=r'\(403\): .*the scope "Run projects"'):
        service.deliver(**fields)


def test_who_may_only_see_a_project_cannot_update_it(service: Service) -> None:
    with pytest.raises(Refused, match=r"\(403\): .*Can Edit"):
        service.deliver(project=VIEWED.id)


def test_an_unknown_project_is_told_apart(service: Service) -> None:
    with pytest.raises(Refused, match=r"no such project.*\(404\): check `project`") as raised:
        service.deliver(project=UNKNOWN)

    assert UNKNOWN not in str(raised.value)


def test_a_project_that_was_never_published_is_told_apart(service: Service) -> None:
    with pytest.raises(Refused, match=r"\(422\): publish it$"):
        service.deliver(project=DRAFT.id)

    with pytest.raises(Refused, match=r"\(422\): publish it, and compare `inputs`"):
        service.deliver(project=DRAFT.id, inputs={"region": "EMEA"})


def test_inputs_that_the_app_does_not_have_are_named(service: Service) -> None:
    with pytest.raises(Refused, match=r"these `inputs` \(422\): planet, star; compare") as raised:
        service.deliver(inputs={"star": "Sol", "planet": "Mars", "region": "EMEA"})

    assert "region" not in str(raised.value)


@pytest.mark.parametrize("body", [{"invalid": ["days"]}, {"notFound": ["days"], "invalid": None}])
def test_of_what_is_said_of_inputs_only_our_own_names_are_repeated(
    service: Service, body: dict[str, Any]
) -> None:
    service.answers(422, {**body, "more": TOKEN})
    with pytest.raises(Refused, match=r"these `inputs` \(422\): days;"):
        service.deliver(inputs={"days": 1})

    service.answers(422, {"notFound": [TOKEN, 7], "invalid": [{}]})
    with pytest.raises(Refused, match=r"\(422\): publish it, and compare") as raised:
        service.deliver(inputs={"days": 1})
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("body", [None, [], {"reason": TOKEN, "details": TOKEN}])
def test_a_malformed_request_is_told_apart_in_our_own_words(service: Service, body: Any) -> None:
    service.answers(400, body)

    with pytest.raises(Refused, match=r"\(400\): check `project`$") as raised:
        service.deliver()

    assert TOKEN not in str(raised.value)


def test_too_many_runs_are_a_reason_to_wait_for_a_minute(service: Service) -> None:
    service.stand_in.kernels_elsewhere = -100
    for _ in range(20):
        service.deliver()

    with pytest.raises(Busy, match="20 runs a minute and 60 an hour") as raised:
        service.deliver()

    assert raised.value.retry_after_s == 60


@pytest.mark.parametrize(("header", "wait_s"), [("7", 7), ("0", 0)])
def test_a_wait_that_hex_names_is_kept(service: Service, header: str, wait_s: float) -> None:
    service.answers(429, **{"Retry-After": header})

    with pytest.raises(Busy) as raised:
        service.deliver()

    assert raised.value.retry_after_s == wait_s


def test_without_a_kernel_it_is_tried_again(service: Service) -> None:
    service.stand_in.kernels_elsewhere = 25

    with pytest.raises(Busy, match="no kernel free"):
        service.deliver()

    service.stand_in.kernels_elsewhere = 24
    assert service.deliver().key


def test_a_refresh_whose_answer_was_lost_is_not_repeated_by_itself(service: Service) -> None:
    service.stand_in.faults.next(Fault("lost"))

    with pytest.raises(UnknownOutcome):
        service.deliver()

    assert len(service.stand_in.runs) == 1


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("body", [None, [], {"runId": 7}, {"runUrl": "https://x"}])
def test_an_answer_that_names_no_run_is_a_failure(service: Service, status: int, body: Any) -> None:
    service.answers(status, body)

    with pytest.raises(PermanentFailure, match="named no run"):
        service.deliver()


def test_a_look_at_a_run_is_refused_in_the_same_words(service: Service) -> None:
    handle = service.deliver()

    service.answers(401)
    with pytest.raises(Refused, match="does not accept the token"):
        service.progress(handle)
    service.answers(429)
    with pytest.raises(Busy, match="takes no more for now"):
        service.progress(handle)


def test_a_run_id_leads_to_no_other_path(service: Service) -> None:
    with pytest.raises(PermanentFailure):
        service.progress(Handle(f"{PROJECT.id}/../../../x?y=#z"))


def test_what_is_shown_is_what_is_sent() -> None:
    shown = Hex(project=PROJECT.id, token="env:TOKEN", inputs={"a": 1}).shown(an_action())

    assert shown == '{\n  "inputParams": {\n    "a": 1\n  },\n  "useCachedSqlResults": false\n}\n'


def test_a_look_has_hex_go_through_a_run_that_does_not_begin(service: Service) -> None:
    found = a_hex(base_url=service.url).examine(Outbound())

    assert found.said == f"Hex would run the project {PROJECT.id}"
    assert service.stand_in.runs == []


@pytest.mark.parametrize("project", [DRAFT.id, VIEWED.id, UNKNOWN])
def test_a_look_says_why_a_project_would_not_be_run(service: Service, project: str) -> None:
    with pytest.raises(PermanentFailure):
        a_hex(base_url=service.url, project=project).examine(Outbound())


def test_a_look_says_which_input_is_not_known(service: Service) -> None:
    with pytest.raises(PermanentFailure, match="colour"):
        a_hex(base_url=service.url, inputs={"colour": "blue"}).examine(Outbound())
