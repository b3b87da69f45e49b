"""Mode's API for running reports: a run advances each time that somebody asks for it.

Source: https://mode.com/developer/api-reference/analytics/report-runs/
"""

import base64
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from lab.faults import Faults, WithFaults
from lab.mode_run import Ending, Run, told
from lab.timeline import Timeline

SIDE = "Mode"
ERROR_IDS = {400: "bad_request", 401: "unauthorized", 404: "not_found"}


class Mode:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at.

    `ending` is how the runs that are asked for from now on will end.
    """

    def __init__(
        self,
        *,
        workspace: str,
        reports: Iterable[str],
        token: str,
        secret: str,
        timeline: Timeline | None = None,
    ) -> None:
        self.ending: Ending = "succeeded"
        self.faults = Faults()
        self._workspace = workspace
        self._reports = frozenset(reports)
        self._credentials = base64.b64encode(f"{token}:{secret}".encode())
        self._timeline = timeline or Timeline()
        self._runs: dict[str, Run] = {}
        runs = "/api/{workspace}/reports/{report}/runs"
        app = Starlette(
            routes=[
                Route(runs, self._start, methods=["POST"]),
                Route(runs + "/{run}", self._poll, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _refusal},
        )
        self.app: ASGIApp = WithFaults(app, self.faults)

    @property
    def runs(self) -> list[Run]:
        """All runs as they are now, in the order in which they were asked for."""
        return list(self._runs.values())

    async def _start(self, request: Request) -> JSONResponse:
        report = self._report(request)
        parameters = _parameters(request.headers.get("content-type", ""), await request.body())
        token, now = secrets.token_hex(6), datetime.now(UTC)
        run = Run(token, self._workspace, report, parameters, self.ending, now, now)
        return self._keep(run, 202)

    async def _poll(self, request: Request) -> JSONResponse:
        report = self._report(request)
        run = self._runs.get(request.path_params["run"])
        if run is None or run.report != report:
            raise HTTPException(404, "There is no such run")
        if not run.is_over:
            run = replace(run, polls=run.polls + 1, updated_at=datetime.now(UTC))
        return self._keep(run, 200)

    def _report(self, request: Request) -> str:
        """The report that an authentic request is about."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        known = compare_digest(credentials.strip().encode(), self._credentials)
        if scheme.lower() != "basic" or not known:
            raise HTTPException(401, "The token or its secret is wrong")
        report = str(request.path_params["report"])
        if request.path_params["workspace"] != self._workspace or report not in self._reports:
            raise HTTPException(404, "There is no such report, or it is not yours to see")
        return report

    def _keep(self, run: Run, status: int) -> JSONResponse:
        before = self._runs.get(run.token)
        self._runs[run.token] = run
        if before is None or before.state != run.state:
            facts = {"report": run.report, "run": run.token, "state": run.state}
            self._timeline.saw(SIDE, f"report run {run.state}: {run.report}", **facts)
        return _hal(told(run, [other for other in self.runs if other.report == run.report]), status)


def _parameters(content_type: str, body: bytes) -> Mapping[str, Any]:
    """What the body says to run the report with; without a body, nothing: its defaults."""
    if not body:
        return {}
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(400, "The body is not said to be JSON")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not JSON") from None
    parameters = asked.get("parameters", {}) if isinstance(asked, dict) else None
    if not isinstance(parameters, dict):
        raise HTTPException(400, "The body and its `parameters` are to be objects")
    return parameters


def _hal(body: Mapping[str, Any], status: int) -> JSONResponse:
    return JSONResponse(body, status, media_type="application/hal+json")


async def _refusal(_: Request, refusal: Exception) -> JSONResponse:
    status = cast(HTTPException, refusal).status_code
    detail = cast(HTTPException, refusal).detail
    return _hal({"id": ERROR_IDS.get(status, "not_found"), "message": detail}, status)
