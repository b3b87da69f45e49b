"""The lab's webhooks API: as strict as the real one, and true about what it sent."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lab.dbt_cloud import access, posting
from lab.dbt_cloud.cloud import DbtCloud, Served
from lab.faults import Fault, Faults, WithFaults
from lab.serve import serve
from tests.lab.dbt_cloud.conftest import Behind


class Endpoint:
    """Takes what is sent to it, and keeps it."""

    def __init__(self) -> None:
        self.url = ""
        self.faults = Faults()
        self.taken: list[tuple[bytes, str | None]] = []

    async def take(self, request: Request) -> Response:
        self.taken.append((await request.body(), request.headers.get("authorization")))
        return Response("thanks", 202)


@pytest.fixture(scope="module")
def listening() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    app = Starlette(routes=[Route("/{path:path}", endpoint.take, methods=["POST"])])
    with serve(WithFaults(app, endpoint.faults)) as url:
        endpoint.url = url
        yield endpoint


@pytest.fixture
def endpoint(listening: Endpoint) -> Endpoint:
    listening.faults.always(None)
    listening.taken.clear()
    return listening


class Api:
    """Asks as the manager of the account's webhooks, unless it is said otherwise."""

    def __init__(self, served: Served, cloud: DbtCloud, url: str) -> None:
        self._served, self.cloud, self.url = served, cloud, url
        cloud.subscriptions.pauses_s = (0.0,) * 5

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        token: str = access.MANAGER_TOKEN,
        account_id: int | None = None,
    ) -> requests.Response:
        account = account_id or self.cloud.account_id
        return requests.request(
            method,
            f"{self._served.base_url}/api/v3/accounts/{account}/webhooks/{path}",
            json=body,
            headers={"Authorization": f"Token {token}"},
            timeout=5,
        )

    def wanted(self, **changes: object) -> dict[str, object]:
        return {
            "name": "alerts",
            "client_url": self.url,
            "active": True,
            "event_types": ["job.run.completed", "job.run.errored"],
            "job_ids": [],
            **changes,
        }

    def created(self, **changes: object) -> dict[str, Any]:
        answer = self.ask("POST", "subscriptions", self.wanted(**changes))
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["data"]
        return made

    def data(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@pytest.fixture
def api(servers: tuple[Behind, Served], cloud: DbtCloud, endpoint: Endpoint) -> Api:
    behind, served = servers
    behind.cloud = cloud
    return Api(served, cloud, endpoint.url)


def test_the_secret_is_said_once(api: Api) -> None:
    created = api.created()
    path = f"subscription/{created['id']}"

    again = [
        api.data(path),
        *api.data("subscriptions"),
        api.ask("PUT", path, api.wanted()).json()["data"],
    ]

    assert len(created["hmac_secret"]) == 40
    assert all("hmac_secret" not in told for told in again)
    assert created["hmac_secret"] not in json.dumps(again)


def test_a_webhook_that_was_not_sent_to_has_status_0_and_no_time(api: Api) -> None:
    told = api.data(f"subscription/{api.created()['id']}")

    assert told["http_status_code"] == "0"
    assert "dispatched_at" not in told
    assert "deactivate_reason" not in told


@pytest.mark.parametrize("missing", ["name", "client_url", "active", "event_types", "job_ids"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_is_needed_is_missed(api: Api, method: str, missing: str) -> None:
    path = "subscriptions" if method == "POST" else f"subscription/{api.created()['id']}"
    body = {name: value for name, value in api.wanted().items() if name != missing}

    answer = api.ask(method, path, body)

    assert answer.status_code == 400
    assert answer.json()["status"]["user_message"] == f"{missing}: this field is required."


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"client_url": "example.com"},
        {"active": "true"},
        {"event_types": []},
        {"event_types": ["job.run.cancelled"]},
        {"job_ids": ["123"]},
        {"description": ""},
    ],
)
def test_what_is_wrong_is_refused(api: Api, wrong: dict[str, object]) -> None:
    answer = api.ask("POST", "subscriptions", api.wanted(**wrong))

    assert answer.status_code == 400
    assert api.cloud.subscriptions.all == []


@pytest.mark.parametrize("content_type", ["text/plain", ""])
def test_a_body_says_that_it_is_json(
    api: Api, servers: tuple[Behind, Served], content_type: str
) -> None:
    answer = requests.post(
        f"{servers[1].base_url}/api/v3/accounts/{api.cloud.account_id}/webhooks/subscriptions",
        data=json.dumps(api.wanted()),
        headers={"Authorization": f"Token {access.MANAGER_TOKEN}", "Content-Type": content_type},
        timeout=5,
    )

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("token", "may_look", "may_change"),
    [
        ("wrong", 401, 401),
        (access.METADATA_TOKEN, 404, 404),
        (access.TOKEN, 200, 404),
        (access.MANAGER_TOKEN, 200, 200),
    ],
)
def test_each_token_may_what_its_permission_says(
    api: Api, token: str, may_look: int, may_change: int
) -> None:
    path = f"subscription/{api.created()['id']}"

    looked = [api.ask("GET", each, token=token) for each in ("subscriptions", path)]
    changed = [
        api.ask("PUT", path, api.wanted(), token=token),
        api.ask("GET", f"{path}/test", token=token),
        api.ask("DELETE", path, token=token),
    ]

    assert {answer.status_code for answer in looked} == {may_look}
    assert {answer.status_code for answer in changed} == {may_change}


def test_a_missing_right_may_also_be_a_403(api: Api) -> None:
    api.cloud.webhooks_refusal = 403

    answer = api.ask("POST", "subscriptions", api.wanted(), token=access.TOKEN)

    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["subscriptions/", "subscription/wsu_none", "subscription"])
def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    assert api.ask("GET", path).status_code == 404


def test_another_account_is_not_found(api: Api) -> None:
    assert api.ask("GET", "subscriptions", account_id=1).status_code == 404


def test_a_list_has_ten_rows_unless_more_are_asked_for(api: Api) -> None:
    made = [api.created(name=f"number {number}")["id"] for number in range(12)]

    first = api.ask("GET", "subscriptions").json()
    second = api.ask("GET", "subscriptions?limit=100&offset=10").json()

    assert [row["id"] for row in first["data"] + second["data"]] == made
    assert first["extra"]["pagination"] == {"count": 10, "total_count": 12}


def test_a_deleted_webhook_is_gone(api: Api) -> None:
    path = f"subscription/{api.created()['id']}"

    assert api.ask("DELETE", path).json()["data"]["id"] in path
    assert api.ask("GET", path).status_code == 404


def test_real_events_go_to_each_webhook_that_is_about_them(api: Api, endpoint: Endpoint) -> None:
    other = api.cloud.add_job("Other")
    secrets = {
        (made := api.created(**about))["id"]: made["hmac_secret"]
        for about in (
            {},
            {"job_ids": [api.cloud.job.id]},
            {"job_ids": [other.id]},
            {"event_types": ["job.run.started"]},
            {"active": False},
        )
    }

    api.cloud.subscriptions.tell(api.cloud.run(), "job.run.completed")

    told = [(json.loads(body)["webhookId"], body, shown) for body, shown in endpoint.taken]
    assert [id_ for id_, _, _ in told] == list(secrets)[:2]
    assert all(shown == posting.sign(body, secrets[id_]) for id_, body, shown in told)


def test_events_and_receipts_are_what_was_sent_and_answered(api: Api, endpoint: Endpoint) -> None:
    path = f"subscription/{api.created()['id']}"
    endpoint.faults.next(Fault("answer", status=503))
    run = api.cloud.run(sample="model_error")

    (told,) = api.cloud.subscriptions.tell(run, "job.run.errored")

    (event,) = api.data(f"{path}/events")
    assert (event["id"], event["trigger_event_type"]) == (told.id, "job.run.errored")
    assert (event["job_id"], event["http_status_code"]) == (str(run.job.id), "202")
    assert event["payload"].encode() == told.body
    receipts = api.data(f"{path}/event/{told.id}/receipt")
    assert [(each["http_status_code"], each["response_body"]) for each in receipts] == [
        ("503", ""),
        ("202", "thanks"),
    ]
    assert receipts[1]["request_body"].encode() == told.body
    assert json.loads(receipts[1]["request_headers"])["Authorization"] == endpoint.taken[0][1]
    assert api.data(path)["http_status_code"] == "202"
    assert int(api.data(path)["dispatched_at"]) == int(receipts[1]["dispatched_at"])


def test_an_endpoint_that_is_not_there_leaves_a_receipt_with_the_reason(api: Api) -> None:
    path = f"subscription/{api.created(client_url='http://127.0.0.1:9/')['id']}"

    (told,) = api.cloud.subscriptions.tell(api.cloud.run(), "job.run.completed")

    receipts = api.data(f"{path}/event/{told.id}/receipt")
    assert {each["http_status_code"] for each in receipts} == {"0"}
    assert {each["error_info"] for each in receipts} == {"ConnectionError"}
    assert len(receipts) == 6


def test_a_test_posts_a_signed_sample_to_the_url_and_leaves_a_receipt(
    api: Api, endpoint: Endpoint
) -> None:
    made = api.created()
    path = f"subscription/{made['id']}"

    event_id = api.data(f"{path}/test")["event_id"]

    ((body, signature),) = endpoint.taken
    assert signature == posting.sign(body, made["hmac_secret"])
    assert json.loads(body)["eventId"] == event_id
    assert json.loads(body)["accountId"] != api.cloud.account_id
    (receipt,) = api.data(f"{path}/event/{event_id}/receipt")
    assert receipt["request_body"].encode() == body


def test_a_test_may_answer_as_documented_instead(api: Api, endpoint: Endpoint) -> None:
    path = f"subscription/{api.created()['id']}"
    api.cloud.tests_say = "answer"
    endpoint.faults.next(Fault("answer", status=401))

    answers = [api.data(f"{path}/test") for _ in range(2)]

    assert answers == [
        {"verification_error": "unexpected status code", "verification_status_code": "401"},
        {"verification_error": None, "verification_status_code": "202"},
    ]


def test_a_test_may_be_unsigned(api: Api, endpoint: Endpoint) -> None:
    api.cloud.subscriptions.signs_tests = False

    api.data(f"subscription/{api.created()['id']}/test")

    assert [signature for _, signature in endpoint.taken] == [None]


def failing(api: Api, endpoint: Endpoint) -> str:
    """The path of a webhook whose deliveries fail, deactivated after the second."""
    api.cloud.subscriptions.failures_limit = 2
    api.cloud.subscriptions.pauses_s = ()
    endpoint.faults.always(Fault("answer", status=500))
    return f"subscription/{api.created()['id']}"


def test_too_many_failures_in_a_row_deactivate_a_webhook(api: Api, endpoint: Endpoint) -> None:
    path = failing(api, endpoint)

    told = [api.cloud.subscriptions.tell(api.cloud.run(), "job.run.completed") for _ in range(3)]

    assert [len(each) for each in told] == [1, 1, 0]
    assert api.data(path)["active"] is False
    assert "2 consecutive failed deliveries" in api.data(path)["deactivate_reason"]


def test_a_delivery_that_succeeds_ends_the_row(api: Api, endpoint: Endpoint) -> None:
    path = failing(api, endpoint)

    for fault in (Fault("answer", status=500), None, Fault("answer", status=500)):
        endpoint.faults.always(fault)
        api.cloud.subscriptions.tell(api.cloud.run(), "job.run.completed")

    assert api.data(path)["active"] is True


def test_a_week_of_failures_deactivates_a_webhook(
    servers: tuple[Behind, Served], endpoint: Endpoint
) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    api = Api(servers[1], DbtCloud(clock=lambda: now[0]), endpoint.url)
    servers[0].cloud = api.cloud
    path = failing(api, endpoint)
    api.cloud.subscriptions.failures_limit = 1_000

    api.cloud.subscriptions.tell(api.cloud.run(), "job.run.completed")
    now[0] += timedelta(days=7)
    api.cloud.subscriptions.tell(api.cloud.run(), "job.run.completed")

    assert api.data(path)["active"] is False


@pytest.mark.parametrize("change", [{"active": True}, {"active": False, "client_url": "other"}])
def test_a_webhook_is_reactivated_by_hand_or_by_another_url(
    api: Api, endpoint: Endpoint, change: dict[str, object]
) -> None:
    path = failing(api, endpoint)
    for _ in range(2):
        api.cloud.subscriptions.tell(api.cloud.run(), "job.run.completed")
    if "client_url" in change:
        change = change | {"client_url": f"{endpoint.url}/other"}

    api.ask("PUT", path, api.wanted(**change))

    told = api.data(path)
    assert told["active"] is True
    assert "deactivate_reason" not in told
