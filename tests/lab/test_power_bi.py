import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from lab.entra import SCOPE
from lab.faults import Fault
from lab.power_bi import PowerBi
from lab.power_bi_refresh import Dataset, Ending
from lab.serve import serve
from lab.timeline import Timeline
from tests.builders import Clock

TENANT = "c8a9e4a0-98e2-4d0d-9d7e-1f0a4d4d2f10"
WORKSPACE = "f089354e-8366-4e18-aea3-4cb4a3a50b48"
SHARED = Dataset(WORKSPACE, "cfafbeb1-8037-4d0c-896e-a46fb27ff229")
PREMIUM = Dataset(WORKSPACE, "f7fc6510-e151-42a3-850b-d0805a391db0", "premium")
LIVE = Dataset(WORKSPACE, "1e2c9b5e-3b0f-4f0c-8a56-0d2cf5a5c1aa", is_direct_query=True)
SECRET = "s3cret"
STANDARD = {"notifyOption": "NoNotification"}
ENHANCED = {"type": "Full", "retryCount": 1}


class Service:
    """A Power BI that serves, and how to ask it."""

    def __init__(self, url: str, power_bi: PowerBi, clock: Clock, timeline: Timeline) -> None:
        self.url = url
        self.power_bi = power_bi
        self.clock = clock
        self.timeline = timeline
        self.token = self.sign_in().json()["access_token"]

    def hours_pass(self, hours: int) -> None:
        """A token does not last as long, so there is a new one."""
        self.clock.passes(hours * 3_600)
        self.token = self.sign_in().json()["access_token"]

    def sign_in(self, secret: str = SECRET) -> requests.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": "an-app",
            "client_secret": secret,
            "scope": SCOPE,
        }
        return requests.post(f"{self.url}/{TENANT}/oauth2/v2.0/token", data=form, timeout=5)

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.url}/v1.0/myorg{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=5)

    def start(self, body: Any = None, dataset: Dataset = SHARED) -> requests.Response:
        return self.ask("POST", refreshes(dataset), body)

    def history(self, dataset: Dataset = SHARED, query: str = "") -> Any:
        return self.ask("GET", refreshes(dataset) + query).json()["value"]

    def poll(self, started: requests.Response) -> requests.Response:
        return self.ask("GET", started.headers["Location"].partition("/v1.0/myorg")[2])


def refreshes(dataset: Dataset) -> str:
    return f"/groups/{dataset.workspace}/datasets/{dataset.id}/refreshes"


def error(answer: requests.Response) -> Any:
    return answer.json()["error"]


@pytest.fixture
def service() -> Iterator[Service]:
    timeline, clock = Timeline(), Clock()
    power_bi = PowerBi(
        tenant=TENANT,
        client_id="an-app",
        client_secret=SECRET,
        datasets=[SHARED, PREMIUM, LIVE],
        timeline=timeline,
        clock=clock,
    )
    with serve(power_bi.app) as url:
        yield Service(url, power_bi, clock, timeline)


@pytest.mark.parametrize("dataset", [SHARED, PREMIUM], ids=["shared", "premium"])
@pytest.mark.parametrize("body", [None, {}, STANDARD])
def test_a_standard_refresh_is_accepted_everywhere_and_has_no_location(
    service: Service, dataset: Dataset, body: Any
) -> None:
    answer = service.start(body, dataset)

    assert (answer.status_code, answer.content) == (202, b"")
    assert "location" not in answer.headers
    assert "x-ms-request-id" not in answer.headers
    (refresh,) = service.power_bi.refreshes
    assert answer.headers["RequestId"] == refresh.id
    assert (refresh.dataset, refresh.how) == (dataset, "ViaApi")


def test_the_answer_to_a_standard_refresh_need_not_name_it(service: Service) -> None:
    service.power_bi.names_standard_refreshes = False

    assert "requestid" not in service.start().headers


def test_a_standard_refresh_is_unknown_in_the_history_until_it_ended(service: Service) -> None:
    service.start()
    service.clock.passes(90)

    polled = [service.history()[0] for _ in range(4)]

    assert [told["status"] for told in polled] == ["Unknown", "Unknown", "Completed", "Completed"]
    assert ["endTime" in told for told in polled] == [False, False, True, True]
    assert polled[3]["startTime"] == "2026-01-05T12:00:00.000Z"
    assert polled[3]["endTime"] == "2026-01-05T12:01:30.000Z"
    assert polled[3]["requestId"] == service.power_bi.refreshes[0].id
    assert polled[3]["refreshType"] == "ViaApi"


def test_a_failed_refresh_says_why_in_json_within_json(service: Service) -> None:
    service.power_bi.ending = "Failed"
    service.power_bi.error = "ModelRefresh_ShortMessage_ProcessingError"
    service.start()

    told = [service.history()[0] for _ in range(3)][-1]

    assert told["status"] == "Failed"
    assert json.loads(told["serviceExceptionJson"]) == {
        "errorCode": "ModelRefresh_ShortMessage_ProcessingError"
    }


def test_the_history_has_the_newest_first_and_no_more_than_asked_for(service: Service) -> None:
    for body in (STANDARD, ENHANCED):
        service.start(body, PREMIUM)
        service.power_bi.finish()
    service.power_bi.begin(PREMIUM)
    service.start(STANDARD, SHARED)

    told = service.history(PREMIUM)

    assert [each["refreshType"] for each in told] == ["Scheduled", "ViaEnhancedApi", "ViaApi"]
    assert len(service.history(PREMIUM, "?$top=1")) == 1
    assert service.ask("GET", refreshes(PREMIUM) + "?$top=0").status_code == 400


def test_an_enhanced_refresh_says_where_to_ask_for_it(service: Service) -> None:
    answer = service.start(ENHANCED, PREMIUM)

    (refresh,) = service.power_bi.refreshes
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["x-ms-request-id"] == refresh.id
    assert answer.headers["Location"] == (
        f"{service.url}/v1.0/myorg{refreshes(PREMIUM)}/{refresh.id}"
    )
    assert refresh.asked == ENHANCED


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("Completed", "Completed"),
        ("Failed", "Failed"),
        ("TimedOut", "Failed"),
        ("Cancelled", "Failed"),
        ("Disabled", "Disabled"),
    ],
)
def test_an_enhanced_refresh_is_202_until_it_ended_and_then_200(
    service: Service, ending: Ending, status: str
) -> None:
    service.power_bi.ending = ending
    started = service.start(ENHANCED, PREMIUM)

    polled = [service.poll(started) for _ in range(4)]

    assert [answer.status_code for answer in polled] == [202, 202, 200, 200]
    assert [answer.json()["extendedStatus"] for answer in polled] == [
        "NotStarted",
        "InProgress",
        ending,
        ending,
    ]
    assert [answer.json()["status"] for answer in polled] == ["Unknown"] * 2 + [status] * 2
    assert ("messages" in polled[3].json()) == (status == "Failed")


def test_an_enhanced_refresh_can_be_cancelled(service: Service) -> None:
    started = service.start(ENHANCED, PREMIUM)
    path = started.headers["Location"].partition("/v1.0/myorg")[2]

    assert service.ask("DELETE", path).status_code == 200
    assert service.poll(started).json()["extendedStatus"] == "Cancelled"


def test_only_an_enhanced_refresh_can_be_asked_for_by_itself(service: Service) -> None:
    id_ = service.start(STANDARD, PREMIUM).headers["RequestId"]

    for method in ("GET", "DELETE"):
        answer = service.ask(method, f"{refreshes(PREMIUM)}/{id_}")
        assert (answer.status_code, error(answer)["code"]) == (404, "PowerBIEntityNotFound")


@pytest.mark.parametrize(
    "body",
    [
        {"type": "full", "commitMode": "transactional", "applyRefreshPolicy": "false"},
        {"commitMode": "PartialBatch", "applyRefreshPolicy": False},
        {"objects": [{"table": "Customer", "partition": "Robert"}, {"table": "Date"}]},
        {"maxParallelism": 2, "retryCount": 0},
        {"timeout": "02:00:00", "effectiveDate": "2026-01-05T12:00:00Z"},
    ],
)
def test_each_documented_wish_makes_a_refresh_enhanced(service: Service, body: Any) -> None:
    assert service.start(body, PREMIUM).status_code == 202
    assert service.power_bi.refreshes[0].how == "ViaEnhancedApi"


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        {"notifyOption": "Sometimes"},
        {"type": "Partial"},
        {"commitMode": "Batch"},
        {"commitMode": "PartialBatch"},
        {"maxParallelism": "2"},
        {"retryCount": True},
        {"applyRefreshPolicy": 0},
        {"objects": []},
        {"objects": [{"partition": "Robert"}]},
        {"objects": [{"table": "Customer", "column": "Name"}]},
        {"unknown": 1},
        ENHANCED | STANDARD,
    ],
)
def test_other_wishes_are_refused(service: Service, body: Any) -> None:
    answer = service.start(body, PREMIUM)

    assert (answer.status_code, service.power_bi.refreshes) == (400, [])


@pytest.mark.parametrize("option", ["MailOnFailure", "MailOnCompletion"])
def test_an_app_cannot_have_mail_sent(service: Service, option: str) -> None:
    answer = service.start({"notifyOption": option})

    assert answer.status_code == 400
    assert error(answer)["message"] == (
        f"Invalid NotifyOption value '{option}' for app only owner requests"
    )


def test_an_enhanced_refresh_needs_a_capacity_of_ones_own(service: Service) -> None:
    answer = service.start(ENHANCED, SHARED)

    assert answer.status_code == 400
    assert "shared capacity" in error(answer)["message"]


def test_a_model_without_data_of_its_own_cannot_be_refreshed(service: Service) -> None:
    answer = service.start(STANDARD, LIVE)

    assert answer.status_code == 400
    assert "DirectQuery" in error(answer)["message"]


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize("how", ["ViaApi", "Scheduled"])
def test_one_refresh_at_a_time(service: Service, how: Any, status: Any) -> None:
    service.power_bi.going_on_status = status
    service.power_bi.begin(SHARED, how)

    refused = service.start(STANDARD)
    service.power_bi.finish()

    assert refused.status_code == status
    assert error(refused) == {
        "code": "InvalidRequest",
        "message": "Invalid dataset refresh request. Another refresh request is already executing",
    }
    assert service.start(STANDARD).status_code == 202


@pytest.mark.parametrize(("status", "wait"), [(400, None), (429, "7200")])
def test_a_shared_dataset_has_eight_refreshes_a_day_scheduled_ones_included(
    service: Service, status: Any, wait: str | None
) -> None:
    service.power_bi.used_up_status = status
    service.power_bi.begin(SHARED, "Scheduled")
    service.power_bi.finish()
    for _ in range(7):
        assert service.start(STANDARD).status_code == 202
        service.power_bi.finish()
    service.hours_pass(22)

    refused = service.start(STANDARD)

    assert (refused.status_code, refused.headers.get("Retry-After")) == (status, wait)
    assert error(refused) == {
        "code": "Request Throttled",
        "message": (
            "Invalid dataset refresh request. "
            "Number of refresh requests in last 24 hours exceeded limit"
        ),
    }
    service.hours_pass(2)
    assert service.start(STANDARD).status_code == 202


def test_what_was_refused_does_not_count(service: Service) -> None:
    service.power_bi.begin(SHARED)
    for _ in range(10):
        service.start(STANDARD)
    service.power_bi.finish()

    assert service.start(STANDARD).status_code == 202


def test_a_premium_dataset_has_no_such_limit(service: Service) -> None:
    for _ in range(10):
        assert service.start(STANDARD, PREMIUM).status_code == 202
        service.power_bi.finish()


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("GET", ""), ("GET", "/x")])
def test_who_has_no_valid_token_is_refused(service: Service, method: str, path: str) -> None:
    service.power_bi.entra.revoke()

    answer = service.ask(method, refreshes(SHARED) + path)

    assert (answer.status_code, error(answer)["code"]) == (401, "TokenExpired")


def test_a_wrong_secret_is_told_in_the_words_of_entra(service: Service) -> None:
    answer = service.sign_in("wrong")

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.json()["error_description"].startswith("AADSTS7000215: ")


def test_a_tenant_can_keep_apps_out(service: Service) -> None:
    service.power_bi.apps_are_let_in = False

    assert service.start(STANDARD).status_code == 403


def test_my_workspace_is_not_for_apps(service: Service) -> None:
    answer = service.ask("POST", f"/datasets/{SHARED.id}/refreshes", STANDARD)

    assert answer.status_code == 403
    assert error(answer)["message"] == "API is not accessible for application"


def test_a_dataset_is_found_in_its_own_workspace_only(service: Service) -> None:
    elsewhere = Dataset(str(uuid.UUID(int=7)), SHARED.id)
    unknown = Dataset(WORKSPACE, str(uuid.UUID(int=7)))

    for dataset in (elsewhere, unknown):
        answer = service.start(STANDARD, dataset)
        assert (answer.status_code, error(answer)["code"]) == (404, "PowerBIEntityNotFound")
    assert service.start(STANDARD, Dataset("sales", SHARED.id)).status_code == 400
    assert service.ask("POST", "/groups", STANDARD).status_code == 404


def test_it_can_be_overloaded_for_nearly_an_hour(service: Service) -> None:
    service.power_bi.overloaded_until = service.clock.now + timedelta(seconds=3_400)

    refused = service.start(STANDARD)
    service.clock.passes(3_400)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3400")
    assert refused.json().keys() == {"message"}
    assert service.start(STANDARD).status_code == 202


def test_faults_can_be_for_the_sign_in_alone(service: Service) -> None:
    service.power_bi.faults.next(Fault("answer", status=503, path="/oauth2/"))

    assert service.start(STANDARD).status_code == 202
    assert service.sign_in().status_code == 503
    assert service.sign_in().status_code == 200


def test_the_timeline_tells_each_state_once(service: Service) -> None:
    service.start(STANDARD)
    for _ in range(5):
        service.history()

    assert [moment.what for moment in service.timeline.moments] == [
        f"dataset refresh {state}: {SHARED.id}"
        for state in ("NotStarted", "InProgress", "Completed")
    ]
