from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from lab.faults import Fault
from lab.limits import Window
from lab.mode import Mode
from lab.mode_run import Ending
from lab.serve import serve
from lab.timeline import Timeline
from tests.builders import Clock

CREDENTIALS = ("a-token", "a-secret")
REPORT = "5f4dcc3b5aa7"
DATASET = "5a4177a2902c"
RUNS = f"/api/acme/reports/{REPORT}/runs"
DATASET_RUNS = f"/api/acme/datasets/{DATASET}/runs"
WITH_DATASET = {"report": {"dataset_tokens": [{"token": DATASET}]}}


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
        workspace="acme",
        reports=[REPORT, "other"],
        token=token,
        secret=secret,
        uses={REPORT: [DATASET]},
        timeline=timeline,
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


def test_what_is_on_the_way_can_be_ended_at_once(service: Service) -> None:
    report = service.post({}).json()
    dataset = service.post({}, DATASET_RUNS).json()

    service.mode.end_runs()
    service.mode.end_runs()

    runs = (*service.mode.runs, *service.mode.dataset_runs)
    assert [(run.token, run.state) for run in runs] == [
        (report["token"], "succeeded"),
        (dataset["token"], "succeeded"),
    ]
    assert service.polled(report, times=1)[0]["completed_at"] is not None
    ends = [moment for moment in service.timeline.moments if "succeeded" in moment.what]
    assert len(ends) == 2


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


def test_running_a_dataset_is_accepted_and_begins_a_run_of_its_own(service: Service) -> None:
    answer = service.post(None, DATASET_RUNS)

    told = answer.json()
    (run,) = service.mode.dataset_runs
    assert (answer.status_code, told["token"], told["state"]) == (202, run.token, "pending")
    assert told["_links"]["self"]["href"] == f"{DATASET_RUNS}/{run.token}"
    assert "parameters" not in told
    assert service.mode.runs == []


@pytest.mark.parametrize("ending", ["succeeded", "failed", "cancelled", "completed"])
def test_a_run_of_a_dataset_has_no_notebook_on_its_way(service: Service, ending: Ending) -> None:
    service.mode.dataset_ending = ending
    run = service.post(None, DATASET_RUNS).json()

    assert [told["state"] for told in service.polled(run, times=3)] == ["enqueued", ending, ending]


@pytest.mark.parametrize(
    "path", ["/api/acme/datasets/unknown/runs", f"/api/acme/datasets/{REPORT}/runs"]
)
def test_a_dataset_that_is_not_there_is_not_found(service: Service, path: str) -> None:
    answer = service.post(None, path)

    assert (answer.status_code, answer.json()["id"]) == (404, "not_found")


def test_the_run_of_a_dataset_is_not_found_as_one_of_a_report(service: Service) -> None:
    run = service.post(None, DATASET_RUNS).json()

    assert service.get(f"{RUNS}/{run['token']}").status_code == 404


def run_dataset(service: Service, ending: Ending = "succeeded") -> str:
    """The token of a run of the dataset that is over."""
    service.mode.dataset_ending = ending
    run = service.post(None, DATASET_RUNS).json()
    service.polled(run, times=2)
    return str(run["token"])


def test_a_report_shows_what_its_dataset_was_until_it_is_told_to_pull_the_latest_in(
    service: Service,
) -> None:
    first = run_dataset(service)
    service.post({})
    second = run_dataset(service)
    service.post({})
    service.post(WITH_DATASET)

    assert [run.shows for run in service.mode.runs] == [
        {DATASET: first},
        {DATASET: first},
        {DATASET: second},
    ]


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
def test_a_run_of_a_dataset_that_failed_is_not_shown(service: Service, ending: Ending) -> None:
    good = run_dataset(service)
    run_dataset(service, ending)

    service.post(WITH_DATASET)

    assert service.mode.runs[0].shows == {DATASET: good}


def test_a_dataset_that_is_still_running_is_not_shown(service: Service) -> None:
    service.post(None, DATASET_RUNS)

    service.post(WITH_DATASET)

    assert service.mode.runs[0].shows == {}


@pytest.mark.parametrize(
    "report",
    [
        [],
        "text",
        {"dataset_tokens": {}},
        {"dataset_tokens": [DATASET]},
        {"dataset_tokens": [{"token": 7}]},
        {"dataset_tokens": [{"token": DATASET, "name": "x"}]},
        {"dataset_tokens": [{"token": "unknown"}]},
    ],
)
def test_datasets_are_named_by_their_tokens_and_are_the_reports_own(
    service: Service, report: Any
) -> None:
    answer = service.post({"report": report})

    assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")
    assert service.mode.runs == []


def test_the_token_of_a_run_of_a_dataset_is_not_that_of_the_dataset(service: Service) -> None:
    run = run_dataset(service)

    answer = service.post({"report": {"dataset_tokens": [{"token": run}]}})

    assert answer.status_code == 400


def query_run(service: Service, run: Any) -> Any:
    answer = service.get(run["_links"]["query_runs"]["href"]).json()
    (told,) = answer["_embedded"]["query_runs"]
    return told


@pytest.mark.parametrize("runs", [RUNS, DATASET_RUNS])
def test_a_run_that_failed_has_a_query_that_says_why(service: Service, runs: str) -> None:
    service.mode.ending = service.mode.dataset_ending = "failed"
    run = service.post({}, runs).json()
    before = query_run(service, run)
    service.polled(run, times=3)
    after = query_run(service, run)

    assert (before["state"], before["error_message"]) == ("pending", None)
    assert after["state"] == "failed"
    assert "cancelled" in after["error_message"]


def test_a_run_may_be_completed_while_its_query_or_its_notebook_failed(service: Service) -> None:
    service.mode.ending = "completed"
    service.mode.queries, service.mode.python = "failed", "failed"
    run = service.post({}).json()

    polled = service.polled(run, times=3)

    assert [told["python_state"] for told in polled] == ["pending", "pending", "failed"]
    assert query_run(service, run)["state"] == "failed"


@pytest.mark.parametrize("runs", [RUNS, DATASET_RUNS])
def test_who_may_only_look_runs_nothing(service: Service, runs: str) -> None:
    run = service.post({}, runs).json()
    service.mode.may_run = False

    refused, seen = service.post({}, runs), service.polled(run, times=1)[0]

    assert (refused.status_code, refused.json()["id"]) == (403, "forbidden")
    assert seen["state"] == "enqueued"


def test_who_asks_too_often_is_told_when_to_come_back(service: Service) -> None:
    clock = Clock()
    service.mode.limit = Window(2, timedelta(minutes=1), clock)

    answers = [service.post({}) for _ in range(3)]
    clock.passes(60)

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].json()["id"] == "rate_limited"
    assert answers[2].headers["retry-after"] == "60"
    assert service.post({}).status_code == 202


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
