from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from lab.faults import Fault
from lab.limits import Window
from lab.serve import serve
from lab.tableau import Tableau
from lab.tableau_content import Content
from lab.tableau_job import FinishCode
from lab.timeline import Timeline
from tests.builders import Clock

SALES = Content("11111111-aaaa-4bbb-8ccc-000000000001", "Sales")
LIVE = Content("11111111-aaaa-4bbb-8ccc-000000000002", "Live", is_live=True)
TWICE = Content("11111111-aaaa-4bbb-8ccc-000000000003", "Sales", project="Finance")
CLOSED = Content("11111111-aaaa-4bbb-8ccc-000000000004", "Closed", may_refresh=False)
ORDERS = Content("22222222-aaaa-4bbb-8ccc-000000000001", "Orders")
CLEAN = Content(ORDERS.id, "Clean up")  # no kind knows of the ids of another
PAT = ("afterrun", "pat-secret")
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
MINUTE = timedelta(minutes=1)
NAMESPACE = "{http://tableau.com/api}"


class Service:
    """A Tableau that serves, and how to ask it."""

    def __init__(self, url: str, tableau: Tableau, timeline: Timeline) -> None:
        self.api = f"{url}/api/3.21"
        self.tableau = tableau
        self.timeline = timeline
        self.token = ""

    def sign_in(self, name: str = PAT[0], secret: str = PAT[1], site: str = "shop") -> Any:
        credentials = {"personalAccessTokenName": name, "personalAccessTokenSecret": secret}
        asked = {"credentials": credentials | {"site": {"contentUrl": site}}}
        return requests.post(f"{self.api}/auth/signin", json=asked, headers=JSON, timeout=5)

    def signed_in(self) -> str:
        """The token of a new session, which is used from now on."""
        self.token = str(self.sign_in().json()["credentials"]["token"])
        return self.token

    def post(self, path: str, body: Any = None, token: str | None = None) -> requests.Response:
        return self._ask("POST", path, token, json={} if body is None else body)

    def get(self, path: str, token: str | None = None, **query: str) -> requests.Response:
        return self._ask("GET", path, token, params=query)

    def _ask(self, method: str, path: str, token: str | None, **asked: Any) -> requests.Response:
        url = f"{self.api}/sites/{self.tableau.site_id}/{path}"
        headers = JSON | {"X-Tableau-Auth": self.token if token is None else token}
        return requests.request(method, url, headers=headers, timeout=5, **asked)

    def polled(self, job: Any, times: int) -> list[Any]:
        return [self.get(f"jobs/{job['id']}").json()["job"] for _ in range(times)]


@pytest.fixture
def service() -> Iterator[Service]:
    timeline = Timeline()
    tableau = Tableau(
        site="shop",
        pat_name=PAT[0],
        pat_secret=PAT[1],
        workbooks=[SALES, LIVE, TWICE, CLOSED],
        datasources=[ORDERS],
        flows=[CLEAN],
        timeline=timeline,
    )
    with serve(tableau.app) as url:
        service = Service(url, tableau, timeline)
        service.signed_in()
        yield service


def code(answer: requests.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["summary"]
    assert error["detail"]
    return answer.status_code, error["code"]


def test_who_signs_in_is_told_a_token_and_the_sites_id(service: Service) -> None:
    answer = service.sign_in()

    credentials = answer.json()["credentials"]
    assert answer.status_code == 200
    assert credentials["site"] == {"id": service.tableau.site_id, "contentUrl": "shop"}
    assert credentials["token"]
    assert credentials["user"]["id"]


def test_the_same_is_said_in_xml(service: Service) -> None:
    asked = (
        f'<tsRequest><credentials personalAccessTokenName="{PAT[0]}"'
        f' personalAccessTokenSecret="{PAT[1]}"><site contentUrl="shop"/></credentials></tsRequest>'
    )

    answer = requests.post(f"{service.api}/auth/signin", data=asked, timeout=5)
    root = ElementTree.fromstring(answer.content)  # noqa: S314
    credentials = root.find(f"{NAMESPACE}credentials")
    refreshed = requests.post(
        f"{service.api}/sites/{service.tableau.site_id}/workbooks/{SALES.id}/refresh",
        data="<tsRequest/>",
        headers={"X-Tableau-Auth": str(credentials.get("token") if credentials is not None else 0)},
        timeout=5,
    )

    assert answer.headers["content-type"].startswith("application/xml")
    assert root.tag == f"{NAMESPACE}tsResponse"
    assert refreshed.status_code == 202
    job = ElementTree.fromstring(refreshed.content).find(f"{NAMESPACE}job")  # noqa: S314
    assert job is not None
    assert job.get("type") == "RefreshExtract"
    workbook = job.find(f"{NAMESPACE}extractRefreshJob/{NAMESPACE}workbook")
    assert workbook is not None
    assert workbook.get("name") == "Sales"


def test_a_refusal_is_told_in_the_dialect_that_is_asked_for(service: Service) -> None:
    answer = requests.get(f"{service.api}/sites/x/workbooks", timeout=5)

    root = ElementTree.fromstring(answer.content)  # noqa: S314
    error = root.find(f"{NAMESPACE}error")
    assert error is not None
    assert error.get("code") == "401002"
    assert error.findtext(f"{NAMESPACE}summary") == "Unauthorized Access"


@pytest.mark.parametrize(
    "wrong",
    [{"name": "other"}, {"secret": "other"}, {"site": "other"}, {"site": ""}],
    ids=["name", "secret", "site", "no site"],
)
def test_who_says_a_wrong_name_secret_or_site_does_not_get_in(
    service: Service, wrong: dict[str, str]
) -> None:
    assert code(service.sign_in(**wrong)) == (401, "401001")


def test_a_token_that_has_lapsed_signs_nobody_in(service: Service) -> None:
    service.tableau.has_lapsed = True

    assert code(service.sign_in()) == (401, "401001")


def test_a_second_sign_in_with_the_same_token_ends_the_first_session(service: Service) -> None:
    first = service.signed_in()
    second = service.signed_in()

    assert code(service.get("workbooks", token=first)) == (401, "401002")
    assert service.get("workbooks", token=second).status_code == 200


def test_who_signs_out_is_out(service: Service) -> None:
    out = requests.post(
        f"{service.api}/auth/signout", headers=JSON | {"X-Tableau-Auth": service.token}, timeout=5
    )

    assert (out.status_code, out.content) == (204, b"")
    assert not service.tableau.is_signed_in
    assert code(service.get("workbooks")) == (401, "401002")


def test_what_the_server_speaks_is_told_to_everybody(service: Service) -> None:
    answer = requests.get(f"{service.api}/serverinfo", headers=JSON, timeout=5)

    assert answer.json()["serverInfo"]["restApiVersion"] == "3.27"


@pytest.mark.parametrize(
    ("path", "kind", "details", "subject"),
    [
        (f"workbooks/{SALES.id}/refresh", "RefreshExtract", "extractRefreshJob", "workbook"),
        (f"datasources/{ORDERS.id}/refresh", "RefreshExtract", "extractRefreshJob", "datasource"),
        (f"flows/{CLEAN.id}/run", "RunFlow", "runFlowJobType", "flow"),
    ],
)
def test_a_refresh_is_accepted_as_a_job(
    service: Service, path: str, kind: str, details: str, subject: str
) -> None:
    answer = service.post(path)

    told = answer.json()["job"]
    (job,) = service.tableau.jobs
    assert answer.status_code == 202
    assert (told["id"], told["mode"], told["type"]) == (job.id, "Asynchronous", kind)
    assert told["createdAt"].endswith("Z")
    assert told[details][subject] == {"id": job.content.id, "name": job.content.name}
    assert "completedAt" not in told


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"  "),
        ("application/json", b"[]"),
        ("application/json", b"{"),
        ("application/json", b"\xff"),
        ("application/xml", b""),
        ("application/xml", b"{}"),
        ("application/xml", b"<other/>"),
        ("application/xml", b"<!DOCTYPE x><tsRequest/>"),
        ("text/plain", b"{}"),
    ],
)
def test_an_element_must_be_there(service: Service, content_type: str, body: bytes) -> None:
    answer = requests.post(
        f"{service.api}/sites/{service.tableau.site_id}/workbooks/{SALES.id}/refresh",
        data=body,
        headers=JSON | {"Content-Type": content_type, "X-Tableau-Auth": service.token},
        timeout=5,
    )

    assert code(answer) == (400, "400000")
    assert service.tableau.jobs == []


def test_what_is_on_the_way_is_not_queued_twice(service: Service) -> None:
    job = service.post(f"workbooks/{SALES.id}/refresh").json()["job"]

    repeat = service.post(f"workbooks/{SALES.id}/refresh")
    others = [
        service.post(f"datasources/{ORDERS.id}/refresh"),
        service.post(f"flows/{ORDERS.id}/run"),
    ]
    service.polled(job, times=3)
    after = service.post(f"workbooks/{SALES.id}/refresh")

    assert code(repeat) == (409, "409093")
    assert [answer.status_code for answer in (*others, after)] == [202, 202, 202]


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        (f"workbooks/{LIVE.id}/refresh", (409, "409090")),
        (f"workbooks/{CLOSED.id}/refresh", (403, "403004")),
        (f"workbooks/{ORDERS.id}/refresh", (404, "404006")),
        (f"datasources/{SALES.id}/refresh", (404, "404004")),
        (f"flows/{SALES.id}/run", (404, "404036")),
        (f"flows/{CLEAN.id}/refresh", (404, "404003")),
    ],
)
def test_what_cannot_be_refreshed_is_refused(
    service: Service, path: str, refusal: tuple[int, str]
) -> None:
    assert code(service.post(path)) == refusal
    assert service.tableau.jobs == []


def test_another_site_is_not_found(service: Service) -> None:
    answer = requests.get(
        f"{service.api}/sites/other/workbooks",
        headers=JSON | {"X-Tableau-Auth": service.token},
        timeout=5,
    )

    assert code(answer) == (404, "404000")


@pytest.mark.parametrize("version", ["3.28", "1.0", "x", "3", "3.٣"])
def test_a_version_that_is_not_spoken_is_not_found(service: Service, version: str) -> None:
    url = service.api.replace("3.21", version) + "/serverinfo"

    assert code(requests.get(url, headers=JSON, timeout=5)) == (404, "404003")


def test_a_method_that_is_none_is_refused(service: Service) -> None:
    assert code(service.get(f"workbooks/{SALES.id}/refresh")) == (405, "405000")


@pytest.mark.parametrize(("version", "status"), [("3.24", 400), ("3.25", 202)])
@pytest.mark.parametrize("said", ["true", True])
def test_only_newer_versions_know_of_incremental_refreshes(
    service: Service, version: str, status: int, said: object
) -> None:
    service.api = service.api.replace("3.21", version)
    asked = {"extractRefresh": {"incremental": said}}

    assert service.post(f"workbooks/{SALES.id}/refresh", asked).status_code == status
    assert [job.incremental for job in service.tableau.jobs] == [True] * (status == 202)


@pytest.mark.parametrize(
    ("finish_code", "state"), [(0, "succeeded"), (1, "failed"), (2, "cancelled"), (3, "completed")]
)
def test_a_job_advances_when_asked_and_is_over_when_it_says_when(
    service: Service, finish_code: FinishCode, state: str
) -> None:
    service.tableau.finish_code = finish_code
    job = service.post(f"workbooks/{SALES.id}/refresh").json()["job"]

    polled = service.polled(job, times=4)

    assert ["completedAt" in told for told in polled] == [False, False, True, True]
    assert [told["finishCode"] for told in polled] == ["-1", "0", *[str(finish_code)] * 2]
    assert [told["progress"] for told in polled] == ["0", "50", "100", "100"]
    assert polled[3] == polled[2]
    assert service.tableau.jobs[0].state == state


def test_the_notes_of_a_job_stand_with_what_it_refreshed(service: Service) -> None:
    service.tableau.finish_code, service.tableau.notes = 1, "Login failed for user."
    job = service.post(f"workbooks/{SALES.id}/refresh").json()["job"]

    assert service.polled(job, 3)[-1]["extractRefreshJob"]["notes"] == "Login failed for user."


def test_the_ending_is_chosen_when_the_refresh_is_asked_for(service: Service) -> None:
    service.tableau.finish_code = 1
    failing = service.post(f"workbooks/{SALES.id}/refresh").json()["job"]
    service.tableau.finish_code = 0

    assert service.polled(failing, times=3)[-1]["finishCode"] == "1"


def test_what_is_on_the_way_can_be_ended(service: Service) -> None:
    job = service.post(f"workbooks/{SALES.id}/refresh").json()["job"]

    service.tableau.end_jobs()

    assert "completedAt" in service.polled(job, times=1)[0]
    assert service.post(f"workbooks/{SALES.id}/refresh").status_code == 202


def test_an_unknown_job_is_not_found(service: Service) -> None:
    assert code(service.get("jobs/unknown"))[0] == 404


def test_what_there_is_can_be_looked_up_by_name(service: Service) -> None:
    sales = service.get("workbooks", filter="name:eq:Sales").json()
    flows = service.get("flows", filter="name:eq:Clean up").json()
    nothing = service.get("datasources", filter="name:eq:Sales").json()

    assert [found["project"]["name"] for found in sales["workbooks"]["workbook"]] == [
        "Default",
        "Finance",
    ]
    assert sales["pagination"]["totalAvailable"] == "2"
    assert flows["flows"]["flow"][0]["id"] == CLEAN.id
    assert nothing["datasources"] == {}


def test_a_list_comes_in_pages(service: Service) -> None:
    second = service.get("workbooks", pageSize="3", pageNumber="2").json()

    assert [found["id"] for found in second["workbooks"]["workbook"]] == [CLOSED.id]
    assert second["pagination"] == {"pageNumber": "2", "pageSize": "3", "totalAvailable": "4"}


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "name:eq:Sales, and more"},
        {"filter": "owner:eq:x"},
        {"filter": "x"},
        {"pageSize": "0"},
        {"pageSize": "1001"},
        {"pageNumber": "x"},
    ],
    ids=str,
)
def test_a_filter_or_a_page_that_is_none_is_refused(
    service: Service, query: dict[str, str]
) -> None:
    assert service.get("workbooks", **query).status_code == 400


def test_who_asks_too_often_is_refused_until_the_minute_is_past(service: Service) -> None:
    clock = Clock()
    service.tableau.window = Window(2, MINUTE, clock)

    answers = [service.get("workbooks") for _ in range(3)]
    clock.passes(60)

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert code(answers[2]) == (429, "429000")
    assert service.get("workbooks").status_code == 200


def test_it_can_be_told_to_fail(service: Service) -> None:
    service.tableau.faults.next(Fault("answer", status=503, path="/refresh"))

    assert service.get("workbooks").status_code == 200
    assert service.post(f"workbooks/{SALES.id}/refresh").status_code == 503


def test_the_timeline_tells_each_state_once(service: Service) -> None:
    job = service.post(f"workbooks/{SALES.id}/refresh").json()["job"]
    service.polled(job, times=5)

    assert [moment.what for moment in service.timeline.moments] == [
        "workbook refresh queued: Sales",
        "workbook refresh running: Sales",
        "workbook refresh succeeded: Sales",
    ]
    assert service.timeline.moments[0].facts["job"] == job["id"]
