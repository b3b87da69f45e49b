"""The Admin API, version 2: what reads accounts, runs and artifacts.

Source: https://docs.getdbt.com/dbt-cloud/api-v2
"""

import re
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.dbt_cloud import access, admin_answers, run_list
from lab.dbt_cloud.state import Run


class Account(Protocol):
    """What the Admin API reads; `metadata_only_refusal` is how it meets a token without the right.

    403 or 404: both have been seen.
    """

    account_id: int
    account_name: str
    metadata_only_refusal: int

    @property
    def runs(self) -> dict[int, Run]: ...


class AdminApi:
    """`app` is to be served; paths begin with /api/v2 and end with a slash, but for artifacts."""

    def __init__(self, account: Account) -> None:
        self._account = account
        prefix = "/api/v2/accounts/"
        of_run = prefix + "{account_id:int}/runs/{run_id:int}/"
        self.app = Starlette(
            routes=[
                Route(prefix, self._list_accounts),
                Route(prefix + "{account_id:int}/runs/", self._list_runs),
                Route(of_run, self._run),
                Route(of_run + "artifacts/", self._list_artifacts),
                Route(of_run + "artifacts/{path:path}", self._artifact),
            ],
            exception_handlers={HTTPException: _refused},
        )
        # the real one does not forgive a missing slash either
        self.app.router.redirect_slashes = False

    async def _list_accounts(self, request: Request) -> Response:
        if access.token(request.headers) not in (access.TOKEN, access.METADATA_TOKEN):
            raise HTTPException(401)
        ours = admin_answers.account(self._account.account_id, self._account.account_name)
        extra = admin_answers.listing("id", {}, count=1, total=1)
        return JSONResponse(admin_answers.envelope([ours], extra))

    async def _list_runs(self, request: Request) -> Response:
        self._authorise(request)
        try:
            page = run_list.page(self._account.runs.values(), request.query_params)
        except ValueError:
            raise HTTPException(400) from None
        related = _related(request) & {"trigger", "job"}
        data = [admin_answers.run(run, related) for run in page.runs]
        extra = admin_answers.listing(page.order_by, page.filters, len(data), page.total)
        return JSONResponse(admin_answers.envelope(data, extra))

    async def _run(self, request: Request) -> Response:
        run = self._find(request)
        return JSONResponse(admin_answers.envelope(admin_answers.run(run, _related(request))))

    async def _list_artifacts(self, request: Request) -> Response:
        run = self._find(request)
        paths = sorted({path for step in run.steps for path in step.artifacts})
        return JSONResponse(
            admin_answers.envelope(paths if paths and run.artifacts.ask() else None)
        )

    async def _artifact(self, request: Request) -> Response:
        run = self._find(request)
        try:
            step = int(request.query_params["step"]) if "step" in request.query_params else None
        except ValueError:
            raise HTTPException(400) from None
        text = run.artifact(request.path_params["path"], step) if run.artifacts.ask() else None
        if text is None:
            raise HTTPException(404)
        return Response(text, media_type="application/json")

    def _find(self, request: Request) -> Run:
        self._authorise(request)
        run = self._account.runs.get(request.path_params["run_id"])
        if run is None:
            raise HTTPException(404)
        return run

    def _authorise(self, request: Request) -> None:
        shown = access.token(request.headers)
        if shown not in (access.TOKEN, access.METADATA_TOKEN):
            raise HTTPException(401)
        if request.path_params["account_id"] != self._account.account_id:
            raise HTTPException(404)
        if shown == access.METADATA_TOKEN:
            raise HTTPException(self._account.metadata_only_refusal)


def _related(request: Request) -> set[str]:
    """Names in `include_related`, written as ["a","b"], ['a','b'] or a,b."""
    return set(re.findall(r"\w+", request.query_params.get("include_related", "")))


_MESSAGES = {
    400: "The request could not be understood.",
    401: admin_answers.INVALID_TOKEN,
    403: "You do not have permission to perform this action.",
    405: "Method not allowed.",
}


async def _refused(request: Request, refusal: Any) -> Response:
    code = refusal.status_code
    message = _MESSAGES.get(code, admin_answers.NOT_FOUND)
    return JSONResponse(admin_answers.refusal(code, message), status_code=code)
