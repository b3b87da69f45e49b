"""Tableau: refreshing and following, as the lab's stand-in takes it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from lab.faults import Fault
from lab.limits import Window
from lab.serve import serve
from lab.tableau import Tableau as StandIn
from lab.tableau_content import Content
from lab.tableau_job import FinishCode
from shared.errors import Failure, PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretRef
from subscriber.actions import Action, Handle, Verb
from subscriber.destinations.tableau import Tableau
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome
from subscriber.progress import Done, Failed, Progress, Running
from tests.builders import Clock, an_action
from tests.subscriber.test_destinations.world import World

TOKEN_NAME, SECRET = "afterrun", "pat-sec-ret-0123456789=="
SALES = Content("11111111-aaaa-4bbb-8ccc-000000000001", "Sales")
LIVE = Content("11111111-aaaa-4bbb-8ccc-000000000002", "Live", is_live=True)
CLOSED = Content("11111111-aaaa-4bbb-8ccc-000000000003", "Closed", may_refresh=False)
TWICE = [
    Content(f"11111111-aaaa-4bbb-8ccc-00000000001{i}", "Twice", project=f"Project {i}")
    for i in range(7)
]
ODD = Content("11111111-aaaa-4bbb-8ccc-000000000004", "Ümsätze: 100 % + más 👩‍👩‍👧 #1?/..")
ORDERS = Content("22222222-aaaa-4bbb-8ccc-000000000001", "Orders")
CLEAN = Content("33333333-aaaa-4bbb-8ccc-000000000001", "Clean up")
UNKNOWN = "99999999-aaaa-4bbb-8ccc-000000000009"


def read(_: SecretRef) -> str:
    return SECRET


def a_tableau(**fields: Any) -> Tableau:
    """As it is when its secret has been read; it refreshes a workbook unless told otherwise."""
    written = {
        "base_url": "https://10ax.online.tableau.com",
        "site": "acme",
        "token_name": TOKEN_NAME,
        "token": "env:SECRET",
    }
    subject = {} if {"workbook", "datasource", "flow"} & fields.keys() else {"workbook": "Sales"}
    return Tableau.model_validate({**written, **subject, **fields}).with_secrets(read)


@contextmanager
def a_served_tableau(site: str = "acme") -> Iterator[tuple[str, StandIn]]:
    stand_in = StandIn(
        site=site,
        pat_name=TOKEN_NAME,
        pat_secret=SECRET,
        workbooks=[SALES, LIVE, CLOSED, ODD, *TWICE],
        datasources=[ORDERS],
        flows=[CLEAN],
    )
    with serve(stand_in.app) as url:
        yield url, stand_in


@dataclass(frozen=True)
class Ended(World):
    """A world in which nothing is on the way any more when it delivers."""

    end_jobs: Callable[[], None] = lambda: None

    def deliver(self, action: Action | None = None) -> Handle:
        self.end_jobs()
        return super().deliver(action)


@contextmanager
def a_world() -> Iterator[World]:
    with a_served_tableau() as (url, stand_in):
        yield Ended(
            destination=a_tableau(base_url=url),
            action=an_action(Verb.REFRESH),
            faults=stand_in.faults,
            carried_out=lambda: len(stand_in.jobs),
            path="/refresh",
            end_jobs=stand_in.end_jobs,
        )


class Side:
    """The Tableau that a destination speaks to, and how to have it deliver."""

    def __init__(self, url: str, tableau: StandIn) -> None:
        self.url = url
        self.tableau = tableau
        self.outbound = Outbound(read_timeout_s=2)

    def deliver(self, **fields: Any) -> Handle:
        made = a_tableau(base_url=self.url, **fields)
        return made.deliver(an_action(Verb.REFRESH), self.outbound)

    def look(self, handle: Handle, **fields: Any) -> Progress:
        return a_tableau(base_url=self.url, **fields).progress(handle, self.outbound)

    def refusal(self, **fields: Any) -> str:
        with pytest.raises(PermanentFailure) as raised:
            self.deliver(**fields)
        assert SECRET not in str(raised.value)
        return str(raised.value)


@pytest.fixture
def side() -> Iterator[Side]:
    with a_served_tableau() as (url, tableau):
        yield Side(url, tableau)


def test_a_refresh_is_asked_for_and_its_job_is_the_handle(side: Side) -> None:
    handle = side.deliver(workbook=SALES.id)

    (job,) = side.tableau.jobs
    assert job.content == SALES
    assert not job.incremental
    assert handle == Handle(key=f"{side.tableau.site_id}/{job.id}")


def test_what_is_named_is_looked_up_and_its_page_is_told(side: Side) -> None:
    handle = side.deliver(workbook="Sales")

    assert [job.content for job in side.tableau.jobs] == [SALES]
    assert handle.url.startswith("https://tableau.example/#/site/workbooks/")


@pytest.mark.parametrize(
    ("subject", "content"),
    [
        ({"workbook": ODD.name}, ODD),
        ({"datasource": "Orders"}, ORDERS),
        ({"flow": " Clean up\n"}, CLEAN),
        ({"flow": CLEAN.id}, CLEAN),
    ],
    ids=str,
)
def test_workbooks_data_sources_and_flows_are_refreshed(
    side: Side, subject: dict[str, str], content: Content
) -> None:
    side.deliver(**subject)

    assert [job.content for job in side.tableau.jobs] == [content]


def test_only_what_is_new_is_fetched_where_that_is_wanted(side: Side) -> None:
    side.deliver(incremental=True, api_version="3.25")

    assert side.tableau.jobs[0].incremental


def test_a_servers_default_site_has_an_empty_name() -> None:
    with a_served_tableau(site="") as (url, tableau):
        Side(url, tableau).deliver(site="")

        assert len(tableau.jobs) == 1


def test_who_delivers_and_looks_signs_out_again_whatever_came_of_it(side: Side) -> None:
    handle = side.deliver()
    after_delivery = side.tableau.is_signed_in
    side.look(handle)
    after_a_look = side.tableau.is_signed_in
    side.refusal(workbook="Live")

    assert (after_delivery, after_a_look, side.tableau.is_signed_in) == (False, False, False)


def test_a_sign_out_that_fails_does_no_harm(side: Side) -> None:
    side.tableau.faults.always(Fault("answer", status=500, path="/signout"))

    assert side.deliver().key


def test_a_job_is_running_until_it_says_when_it_was_completed(side: Side) -> None:
    handle = side.deliver()

    assert [side.look(handle) for _ in range(4)] == [Running(), Running(), Done(), Done()]


@pytest.mark.parametrize(
    ("finish_code", "notes", "end"),
    [
        (0, "", Done()),
        (3, "", Done()),
        (
            1,
            "[SQL Server]Login failed\nfor user.",
            Failed(
                "Tableau could not refresh the workbook Sales: [SQL Server]Login failed for user."
            ),
        ),
        (1, "", Failed("Tableau could not refresh the workbook Sales")),
        (2, "", Failed("the refresh of the workbook Sales was cancelled in Tableau")),
    ],
)
def test_the_end_of_a_job_is_told_with_tableaus_reason(
    side: Side, finish_code: FinishCode, notes: str, end: Progress
) -> None:
    side.tableau.finish_code, side.tableau.notes = finish_code, notes
    handle = side.deliver()
    side.tableau.end_jobs()

    assert side.look(handle) == end


def test_a_flow_is_followed_as_well(side: Side) -> None:
    side.tableau.finish_code, side.tableau.notes = 1, "no connection"
    handle = side.deliver(flow="Clean up")
    side.tableau.end_jobs()

    assert side.look(handle, flow="Clean up") == Failed(
        "Tableau could not refresh the flow Clean up: no connection"
    )


def test_a_job_is_asked_for_although_something_else_is_configured_since(side: Side) -> None:
    handle = side.deliver()
    side.tableau.end_jobs()

    assert side.look(handle, flow="Clean up", api_version="3.25") == Done()


def test_a_job_of_another_site_is_not_asked_for(side: Side) -> None:
    with pytest.raises(PermanentFailure, match="another site"):
        side.look(Handle(key="another-site/a-job"))


def test_a_job_that_is_not_known_or_gone_is_never_known(side: Side) -> None:
    with pytest.raises(PermanentFailure, match="did not say which job"):
        side.look(Handle())
    with pytest.raises(PermanentFailure, match="the job of the refresh is not on the site acme"):
        side.look(Handle(key=f"{side.tableau.site_id}/{UNKNOWN}"))


def test_a_look_that_goes_unanswered_is_made_again_later(side: Side) -> None:
    handle = side.deliver()
    side.tableau.faults.next(Fault("cut", path="/jobs/"), times=3)

    with pytest.raises(TemporaryFailure):
        side.look(handle)


def test_an_answer_that_names_no_job_is_still_good_and_cannot_be_followed(side: Side) -> None:
    side.tableau.faults.next(Fault("answer", status=202, body=["odd"], path="/refresh"))

    assert side.deliver(workbook=SALES.id) == Handle()


def test_what_is_on_the_way_already_is_asked_for_again_when_it_has_ended(side: Side) -> None:
    side.deliver()

    with pytest.raises(TemporaryFailure, match="may have read the data from before") as raised:
        side.deliver()
    side.tableau.end_jobs()
    side.deliver()

    assert raised.value.retry_after_s == 60
    assert not isinstance(raised.value, UnknownOutcome)
    assert len(side.tableau.jobs) == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"workbook": "Live"}, "refresh that data source instead"),
        ({"workbook": "Closed"}, "give them the permission"),
        ({"workbook": UNKNOWN}, f"the workbook {UNKNOWN} is not on the site acme"),
        ({"datasource": UNKNOWN}, f"the datasource {UNKNOWN} is not on the site acme"),
        ({"flow": UNKNOWN}, f"the flow {UNKNOWN} is not on the site acme"),
        ({"workbook": "Sails"}, "there is no workbook called Sails on the site acme"),
        ({"workbook": "sales"}, "capitals count"),
        ({"workbook": "1234"}, "the number in a browser's address is neither"),
        ({"token_name": "other"}, "lapsed after 15 days without use"),
        ({"site": "other"}, "there is no site other"),
        ({"site": ""}, "there is no site without a name"),
        ({"api_version": "3.99"}, "check `base_url` and `api_version`"),
    ],
    ids=str,
)
def test_each_refusal_is_told_apart_with_what_mends_it(
    side: Side, fields: dict[str, Any], told: str
) -> None:
    assert told in side.refusal(**fields)
    assert side.tableau.jobs == []


def test_a_name_that_several_projects_have_is_refused_with_their_ids(side: Side) -> None:
    told = side.refusal(workbook="Twice")

    assert "7 workbooks on the site acme are called Twice: write the id" in told
    assert f"{TWICE[0].id} in the project Project 0; {TWICE[1].id} in the project Project 1" in told
    assert told.endswith("; and 2 more")


def test_a_token_that_lapsed_has_its_secret_read_anew(side: Side) -> None:
    side.tableau.has_lapsed = True

    with pytest.raises(Refused) as raised:
        side.deliver()

    assert raised.value.status == 401
    assert "was revoked" in str(raised.value)


def test_a_session_that_somebody_else_ended_is_begun_once_more(side: Side) -> None:
    side.tableau.faults.next(_replaced("/refresh"))

    side.deliver()

    assert len(side.tableau.jobs) == 1


@pytest.mark.parametrize("path", ["/refresh", "/workbooks"])
def test_a_session_that_is_ended_again_and_again_is_tried_later(side: Side, path: str) -> None:
    side.tableau.faults.always(_replaced(path))

    with pytest.raises(TemporaryFailure, match="give whoever it is one of their own"):
        side.deliver()


def test_a_look_survives_somebody_elses_sign_in_too(side: Side) -> None:
    handle = side.deliver()
    side.tableau.faults.next(_replaced("/jobs/"))

    assert side.look(handle) == Running()


def _replaced(path: str) -> Fault:
    error = {"summary": "Unauthorized Access", "detail": "Invalid", "code": "401002"}
    return Fault("answer", status=401, body={"error": error}, path=path)


def test_threads_with_one_token_do_not_end_each_others_sessions(side: Side) -> None:
    failures: list[Failure] = []

    def deliver(**subject: str) -> None:
        try:
            side.deliver(**subject)
        except Failure as failure:
            failures.append(failure)

    subjects: list[dict[str, str]] = [
        *({"workbook": each.id} for each in (SALES, ODD, *TWICE)),
        {"datasource": "Orders"},
        {"flow": "Clean up"},
    ]
    threads = [threading.Thread(target=deliver, kwargs=subject) for subject in subjects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert failures == []
    assert len(side.tableau.jobs) == len(subjects)
    assert side.tableau.sign_ins == len(subjects)


@pytest.mark.parametrize("path", ["/signin", "/workbooks", "/refresh"])
def test_being_asked_too_often_is_a_reason_to_wait(side: Side, path: str) -> None:
    too_often = {"error": {"summary": "Too Many Requests", "detail": "x", "code": "429000"}}
    side.tableau.faults.next(Fault("answer", status=429, body=too_often, path=path))

    with pytest.raises(Busy, match="asked too often") as raised:
        side.deliver()

    assert raised.value.retry_after_s == 30
    assert side.tableau.jobs == []


def test_a_full_window_is_waited_for(side: Side) -> None:
    side.tableau.window = Window(1, timedelta(minutes=1), Clock())

    with pytest.raises(Busy, match="asked too often"):
        side.deliver()


@pytest.mark.parametrize("path", ["/signin", "/workbooks"])
def test_what_goes_unanswered_before_the_refresh_is_no_unknown_outcome(
    side: Side, path: str
) -> None:
    side.tableau.faults.next(Fault("cut", path=path), times=3)

    with pytest.raises(TemporaryFailure) as raised:
        side.deliver()

    assert not isinstance(raised.value, UnknownOutcome)


def test_a_refresh_that_goes_unanswered_may_have_begun_and_is_not_repeated(side: Side) -> None:
    side.tableau.faults.next(Fault("lost", path="/refresh"))

    with pytest.raises(UnknownOutcome):
        side.deliver()

    assert len(side.tableau.jobs) == 1


@pytest.mark.parametrize("body", [None, [], {"credentials": 7}, {"credentials": {"token": "x"}}])
def test_a_sign_in_that_is_answered_otherwise_is_no_tableaus(side: Side, body: object) -> None:
    side.tableau.faults.next(Fault("answer", status=200, body=body, path="/signin"))

    assert "is `base_url` a Tableau's?" in side.refusal()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"workbook": "a", "flow": "b"}, "name one thing to refresh"),
        ({"workbook": None}, "name one thing to refresh"),
        ({"workbook": " "}, "this is empty"),
        ({"workbook": "Profit, and loss"}, "a comma or an ampersand: write the id"),
        ({"datasource": "P&L"}, "a comma or an ampersand: write the id"),
        ({"site": "https://10ax.online.tableau.com/#/site/acme"}, "only what stands after /site/"),
        ({"site": "/site/acme"}, "only what stands after /site/"),
        ({"token_name": " "}, "the name that was given to the token"),
        ({"api_version": 3.21}, "write it in quotes"),
        ({"api_version": "latest"}, "write it in quotes"),
        ({"api_version": "3.21/../.."}, "write it in quotes"),
        ({"incremental": True}, "incremental refreshes need api_version"),
        ({"incremental": True, "api_version": "3.9"}, "incremental refreshes need api_version"),
        ({"incremental": True, "flow": "x", "api_version": "3.25"}, "said in the flow"),
        ({"base_url": None}, "base_url"),
    ],
    ids=str,
)
def test_mistakes_are_said_with_what_to_write(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        a_tableau(**fields)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (
            {"datasource": ORDERS.id},
            f"POST /api/3.21/sites/SITE/datasources/{ORDERS.id}/refresh\n{{}}\n",
        ),
        (
            {"flow": "Clean up"},
            """GET /api/3.21/sites/SITE/flows?filter=name:eq:Clean up
POST /api/3.21/sites/SITE/flows/ID/run
{}
""",
        ),
    ],
)
def test_what_is_shown_is_what_is_told(fields: dict[str, Any], shown: str) -> None:
    assert a_tableau(**fields).shown(an_action(Verb.REFRESH)) == shown


@pytest.mark.parametrize("workbook", [SALES.id, SALES.name])
def test_a_look_refreshes_nothing_and_signs_out(side: Side, workbook: str) -> None:
    found = a_tableau(base_url=side.url, workbook=workbook).examine(side.outbound)

    assert found.said == (
        f"the token {TOKEN_NAME} sees the workbook {workbook}; untried: to refresh it"
    )
    assert side.tableau.jobs == []
    assert not side.tableau.is_signed_in


@pytest.mark.parametrize("workbook", [UNKNOWN, "No such workbook"])
def test_a_look_at_what_is_not_there_says_so(side: Side, workbook: str) -> None:
    with pytest.raises(PermanentFailure) as raised:
        a_tableau(base_url=side.url, workbook=workbook).examine(side.outbound)

    assert workbook in str(raised.value)


def test_a_look_with_a_token_that_has_lapsed_says_so(side: Side) -> None:
    side.tableau.has_lapsed = True

    with pytest.raises(PermanentFailure, match="make a new token"):
        a_tableau(base_url=side.url).examine(side.outbound)
