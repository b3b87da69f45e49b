"""Power BI's API for refreshing semantic models, for an app: a refresh advances when asked for.

Source: https://learn.microsoft.com/rest/api/power-bi/datasets/refresh-dataset-in-group
"""

import math
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lab import power_bi_request
from lab.entra import Entra, SignInRefused
from lab.faults import Faults, WithFaults
from lab.limits import Window
from lab.power_bi_refresh import Dataset, Ending, How, Refresh, details, in_history
from lab.power_bi_request import Refusal
from lab.timeline import Timeline

SIDE = "Power BI"
A_DAY = timedelta(days=1)
ON_SHARED = 8  # refreshes of a dataset a day, scheduled ones included
IN_HISTORY = 60  # entries, unless asked for fewer


class PowerBi:
    """`app` is to be served, tokens included; `faults` happen to requests, then not looked at.

    `ending` and `error` are how the refreshes that are asked for from now on will end. The other
    switches: whether the tenant lets apps in, until when it is overloaded, with which status a
    refresh that is going on and a used-up day are refused (the vendor's own word on both is
    missing), whether the answer to a standard refresh names its id.
    """

    def __init__(
        self,
        *,
        tenant: str,
        client_id: str,
        client_secret: str,
        datasets: Iterable[Dataset],
        timeline: Timeline | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.ending: Ending = "Completed"
        self.error = "ModelRefreshFailed_CredentialsNotSpecified"
        self.apps_are_let_in = True
        self.overloaded_until: datetime | None = None
        self.going_on_status: Literal[400, 409] = 400
        self.used_up_status: Literal[400, 429] = 429
        self.names_standard_refreshes = True
        self.faults = Faults()
        self.entra = Entra(tenant, client_id, client_secret, clock)
        self._datasets = {(dataset.workspace, dataset.id): dataset for dataset in datasets}
        self._days = {dataset: Window(ON_SHARED, A_DAY, clock) for dataset in self._datasets}
        self._timeline = timeline or Timeline()
        self._clock = clock
        self._refreshes: dict[str, Refresh] = {}
        mine = "/v1.0/myorg/datasets/{dataset}/refreshes"
        refreshes = "/v1.0/myorg/groups/{workspace}/datasets/{dataset}/refreshes"
        app = Starlette(
            routes=[
                Route("/{tenant}/oauth2/v2.0/token", self._sign_in, methods=["POST"]),
                Route(refreshes, self._start, methods=["POST"]),
                Route(refreshes, self._history, methods=["GET"]),
                Route(refreshes + "/{refresh}", self._poll, methods=["GET"]),
                Route(refreshes + "/{refresh}", self._cancel, methods=["DELETE"]),
                Route(mine, self._not_for_apps, methods=["GET", "POST"]),
                Route(mine + "/{refresh}", self._not_for_apps, methods=["GET", "DELETE"]),
            ],
            exception_handlers={
                SignInRefused: self._sign_in_refused,
                Refusal: _refused,
                HTTPException: _no_such_path,
            },
        )
        self.app: ASGIApp = WithFaults(app, self.faults)

    @property
    def refreshes(self) -> list[Refresh]:
        """All refreshes as they are now, in the order in which they were asked for."""
        return list(self._refreshes.values())

    def begin(self, dataset: Dataset, how: How = "Scheduled") -> Refresh:
        """Somebody else refreshes `dataset`; it counts towards the eight of a day."""
        self._days[dataset.workspace, dataset.id].take()
        return self._keep(self._new(dataset, how, {}))

    def finish(self) -> None:
        """All refreshes that are going on end now."""
        for refresh in self.refreshes:
            if not refresh.is_over:
                self._keep(replace(refresh, ended_at=self._clock()))

    async def _sign_in(self, request: Request) -> Response:
        content_type = request.headers.get("content-type", "")
        tenant, body = request.path_params["tenant"], await request.body()
        return JSONResponse(self.entra.give(tenant, content_type, body))

    async def _start(self, request: Request) -> Response:
        dataset = self._dataset(request)
        content_type = request.headers.get("content-type", "")
        asked = power_bi_request.read(content_type, await request.body())
        power_bi_request.check(asked, dataset)
        self._has_room(dataset)
        enhanced = power_bi_request.is_enhanced(asked)
        refresh = self._keep(self._new(dataset, "ViaEnhancedApi" if enhanced else "ViaApi", asked))
        headers = {"RequestId": refresh.id} if self.names_standard_refreshes else {}
        if enhanced:
            location = f"{str(request.url).partition('?')[0]}/{refresh.id}"
            headers = {"x-ms-request-id": refresh.id, "Location": location}
        return Response(status_code=202, headers=headers)

    async def _history(self, request: Request) -> Response:
        dataset = self._dataset(request)
        top = request.query_params.get("$top", str(IN_HISTORY))
        if not (top.isascii() and top.isdigit() and int(top) > 0):
            raise Refusal(400, "InvalidRequest", "The value of $top is not valid")
        newest_first = [r for r in reversed(self.refreshes) if r.dataset == dataset]
        return JSONResponse(
            {"value": [in_history(self._advanced(r)) for r in newest_first[: int(top)]]}
        )

    async def _poll(self, request: Request) -> Response:
        refresh = self._advanced(self._refresh(request))
        return JSONResponse(details(refresh), 200 if refresh.is_over else 202)

    async def _cancel(self, request: Request) -> Response:
        refresh = self._refresh(request)
        if not refresh.is_over:
            self._keep(replace(refresh, ending="Cancelled", ended_at=self._clock()))
        return Response(status_code=200)

    async def _not_for_apps(self, request: Request) -> Response:
        self._let_in(request)
        raise Refusal(403, "Forbidden", "API is not accessible for application")

    def _let_in(self, request: Request) -> None:
        if not self.entra.knows(request.headers.get("authorization", "")):
            text = "Access token has expired, resubmit with a new access token"
            raise Refusal(401, "TokenExpired", text)
        now = self._clock()
        if self.overloaded_until is not None and now < self.overloaded_until:
            wait_s = math.ceil((self.overloaded_until - now).total_seconds())
            text = f"You have exceeded the amount of requests allowed. Retry in {wait_s} seconds."
            raise Refusal(429, "", text, retry_after_s=wait_s)
        if not self.apps_are_let_in:
            text = "Service principals are not allowed to use the APIs of this tenant"
            raise Refusal(403, "PowerBINotAuthorizedException", text)

    def _dataset(self, request: Request) -> Dataset:
        """The dataset that an authentic request is about."""
        self._let_in(request)
        names = str(request.path_params["workspace"]), str(request.path_params["dataset"])
        try:
            uuid.UUID(names[0])
        except ValueError:
            raise Refusal(400, "InvalidRequest", "The workspace's id is no UUID") from None
        dataset = self._datasets.get(names)
        if dataset is None:
            raise Refusal(404, "PowerBIEntityNotFound", "")
        return dataset

    def _refresh(self, request: Request) -> Refresh:
        dataset = self._dataset(request)
        refresh = self._refreshes.get(request.path_params["refresh"])
        is_served = refresh is not None and refresh.how == "ViaEnhancedApi"
        if refresh is None or not is_served or refresh.dataset != dataset:
            raise Refusal(404, "PowerBIEntityNotFound", "")
        return refresh

    def _has_room(self, dataset: Dataset) -> None:
        """Raise Refusal if `dataset` is being refreshed, or was too often today."""
        if any(r.dataset == dataset and not r.is_over for r in self.refreshes):
            refusal = power_bi_request.invalid("Another refresh request is already executing")
            refusal.status = self.going_on_status
            raise refusal
        if dataset.capacity == "premium":
            return
        if wait := self._days[dataset.workspace, dataset.id].take():
            wait_s = math.ceil(wait.total_seconds()) if self.used_up_status == 429 else None
            refusal = power_bi_request.invalid(
                "Number of refresh requests in last 24 hours exceeded limit"
            )
            raise Refusal(self.used_up_status, "Request Throttled", str(refusal), wait_s)

    def _new(self, dataset: Dataset, how: How, asked: dict[str, object]) -> Refresh:
        id_, now = str(uuid.uuid4()), self._clock()
        return Refresh(id_, dataset, how, asked, self.ending, self.error, now)

    def _advanced(self, refresh: Refresh) -> Refresh:
        if refresh.is_over:
            return refresh
        refresh = replace(refresh, polls=refresh.polls + 1)
        over = replace(refresh, ended_at=self._clock())
        return self._keep(over if refresh.is_due_to_end else refresh)

    def _keep(self, refresh: Refresh) -> Refresh:
        before = self._refreshes.get(refresh.id)
        self._refreshes[refresh.id] = refresh
        if before is None or before.extended_status != refresh.extended_status:
            id_, state = refresh.dataset.id, refresh.extended_status
            facts = {"dataset": id_, "refresh": refresh.id, "state": state}
            self._timeline.saw(SIDE, f"dataset refresh {state}: {id_}", **facts)
        return refresh

    async def _sign_in_refused(self, _: Request, error: Exception) -> Response:
        refused = cast(SignInRefused, error)
        return JSONResponse(refused.told(self._clock()), refused.status)


async def _refused(_: Request, error: Exception) -> Response:
    refusal = cast(Refusal, error)
    said = {"message": str(refusal)} if str(refusal) else {}
    wait = refusal.retry_after_s
    headers = {} if wait is None else {"Retry-After": str(wait)}
    # the gateway before the service speaks of no error and no code
    body = {"error": {"code": refusal.code, **said}} if refusal.code else said
    return JSONResponse(body, refusal.status, headers)


async def _no_such_path(_: Request, error: Exception) -> Response:
    failed = cast(HTTPException, error)
    said = {"code": "NotFound", "message": failed.detail}
    return JSONResponse({"error": said}, failed.status_code)
