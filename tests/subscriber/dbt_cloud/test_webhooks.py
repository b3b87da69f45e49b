"""The webhooks API as dbt Cloud's pages and its published description write it, which differ."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from lab.faults import Fault, Faults, WithFaults
from lab.serve import serve
from shared.errors import Mistake, TemporaryFailure
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.webhooks import Subscription, Webhooks
from subscriber.outbound import Outbound, Refused, UnknownOutcome

TOKEN = "dbtc_a-token-of-ours"
DOCUMENTED = {
    "id": "wsu_12345abcde",
    "account_identifier": "act_12345abcde",
    "name": "prod alerts",
    "description": "alerts",
    "job_ids": ["123"],
    "event_types": ["job.run.completed"],
    "client_url": "https://example.run.app",
    "hmac_secret": "12345abcde",
    "active": True,
    "created_at": "1675795644808877",
    "updated_at": "1675795644808877",
    "account_id": "123",
    "http_status_code": "0",
}


class Api:
    """Answers with `rows`, `limit` of them at a time, or what `answer` makes; keeps what is asked.

    `limit` goes before what is asked for, as a server's own does.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.limit = 1_000
        self.says_total = True
        self.answer: Callable[[], Response] | None = None
        self.asked: list[tuple[str, str, Any]] = []
        self.faults = Faults()
        routes = [Route("/{path:path}", self._take, methods=["GET", "POST", "PUT", "DELETE"])]
        self.app = WithFaults(Starlette(routes=routes), self.faults)

    async def _take(self, request: Request) -> Response:
        body = await request.json() if await request.body() else None
        self.asked.append((request.method, request.url.path, body))
        assert request.headers["authorization"] == f"Token {TOKEN}"
        if self.answer is not None:
            return self.answer()
        offset = int(request.query_params["offset"])
        rows = self.rows[offset : offset + min(self.limit, int(request.query_params["limit"]))]
        pagination = {"count": len(rows)}
        if self.says_total:
            pagination["total_count"] = len(self.rows)
        extra = {"pagination": pagination, "filters": {}}
        return JSONResponse({"data": rows, "status": {"code": 200}, "extra": extra})

    def answers(self, data: object, status: int = 200) -> None:
        self.answer = lambda: JSONResponse(
            {"data": data, "status": {"code": status}}, status_code=status
        )

    def refuses(self, status: int, user_message: str = "") -> None:
        body = {"status": {"code": status, "user_message": user_message}, "data": None}
        self.answer = lambda: JSONResponse(body, status_code=status)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def webhooks(api: Api) -> Iterator[Webhooks]:
    with serve(api.app) as url:
        yield Webhooks(Admin(url, lambda: TOKEN, Outbound()), "123")


def a_subscription(**changes: Any) -> Subscription:
    subscription = Subscription(
        id="wsu_1",
        name="prod alerts",
        client_url="https://example.run.app",
        event_types=("job.run.completed",),
    )
    return replace(subscription, **changes)


def test_a_subscription_is_read_as_documented(api: Api, webhooks: Webhooks) -> None:
    api.answers(DOCUMENTED)

    assert webhooks.get("wsu_12345abcde") == Subscription(
        id="wsu_12345abcde",
        name="prod alerts",
        client_url="https://example.run.app",
        event_types=("job.run.completed",),
        job_ids=("123",),
        active=True,
        description="alerts",
        created_at=datetime(2023, 2, 7, 18, 47, 24, 808877, tzinfo=UTC),
        updated_at=datetime(2023, 2, 7, 18, 47, 24, 808877, tzinfo=UTC),
    )
    assert api.asked == [("GET", "/api/v3/accounts/123/webhooks/subscription/wsu_12345abcde", None)]


def test_a_subscription_is_read_as_published(api: Api, webhooks: Webhooks) -> None:
    api.answers(
        {
            "id": "wsu_1",
            "name": "prod alerts",
            "client_url": "https://example.run.app",
            "event_types": ["job.run.completed"],
            "job_ids": [70403103916188],
            "active": False,
            "http_status_code": "503",
            "dispatched_at": "1675795644808877",
            "deactivate_reason": "too many failures",
        }
    )

    read = webhooks.get("wsu_1")

    assert (read.job_ids, read.active, read.http_status_code) == (("70403103916188",), False, 503)
    assert read.dispatched_at == datetime(2023, 2, 7, 18, 47, 24, 808877, tzinfo=UTC)
    assert read.deactivate_reason == "too many failures"


@pytest.mark.parametrize("limit", [1_000, 10, 7])
@pytest.mark.parametrize("says_total", [True, False])
def test_a_list_is_read_to_its_end_however_long_its_pages_are(
    api: Api, webhooks: Webhooks, limit: int, *, says_total: bool
) -> None:
    api.limit, api.says_total = limit, says_total
    api.rows = [DOCUMENTED | {"id": f"wsu_{number}"} for number in range(230)]

    listed = webhooks.listed()

    assert [each.id for each in listed] == [f"wsu_{number}" for number in range(230)]


def test_a_list_that_does_not_know_pages_is_read_once(api: Api, webhooks: Webhooks) -> None:
    api.answers([DOCUMENTED, DOCUMENTED | {"id": "wsu_2"}])

    assert [each.id for each in webhooks.listed()] == ["wsu_12345abcde", "wsu_2"]


def test_a_new_webhook_has_its_secret_which_no_text_shows(api: Api, webhooks: Webhooks) -> None:
    api.answers(DOCUMENTED, 201)

    created = webhooks.create(a_subscription(id=""))

    assert created.secret.get_secret_value() == "12345abcde"
    assert "12345abcde" not in repr(created).replace("wsu_12345abcde", "")
    assert api.asked == [
        (
            "POST",
            "/api/v3/accounts/123/webhooks/subscriptions",
            {
                "name": "prod alerts",
                "client_url": "https://example.run.app",
                "active": True,
                "event_types": ["job.run.completed"],
                "job_ids": [],
            },
        )
    ]


def test_a_webhook_is_not_made_twice_when_the_answer_is_lost(api: Api, webhooks: Webhooks) -> None:
    api.answers(DOCUMENTED, 201)
    api.faults.next(Fault("lost"))

    with pytest.raises(UnknownOutcome):
        webhooks.create(a_subscription())

    assert len(api.asked) == 1


def test_a_change_writes_all_that_there_is(api: Api, webhooks: Webhooks) -> None:
    api.answers(DOCUMENTED | {"active": False})

    webhooks.update("wsu_1", lambda read: replace(read, name="renamed"))

    assert api.asked[1] == (
        "PUT",
        "/api/v3/accounts/123/webhooks/subscription/wsu_1",
        {
            "name": "renamed",
            "client_url": "https://example.run.app",
            "active": False,
            "event_types": ["job.run.completed"],
            "job_ids": [123],
            "description": "alerts",
        },
    )


def test_a_webhook_is_deleted_by_its_id(api: Api, webhooks: Webhooks) -> None:
    api.answers({"id": "wsu_1"})

    webhooks.delete("wsu_1")

    assert api.asked == [("DELETE", "/api/v3/accounts/123/webhooks/subscription/wsu_1", None)]


def test_a_page_that_answers_a_deletion_is_not_taken_for_it(api: Api, webhooks: Webhooks) -> None:
    api.answer = lambda: HTMLResponse("<html>Log in</html>")

    with pytest.raises(TemporaryFailure, match="not dbt Cloud's webhooks API"):
        webhooks.delete("wsu_1")


def test_a_deletion_may_be_answered_with_nothing(api: Api, webhooks: Webhooks) -> None:
    api.answer = lambda: Response(status_code=204)

    webhooks.delete("wsu_1")


@pytest.mark.parametrize("data", [5, "wsu_1", {"id": "wsu_1"}, True])
def test_what_is_no_list_is_not_taken_for_an_empty_one(
    api: Api, webhooks: Webhooks, data: object
) -> None:
    api.answers(data)

    with pytest.raises(TemporaryFailure, match="not dbt Cloud's webhooks API"):
        webhooks.listed()


def test_an_id_that_is_none_does_not_get_into_a_command(api: Api, webhooks: Webhooks) -> None:
    api.answers([DOCUMENTED | {"id": "wsu_1; touch here"}])

    assert [each.id for each in webhooks.listed()] == [""]


@pytest.mark.parametrize(
    ("data", "event_id", "status", "error"),
    [
        ({"event_id": "wev_1"}, "wev_1", None, ""),
        ({"verification_error": None, "verification_status_code": "200"}, "", 200, ""),
        ({"verification_error": "slow", "verification_status_code": "0"}, "", None, "slow"),
    ],
)
def test_a_test_says_its_event_or_its_answer(
    api: Api, webhooks: Webhooks, data: object, event_id: str, status: int | None, error: str
) -> None:
    api.answers(data)

    tested = webhooks.test("wsu_1")

    assert (tested.event_id, tested.status, tested.error) == (event_id, status, error)


def test_a_test_may_take_as_long_as_the_endpoint_has(api: Api) -> None:
    api.answers({"event_id": "wev_1"})
    api.faults.next(Fault("slow", seconds=0.5), times=3)
    with serve(api.app) as url:
        impatient = Outbound(read_timeout_s=0.1)

        tested = Webhooks(Admin(url, lambda: TOKEN, impatient), "123").test("wsu_1")

    assert tested.event_id == "wev_1"


def test_events_are_listed_newest_first_with_the_run_that_they_are_about(
    api: Api, webhooks: Webhooks
) -> None:
    payload = '{"timestamp": "2023-02-07T18:47:%s.1Z", "data": {"runId": "%s"}}'
    common = {"trigger_event_type": "job.run.completed", "job_id": "7", "http_status_code": "202"}
    api.rows = [
        {"id": "wev_1", **common, "payload": payload % (24, 70)},
        {"id": "wev_2", **common, "payload": payload % (25, 71)},
        {"id": "wev_3", **common, "payload": "cut off {", "http_status_code": "0"},
    ]

    found = webhooks.events("wsu_1")

    assert [(each.id, each.run_id, each.status) for each in found] == [
        ("wev_2", "71", 202),
        ("wev_1", "70", 202),
        ("wev_3", "", None),
    ]


def test_receipts_say_what_was_sent_and_answered(api: Api, webhooks: Webhooks) -> None:
    receipt = {
        "id": "wre_1",
        "event_id": "wev_1",
        "dispatched_at": "1675795644808877",
        "http_status_code": "401",
        "error_info": "",
        "request_body": '{"eventId":"wev_1"}\n',
        "request_headers": '{"Authorization": "ab12"}',
        "response_body": "no",
    }
    api.answers([receipt])

    (read,) = webhooks.receipts("wsu_1", "wev_1")

    assert (read.status, read.signature, read.was_taken) == (401, "ab12", False)
    assert read.request_body == '{"eventId":"wev_1"}\n'
    assert api.asked[0][1].endswith("/webhooks/subscription/wsu_1/event/wev_1/receipt")


def test_a_single_receipt_may_come_without_its_list(api: Api, webhooks: Webhooks) -> None:
    api.answers({"id": "wre_1", "http_status_code": "202"})

    assert [each.was_taken for each in webhooks.receipts("wsu_1", "wev_1")] == [True]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "must be your account's access URL"),
        (403, "Account Admin, Admin or Developer"),
        (404, "or this token may not see it"),
    ],
)
def test_a_refusal_says_what_it_may_mean(
    api: Api, webhooks: Webhooks, status: int, says: str
) -> None:
    api.refuses(status)

    with pytest.raises(Refused) as raised:
        webhooks.listed()

    assert says in str(raised.value)
    assert raised.value.status == status
    assert TOKEN not in str(raised.value)


def test_another_refusal_says_what_dbt_cloud_says(api: Api, webhooks: Webhooks) -> None:
    api.refuses(400, "event_types must not be empty")

    with pytest.raises(Refused, match="answered 400: event_types must not be empty"):
        webhooks.create(a_subscription())


@pytest.mark.parametrize("content", ["<html>", [], {"status": {}}, {"data": []}])
def test_what_is_not_the_api_is_said(api: Api, webhooks: Webhooks, content: object) -> None:
    api.answer = lambda: JSONResponse(content)

    with pytest.raises(TemporaryFailure, match="is its URL right"):
        webhooks.get("wsu_1")


@pytest.mark.parametrize("id_", ["", "..", "a/b", "wsu_1?x", "wsu 1", "wsu_1\n", "ü" * 3])
def test_no_id_leads_out_of_its_path(webhooks: Webhooks, api: Api, id_: str) -> None:
    for call in (webhooks.get, webhooks.delete, webhooks.test, webhooks.events):
        with pytest.raises(Mistake, match="this is no id"):
            call(id_)
    with pytest.raises(Mistake, match="this is no id"):
        webhooks.receipts("wsu_1", id_)

    assert api.asked == []
