"""Mode's API for running reports and datasets: a run advances each time that somebody asks for it.

Source: https://mode.com/developer/api-reference/analytics/report-runs/
"""

import base64
import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hmac import compare_digest
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from lab import mode_query_runs, mode_report, mode_request
from lab.faults import Faults, WithFaults
from lab.limits import Window
from lab.mode_request import Asked
from lab.mode_run import Ending, Kind, PythonState, QueryState, Run, told
from lab.timeline import Timeline

SIDE = "Mode"
ERROR_IDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    429: "rate_limited",
}


class Mode:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at.

    `uses` has the datasets that a report uses, by its token. A run of a report shows what it
    showed before of each, unless it is told to pull the latest good run in.

    `ending` is how the runs of reports that are asked for from now on will end, `dataset_ending`
    those of datasets, `queries` and `python` what their parts do where that does not follow from
    it. While `may_run` is false, the token only reads; while `archived` is true, the reports are.
    `limit` is how often one may ask: Mode has one and does not publish it.
    """

    def __init__(
        self,
        *,
        workspace: str,
        reports: Iterable[str],
        token: str,
        secret: str,
        uses: Mapping[str, Sequence[str]] | None = None,
        timeline: Timeline | None = None,
    ) -> None:
        self.ending: Ending = "succeeded"
        self.dataset_ending: Ending = "succeeded"
        self.queries: QueryState = "succeeded"
        self.python: PythonState = "none"
        self.may_run = True
        self.archived = False
        self.limit: Window | None = None
        self.faults = Faults()
        self._workspace = workspace
        self._uses = {report: tuple((uses or {}).get(report, ())) for report in reports}
        self._credentials = base64.b64encode(f"{token}:{secret}".encode())
        self._timeline = timeline or Timeline()
        self._runs: dict[str, Run] = {}
        app = Starlette(routes=_routes(self), exception_handlers={HTTPException: _refusal})
        self.app: ASGIApp = WithFaults(app, self.faults)

    @property
    def runs(self) -> list[Run]:
        """All runs of reports as they are now, in the order in which they were asked for."""
        return [run for run in self._runs.values() if run.kind == "reports"]

    @property
    def dataset_runs(self) -> list[Run]:
        """The same of datasets."""
        return [run for run in self._runs.values() if run.kind == "datasets"]

    def end_runs(self) -> None:
        """End what is on the way, as if somebody had asked often enough."""
        for run in (*self.runs, *self.dataset_runs):
            if not run.is_over:
                self._keep(run.ended(datetime.now(UTC)), 200)

    async def show_report(self, request: Request) -> JSONResponse:
        report = self._authorised(request, "reports")
        last = [run for run in self.runs if run.of == report][-1:]
        return _hal(mode_report.told(self._workspace, report, last, archived=self.archived), 200)

    async def list_dataset_runs(self, request: Request) -> JSONResponse:
        dataset = self._authorised(request, "datasets")
        runs = [run for run in self.dataset_runs if run.of == dataset]
        listed = [told(run, runs) for run in reversed(runs)]
        return _hal(mode_report.listed(self._workspace, dataset, listed), 200)

    async def start_report(self, request: Request) -> JSONResponse:
        report = self._authorised(request, "reports")
        self._may_run()
        try:
            asked = mode_request.read(request.headers.get("content-type", ""), await request.body())
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        if not set(asked.datasets) <= set(self._uses[report]):
            raise HTTPException(400, "The report does not use such a dataset")
        run = self._new("reports", report, self.ending)
        shows = self._shown(report, asked)
        return self._keep(replace(run, parameters=asked.parameters, shows=shows), 202)

    async def start_dataset(self, request: Request) -> JSONResponse:
        dataset = self._authorised(request, "datasets")
        self._may_run()
        return self._keep(self._new("datasets", dataset, self.dataset_ending), 202)

    async def poll(self, kind: Kind, request: Request) -> JSONResponse:
        run = self._found(kind, request)
        if not run.is_over:
            run = replace(run, polls=run.polls + 1, updated_at=datetime.now(UTC))
        return self._keep(run, 200)

    async def query_runs(self, kind: Kind, request: Request) -> JSONResponse:
        return _hal(mode_query_runs.told(self._found(kind, request)), 200)

    def _found(self, kind: Kind, request: Request) -> Run:
        of = self._authorised(request, kind)
        run = self._runs.get(request.path_params["run"])
        if run is None or (run.kind, run.of) != (kind, of):
            raise HTTPException(404, "There is no such run")
        return run

    def _authorised(self, request: Request, kind: Kind) -> str:
        """The report or dataset that an authentic request is about."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        known = compare_digest(credentials.strip().encode(), self._credentials)
        if scheme.lower() != "basic" or not known:
            raise HTTPException(401, "The token or its secret is wrong")
        wait = self.limit.take() if self.limit else None
        if wait is not None:
            after = {"Retry-After": str(math.ceil(wait.total_seconds()))}
            raise HTTPException(429, "Too many requests", headers=after)
        datasets = {dataset for used in self._uses.values() for dataset in used}
        of = str(request.path_params["of"])
        known_here = self._uses if kind == "reports" else datasets
        if request.path_params["workspace"] != self._workspace or of not in known_here:
            what = kind.removesuffix("s")
            raise HTTPException(404, f"There is no such {what}, or it is not yours to see")
        return of

    def _may_run(self) -> None:
        if not self.may_run:
            raise HTTPException(403, "You may look at this and not run it")

    def _new(self, kind: Kind, of: str, ending: Ending) -> Run:
        queries: QueryState = "failed" if ending == "failed" else self.queries
        now = datetime.now(UTC)
        return Run(
            secrets.token_hex(6),
            self._workspace,
            kind,
            of,
            ending,
            created_at=now,
            updated_at=now,
            queries=queries,
            python=self.python if kind == "reports" else "none",
        )

    def _shown(self, report: str, asked: Asked) -> dict[str, str]:
        """For each dataset that `report` uses, the run of it that a new run of `report` shows."""
        before = [run.shows for run in self.runs if run.report == report]
        shows = dict(before[-1]) if before else {}
        for dataset in self._uses[report]:
            good = [run for run in self.dataset_runs if run.of == dataset and run.has_data]
            if good and (dataset in asked.datasets or dataset not in shows):
                shows[dataset] = good[-1].token
        return shows

    def _keep(self, run: Run, status: int) -> JSONResponse:
        before = self._runs.get(run.token)
        self._runs[run.token] = run
        what = run.kind.removesuffix("s")
        if before is None or before.state != run.state:
            facts = {what: run.of, "run": run.token, "state": run.state}
            self._timeline.saw(SIDE, f"{what} run {run.state}: {run.of}", **facts)
        same = [each for each in self._runs.values() if (each.kind, each.of) == (run.kind, run.of)]
        return _hal(told(run, same), status)


def _routes(mode: Mode) -> list[Route]:
    kinds: tuple[Kind, ...] = ("reports", "datasets")
    routes = []
    for kind in kinds:
        runs = f"/api/{{workspace}}/{kind}/{{of}}/runs"
        start = mode.start_report if kind == "reports" else mode.start_dataset
        look, at = mode.show_report, runs.removesuffix("/runs")
        if kind == "datasets":
            look, at = mode.list_dataset_runs, runs
        routes += [
            Route(runs, start, methods=["POST"]),
            Route(at, look, methods=["GET"]),
            Route(runs + "/{run}", partial(mode.poll, kind), methods=["GET"]),
            Route(runs + "/{run}/query_runs", partial(mode.query_runs, kind), methods=["GET"]),
        ]
    return routes


def _hal(
    body: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(body, status, headers, media_type="application/hal+json")


async def _refusal(_: Request, refusal: Exception) -> JSONResponse:
    refused = cast(HTTPException, refusal)
    said = {"id": ERROR_IDS.get(refused.status_code, "not_found"), "message": refused.detail}
    return _hal(said, refused.status_code, refused.headers)
