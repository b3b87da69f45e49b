"""The webhooks API, version 3: who may, makes, changes, tests and deletes webhooks.

Source: https://docs.getdbt.com/docs/deploy/webhooks and https://docs.getdbt.com/dbt-cloud/api-v3
"""

from collections.abc import Callable, Collection, Sequence
from http import HTTPStatus
from typing import Any, Literal, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.dbt_cloud import access, admin_answers, subscription_request, webhook_answers
from lab.dbt_cloud.subscription_request import Wanted
from lab.dbt_cloud.subscriptions import Subscription, Subscriptions

T = TypeVar("T")

LIMIT = 10  # of a list, unless asked for more
LIMIT_MOST = 100


class Account(Protocol):
    """What the API is about.

    `webhooks_refusal` is how it meets a token without the right to manage webhooks, 404 or 403;
    `tests_say` what a test answers: the event's id, as published, or what the endpoint answered,
    as documented.
    """

    account_id: int
    webhooks_refusal: int
    tests_say: Literal["event", "answer"]

    @property
    def subscriptions(self) -> Subscriptions: ...


class WebhooksApi:
    """`app` is to be served; paths begin with /api/v3 and do not end with a slash."""

    def __init__(self, account: Account) -> None:
        self._account = account
        prefix = "/api/v3/accounts/{account_id:int}/webhooks/"
        of_one = prefix + "subscription/{subscription_id}"
        all_of_them, one = prefix + "subscriptions", of_one
        self.app = Starlette(
            routes=[
                Route(all_of_them, self._list, methods=["GET"]),
                Route(all_of_them, self._create, methods=["POST"]),
                Route(one, self._get, methods=["GET"]),
                Route(one, self._replace, methods=["PUT"]),
                Route(one, self._delete, methods=["DELETE"]),
                Route(of_one + "/test", self._test, methods=["GET"]),
                Route(of_one + "/events", self._events, methods=["GET"]),
                Route(of_one + "/event/{event_id}/receipt", self._receipts, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _refused},
        )
        self.app.router.redirect_slashes = False

    async def _list(self, request: Request) -> Response:
        self._authorise(request, access.VIEW)
        return _page(request, self._account.subscriptions.all, self._told)

    async def _create(self, request: Request) -> Response:
        self._authorise(request, access.MANAGE)
        made = self._account.subscriptions.create(await _wanted(request))
        told = self._told(made) | {"hmac_secret": made.secret}
        return JSONResponse(webhook_answers.envelope(told, 201), status_code=201)

    async def _get(self, request: Request) -> Response:
        return JSONResponse(webhook_answers.envelope(self._told(self._find(request, access.VIEW))))

    async def _replace(self, request: Request) -> Response:
        found = self._find(request, access.MANAGE)
        self._account.subscriptions.replace(found, await _wanted(request))
        return JSONResponse(webhook_answers.envelope(self._told(found)))

    async def _delete(self, request: Request) -> Response:
        found = self._find(request, access.MANAGE)
        self._account.subscriptions.delete(found.id)
        said = {"code": 200, "is_success": True}
        return JSONResponse({"data": {"id": found.id}, "status": said})

    def _test(self, request: Request) -> Response:
        # not `async`: it waits for the endpoint, in a thread of its own
        receipt = self._account.subscriptions.test(self._find(request, access.MANAGE))
        data: dict[str, Any] = {"event_id": receipt.event.id}
        if self._account.tests_say == "answer":
            data = webhook_answers.verification(receipt)
        return JSONResponse(webhook_answers.envelope(data))

    async def _events(self, request: Request) -> Response:
        found = self._find(request, access.VIEW)
        account_id = self._account.account_id
        return _page(
            request, found.events, lambda each: webhook_answers.event(found, each, account_id)
        )

    async def _receipts(self, request: Request) -> Response:
        found = self._find(request, access.VIEW)
        receipts = found.of_event(request.path_params["event_id"])
        if not receipts:
            raise HTTPException(404)
        return JSONResponse(
            webhook_answers.envelope([webhook_answers.receipt(found, each) for each in receipts])
        )

    def _told(self, subscription: Subscription) -> dict[str, Any]:
        return webhook_answers.subscription(subscription, self._account.account_id)

    def _find(self, request: Request, allowed: Collection[str]) -> Subscription:
        self._authorise(request, allowed)
        found = self._account.subscriptions.get(request.path_params["subscription_id"])
        if found is None:
            raise HTTPException(404)
        return found

    def _authorise(self, request: Request, allowed: Collection[str]) -> None:
        shown = access.token(request.headers)
        if shown not in access.KNOWN:
            raise HTTPException(401)
        if request.path_params["account_id"] != self._account.account_id:
            raise HTTPException(404)
        if shown not in allowed:
            raise HTTPException(self._account.webhooks_refusal)


async def _wanted(request: Request) -> Wanted:
    try:
        return subscription_request.read(
            request.headers.get("content-type", ""), await request.body()
        )
    except ValueError as error:
        raise HTTPException(400, str(error)) from None


def _page(request: Request, found: Sequence[T], told: Callable[[T], dict[str, Any]]) -> Response:
    """The part of `found` that is asked for."""
    limit, offset = _number(request, "limit", LIMIT), _number(request, "offset", 0)
    rows = [told(each) for each in found[offset : offset + min(limit, LIMIT_MOST)]]
    paging = webhook_answers.paging(len(rows), len(found), {"limit": limit, "offset": offset})
    return JSONResponse(webhook_answers.envelope(rows) | paging)


def _number(request: Request, name: str, otherwise: int) -> int:
    written = request.query_params.get(name, str(otherwise))
    if not (written.isascii() and written.isdigit()):
        raise HTTPException(400, f"{name}: not a valid value.")
    return int(written)


async def _refused(request: Request, refusal: Any) -> Response:
    code = refusal.status_code
    said = "" if refusal.detail == HTTPStatus(code).phrase else refusal.detail
    told = admin_answers.refused(code, said)
    # a text here, where version 2 has null
    told["status"]["developer_message"] = ""
    return JSONResponse(told, status_code=code)
