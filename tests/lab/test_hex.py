import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests

from lab.faults import Fault
from lab.hex import Hex
from lab.hex_run import Ending, Project
from lab.serve import serve
from lab.timeline import Timeline
from tests.builders import Clock

TOKEN = "hxtw_0123456789"
PROJECT = Project("5a8591dd-4039-49df-9202-96385ba3eff8", inputs=frozenset({"region", "days"}))
DRAFT = Project("0e4c1d1a-1df7-4b0b-9b35-5d0d0c4e7d11", is_published=False)
VIEWED = Project("7b1d3c55-2f0a-4a43-8a7e-6a7b0a1c9f22", may_edit=False)
REFRESH = {"updatePublishedResults": True, "useCachedSqlResults": False}


class Service:
    """A Hex that serves, and how to ask it."""

    def __init__(self, url: str, hex_: Hex, clock: Clock, timeline: Timeline) -> None:
        self.url = url
        self.hex = hex_
        self.clock = clock
        self.timeline = timeline

    def ask(
        self, method: str, path: str, body: Any = None, token: str = TOKEN
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=5)

    def start(self, body: Any = None, project: str = PROJECT.id, **kw: Any) -> requests.Response:
        return self.ask("POST", f"/api/v1/projects/{project}/runs", body, **kw)

    def poll(self, run: Any) -> Any:
        return self.ask("GET", run["runStatusUrl"].removeprefix(self.url)).json()


@pytest.fixture
def service() -> Iterator[Service]:
    timeline, clock = Timeline(), Clock()
    hex_ = Hex(token=TOKEN, projects=[PROJECT, DRAFT, VIEWED], timeline=timeline, clock=clock)
    with serve(hex_.app) as url:
        yield Service(url, hex_, clock, timeline)


def test_a_run_is_created_with_an_address_for_people_and_one_for_polling(service: Service) -> None:
    answer = service.start(REFRESH)

    assert answer.status_code == 201
    told = answer.json()
    (run,) = service.hex.runs
    assert uuid.UUID(run.id)
    assert told.keys() == {
        "projectId",
        "runId",
        "runUrl",
        "runStatusUrl",
        "traceId",
        "projectVersion",
    }
    assert (told["projectId"], told["runId"]) == (PROJECT.id, run.id)
    assert told["runStatusUrl"] == f"{service.url}/api/v1/projects/{PROJECT.id}/runs/{run.id}"
    assert run.id in told["runUrl"]
    assert (run.asked.update_published_results, run.asked.use_cached_sql_results) == (True, False)


def test_without_a_body_a_project_runs_with_hexs_defaults(service: Service) -> None:
    assert service.start().status_code == 201

    (run,) = service.hex.runs
    assert (run.asked.update_published_results, run.asked.use_cached_sql_results) == (False, True)


def test_everything_that_hex_describes_can_be_asked_for(service: Service) -> None:
    note = {
        "type": "FAILURE",
        "slackChannelIds": ["C1"],
        "userIds": [],
        "groupIds": [],
        "includeSuccessScreenshot": False,
    }
    options = {"notifications": [note], "updateCache": True, "useCachedSqlResults": False}

    assert service.start({"inputParams": {"region": "EMEA"}, **options}).status_code == 201
    assert service.start({"viewId": "a-view", **options}).status_code == 201


def test_a_dry_run_runs_nothing(service: Service) -> None:
    assert service.start({**REFRESH, "dryRun": True}).status_code == 201
    assert service.hex.runs == []


def test_a_repeat_is_another_run(service: Service) -> None:
    service.start(REFRESH)
    service.start(REFRESH)

    assert len({run.id for run in service.hex.runs}) == 2


@pytest.mark.parametrize("ending", ["COMPLETED", "ERRORED", "KILLED"])
def test_a_run_advances_from_poll_to_poll_until_it_ends(service: Service, ending: Ending) -> None:
    service.hex.ending = ending
    run = service.start(REFRESH).json()
    service.clock.passes(90)

    polled = [service.poll(run) for _ in range(4)]

    assert [told["status"] for told in polled] == ["PENDING", "RUNNING", ending, ending]
    assert [told["elapsedTime"] for told in polled] == [None, None, 90_000, 90_000]
    assert [told["startTime"] is not None for told in polled] == [False, True, True, True]
    assert polled[3]["endTime"] == polled[2]["endTime"]
    assert datetime.fromisoformat(polled[2]["endTime"]) == service.clock.now


def test_a_run_that_gets_no_kernel_never_runs(service: Service) -> None:
    service.hex.ending = "UNABLE_TO_ALLOCATE_KERNEL"
    run = service.start(REFRESH).json()

    polled = [service.poll(run)["status"] for _ in range(2)]

    assert polled == ["PENDING", "UNABLE_TO_ALLOCATE_KERNEL"]


def test_a_run_can_be_cancelled(service: Service) -> None:
    run = service.start(REFRESH).json()

    answer = service.ask("DELETE", run["runStatusUrl"].removeprefix(service.url))

    assert (answer.status_code, answer.content) == (204, b"")
    assert service.poll(run)["status"] == "KILLED"


@pytest.mark.parametrize("token", ["", "wrong", "wörng"])
def test_a_wrong_token_is_refused(service: Service, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()}
    runs = f"{service.url}/api/v1/projects/{PROJECT.id}/runs"

    answers = [
        requests.post(runs, headers=headers, json=REFRESH, timeout=5),
        requests.get(f"{runs}/x", headers=headers, timeout=5),
        requests.post(runs, json=REFRESH, timeout=5),
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert all(answer.json().keys() == {"reason", "traceId"} for answer in answers)
    assert service.hex.runs == []


def test_a_token_without_the_scope_to_run_projects_is_forbidden(service: Service) -> None:
    service.hex.scopes = set()

    answer = service.start(REFRESH)

    assert answer.status_code == 403
    assert "Run projects" in answer.json()["reason"]


def test_to_update_the_published_results_needs_can_edit(service: Service) -> None:
    assert service.start(REFRESH, VIEWED.id).status_code == 403
    assert service.start({"useCachedSqlResults": False}, VIEWED.id).status_code == 201


def test_a_project_that_is_not_published_is_refused(service: Service) -> None:
    answer = service.start(REFRESH, DRAFT.id)

    assert (answer.status_code, service.hex.runs) == (422, [])


@pytest.mark.parametrize(("project", "status"), [("not-a-uuid", 400), (str(uuid.UUID(int=7)), 404)])
def test_a_project_is_a_uuid_that_is_known(service: Service, project: str, status: int) -> None:
    assert service.start(REFRESH, project).status_code == status


@pytest.mark.parametrize(
    "path", [f"/api/v1/project/{PROJECT.id}/run", f"/v1/projects/{PROJECT.id}/runs"]
)
def test_other_paths_are_not_found(service: Service, path: str) -> None:
    answer = service.ask("POST", path, REFRESH)

    assert answer.status_code == 404
    assert "reason" in answer.json()


def test_a_run_is_found_under_its_own_project_only(service: Service) -> None:
    run = service.start(REFRESH).json()

    answers = [
        service.ask("GET", f"/api/v1/projects/{VIEWED.id}/runs/{run['runId']}"),
        service.ask("GET", f"/api/v1/projects/{PROJECT.id}/runs/unknown"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        {"unknown": 1},
        {**REFRESH, "cause": "dbt"},
        {"updatePublishedResults": "true"},
        {"useCachedSqlResults": 0},
        {"inputParams": []},
        {"notifications": [{"type": "SOMETIMES"}]},
        {"notifications": [{"type": "ALL", "emails": []}]},
        {"input_params": {}},
    ],
)
def test_a_body_has_no_other_keys_and_values_than_the_described(
    service: Service, body: Any
) -> None:
    answer = service.start(body)

    assert (answer.status_code, service.hex.runs) == (400, [])
    assert answer.json()["details"]


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
        f"{service.url}/api/v1/projects/{PROJECT.id}/runs",
        data=body,
        headers={"Content-Type": content_type, "Authorization": f"Bearer {TOKEN}"},
        timeout=5,
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("other", [{"updatePublishedResults": True}, {"viewId": "a-view"}])
def test_inputs_go_together_with_neither_published_results_nor_a_view(
    service: Service, other: Any
) -> None:
    answer = service.start({"inputParams": {"region": "EMEA"}, **other})

    assert (answer.status_code, service.hex.runs) == (422, [])
    assert "inputParams" in answer.json()["reason"]


def test_inputs_that_the_published_app_does_not_have_are_named(service: Service) -> None:
    answer = service.start({"inputParams": {"region": "EMEA", "planet": "Mars"}})

    assert answer.status_code == 422
    told = answer.json()
    assert re.fullmatch("[0-9a-f]{32}", told.pop("traceId"))
    assert told == {"invalid": [], "notFound": ["planet"]}


def test_the_21st_run_in_a_minute_is_too_many(service: Service) -> None:
    service.hex.ending = "UNABLE_TO_ALLOCATE_KERNEL"
    for _ in range(20):
        assert service.start({"dryRun": True}).status_code == 201

    refused = service.start({"dryRun": True})
    service.clock.passes(60)

    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
    assert service.start({"dryRun": True}).status_code == 201


def test_the_61st_run_in_an_hour_is_too_many(service: Service) -> None:
    statuses = []
    for _ in range(61):
        statuses.append(service.start({"dryRun": True}).status_code)
        service.clock.passes(10)
    service.clock.passes(3_600 - 610)

    assert statuses == [201] * 60 + [429]
    assert service.start({"dryRun": True}).status_code == 201


def test_a_user_has_60_requests_a_minute_in_all(service: Service) -> None:
    run = service.start(REFRESH).json()
    for _ in range(59):
        service.poll(run)

    refused = service.start(REFRESH)

    assert refused.status_code == 429
    assert service.poll(run)["reason"] == "Too many requests"
    service.clock.passes(60)
    assert service.start(REFRESH).status_code == 201


def test_25_kernels_can_be_taken_at_once(service: Service) -> None:
    service.hex.kernels_elsewhere = 24
    run = service.start(REFRESH).json()

    refused = service.start(REFRESH)
    for _ in range(3):
        service.poll(run)

    assert refused.status_code == 503
    assert service.start(REFRESH).status_code == 201


def test_a_fault_comes_before_everything_else(service: Service) -> None:
    service.hex.faults.next(Fault("answer", status=500))

    assert [service.start(REFRESH).status_code for _ in range(2)] == [500, 201]


def test_the_timeline_tells_each_state_once(service: Service) -> None:
    run = service.start(REFRESH).json()
    for _ in range(5):
        service.poll(run)

    assert [moment.what for moment in service.timeline.moments] == [
        f"project run PENDING: {PROJECT.id}",
        f"project run RUNNING: {PROJECT.id}",
        f"project run COMPLETED: {PROJECT.id}",
    ]
    assert service.timeline.moments[0].facts["run"] == run["runId"]
