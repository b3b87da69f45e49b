from collections.abc import Iterator
from typing import Any

import pytest
import requests

from lab.faults import Fault
from lab.mode import Mode
from lab.mode_run import Ending
from lab.serve import serve
from lab.timeline import Timeline

CREDENTIALS = ("a-token", "a-secret")
REPORT = "5f4dcc3b5aa7"
RUNS = f"/api/acme/reports/{REPORT}/runs"


class Service:
    """A Mode that serves, and how to ask it."""

    def __init__(self, url: str, mode: Mode, timeline: Timeline) -> None:
        self.url = url
        self.mode = mode
        self.timeline = timeline

    def post(
        self, body: Any = None, path: str = RUNS, credentials: Any = CREDENTIALS
    ) -> requests.Response:
        return requests.post(self.url + path, json=body, auth=credentials, timeout=5)

    def get(self, path: str, credentials: Any = CREDENTIALS) -> requests.Response:
        return requests.get(self.url + path, auth=credentials, timeout=5)

    def polled(self, run: Any, times: int) -> list[Any]:
        return [self.get(run["_links"]["self"]["href"]).json() for _ in range(times)]


@pytest.fixture
def service() -> Iterator[Service]:
    timeline = Timeline()
    token, secret = CREDENTIALS
    mode = Mode(
        workspace="acme", reports=[REPORT, "other"], token=token, secret=secret, timeline=timeline
    )
    with serve(mode.app) as url:
        yield Service(url, mode, timeline)


def test_running_a_report_is_accepted_and_begins_a_run(service: Service) -> None:
    answer = service.post({"parameters": {"region": "EMEA"}})

    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/hal+json"
    told = answer.json()
    (run,) = service.mode.runs
    assert (told["token"], told["state"]) == (run.token, "pending")
    assert told["parameters"] == run.parameters == {"region": "EMEA"}
    assert told["completed_at"] is None


def test_a_run_links_to_itself_and_to_a_page_for_people(service: Service) -> None:
    told = service.post({}).json()

    assert told["_links"]["self"]["href"] == f"{RUNS}/{told['token']}"
    assert told["_links"]["web_external_url"]["href"] == (
        f"https://app.mode.com/acme/reports/{REPORT}/runs/{told['token']}"
    )


@pytest.mark.parametrize("body", [None, {}, {"parameters": {}}])
def test_without_parameters_a_report_runs_with_its_defaults(service: Service, body: Any) -> None:
    answer = service.post(body)

    assert (answer.status_code, answer.json()["parameters"]) == (202, {})


def test_a_repeat_is_another_run(service: Service) -> None:
    service.post({})
    service.post({})

    assert len({run.token for run in service.mode.runs}) == 2


@pytest.mark.parametrize("ending", ["succeeded", "failed", "cancelled", "completed"])
def test_a_run_advances_from_poll_to_poll_until_it_ends(service: Service, ending: Ending) -> None:
    service.mode.ending = ending
    run = service.post({}).json()

    polled = service.polled(run, times=4)

    assert [told["state"] for told in polled] == ["enqueued", "running_notebook", ending, ending]
    assert [told["completed_at"] is not None for told in polled] == [False, False, True, True]
    assert polled[3] == polled[2]


def test_the_ending_is_chosen_when_the_run_is_asked_for(service: Service) -> None:
    service.mode.ending = "failed"
    failing = service.post({}).json()
    service.mode.ending = "succeeded"

    assert service.polled(failing, times=3)[-1]["state"] == "failed"


def test_a_run_says_how_it_stands_among_the_runs_of_its_report(service: Service) -> None:
    good = service.post({}).json()
    service.polled(good, times=3)
    service.mode.ending = "failed"
    bad = service.post({}).json()
    service.polled(bad, times=3)
    service.post({}, "/api/acme/reports/other/runs")

    good, bad = service.polled(good, times=1)[0], service.polled(bad, times=1)[0]

    assert (good["is_latest_report_run"], bad["is_latest_report_run"]) == ("false", "true")
    assert good["is_latest_successful_report_run"] == "true"
    assert bad["is_latest_successful_report_run"] == "false"
    assert bad["report_has_failures_since_last_success"] == "true"


@pytest.mark.parametrize("credentials", [None, ("a-token", "wrong"), ("wrong", "a-secret")])
def test_who_does_not_say_the_right_token_and_secret_is_refused(
    service: Service, credentials: Any
) -> None:
    answers = [
        service.post({}, credentials=credentials),
        service.get(f"{RUNS}/x", credentials=credentials),
    ]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert {answer.json()["id"] for answer in answers} == {"unauthorized"}
    assert service.mode.runs == []


@pytest.mark.parametrize(
    "path",
    [
        f"/api/acme/reports/{REPORT}/run",
        "/api/acme/reports/unknown/runs",
        f"/api/elsewhere/reports/{REPORT}/runs",
        f"/acme/reports/{REPORT}/runs",
    ],
)
def test_what_is_not_there_is_not_found(service: Service, path: str) -> None:
    answer = service.post({}, path)

    assert (answer.status_code, answer.json()["id"]) == (404, "not_found")
    assert service.mode.runs == []


def test_a_run_is_found_under_its_own_report_only(service: Service) -> None:
    run = service.post({}).json()

    answers = [
        service.get(f"/api/acme/reports/other/runs/{run['token']}"),
        service.get(f"{RUNS}/unknown"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.parametrize("body", [[], "text", {"parameters": []}, {"parameters": None}])
def test_parameters_are_an_object(service: Service, body: Any) -> None:
    answer = service.post(body)

    assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")
    assert service.mode.runs == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"\xff"),
        ("application/x-www-form-urlencoded", b"{}"),
    ],
)
def test_a_body_is_json(service: Service, content_type: str, body: bytes) -> None:
    answer = requests.post(
        service.url + RUNS,
        data=body,
        headers={"Content-Type": content_type},
        auth=CREDENTIALS,
        timeout=5,
    )

    assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")


def test_it_can_ask_to_be_left_alone_for_a_while(service: Service) -> None:
    service.mode.faults.next(Fault("answer", status=429, headers={"Retry-After": "60"}))

    answer = service.post({})

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert service.mode.runs == []


def test_the_timeline_tells_each_state_once(service: Service) -> None:
    run = service.post({}).json()
    service.polled(run, times=5)

    assert [moment.what for moment in service.timeline.moments] == [
        f"report run pending: {REPORT}",
        f"report run enqueued: {REPORT}",
        f"report run running_notebook: {REPORT}",
        f"report run succeeded: {REPORT}",
    ]
    assert service.timeline.moments[0].facts["run"] == run["token"]
