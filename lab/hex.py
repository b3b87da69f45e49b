"""Hex's API for running projects: a run advances each time that somebody asks for it.

Source: https://learn.hex.tech/docs/api/api-reference
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lab import hex_request
from lab.faults import Faults, WithFaults
from lab.hex_request import Asked, InputsRefused, Refusal
from lab.hex_run import Ending, Project, Run, started, told
from lab.limits import Window
from lab.timeline import Timeline

SIDE = "Hex"
RUN_PROJECTS = "Run projects"
KERNELS = 25  # in a workspace, at once
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Hex:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at.

    `ending` is how the runs that are asked for from now on will end, `scopes` what the token may
    do, `kernels_elsewhere` how many of the workspace's kernels others have taken. Which headers
    Hex sends with a 429 is not published: none are sent.
    """

    def __init__(
        self,
        *,
        token: str,
        projects: Iterable[Project],
        timeline: Timeline | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.ending: Ending = "COMPLETED"
        self.scopes = {RUN_PROJECTS}
        self.kernels_elsewhere = 0
        self.faults = Faults()
        self._token = token.encode()
        self._projects = {project.id: project for project in projects}
        self._timeline = timeline or Timeline()
        self._clock = clock
        self._requests = [Window(60, MINUTE, clock)]
        self._starts = [*self._requests, Window(20, MINUTE, clock), Window(60, HOUR, clock)]
        self._runs: dict[str, Run] = {}
        runs = "/api/v1/projects/{project}/runs"
        app = Starlette(
            routes=[
                Route(runs, self._start, methods=["POST"]),
                Route(runs + "/{run}", self._poll, methods=["GET"]),
                Route(runs + "/{run}", self._cancel, methods=["DELETE"]),
            ],
            exception_handlers={Refusal: _refusal, HTTPException: _no_such_path},
        )
        self.app: ASGIApp = WithFaults(app, self.faults)

    @property
    def runs(self) -> list[Run]:
        """All runs as they are now, in the order in which they were asked for."""
        return list(self._runs.values())

    async def _start(self, request: Request) -> Response:
        project = self._project(request, self._starts)
        asked = hex_request.read(request.headers.get("content-type", ""), await request.body())
        self._check(project, asked)
        run = Run(str(uuid.uuid4()), project, asked, self.ending, self._clock())
        if not asked.dry_run:
            self._keep(run)
        return JSONResponse(started(run, _base_url(request), _trace_id()), 201)

    async def _poll(self, request: Request) -> Response:
        run = self._run(request)
        if not run.is_over:
            run = replace(run, polls=run.polls + 1)
            run = replace(run, ended_at=self._clock()) if run.is_due_to_end else run
            self._keep(run)
        return JSONResponse(told(run, _base_url(request), _trace_id()), 200)

    async def _cancel(self, request: Request) -> Response:
        run = self._run(request)
        if not run.is_over:
            self._keep(replace(run, ending="KILLED", ended_at=self._clock()))
        return Response(status_code=204)

    def _project(self, request: Request, windows: list[Window]) -> Project:
        """The project that an authentic request is about; it counts in each of `windows`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not compare_digest(token.strip().encode(), self._token):
            raise Refusal(401, "The token is missing, wrong or expired")
        if any(window.room_in() for window in windows):
            raise Refusal(429, "Too many requests")
        for window in windows:
            window.take()
        if RUN_PROJECTS not in self.scopes:
            raise Refusal(403, f"The token lacks the scope {RUN_PROJECTS!r}")
        wanted = str(request.path_params["project"])
        try:
            uuid.UUID(wanted)
        except ValueError:
            raise Refusal(400, "The project's id is no UUID") from None
        if wanted not in self._projects:
            raise Refusal(404, "There is no such project, or it is not yours to see")
        return self._projects[wanted]

    def _run(self, request: Request) -> Run:
        project = self._project(request, self._requests)
        run = self._runs.get(request.path_params["run"])
        if run is None or run.project != project:
            raise Refusal(404, "There is no such run")
        return run

    def _check(self, project: Project, asked: Asked) -> None:
        """Raise Refusal unless `project` can be run as it is `asked` for, now."""
        if asked.update_published_results and not project.may_edit:
            raise Refusal(403, "updatePublishedResults needs Can Edit on the project")
        if not project.is_published:
            raise Refusal(422, "The project has not been published")
        if unknown := sorted((asked.input_params or {}).keys() - project.inputs):
            raise InputsRefused(unknown)
        running = sum(not run.is_over for run in self.runs)
        if running + self.kernels_elsewhere >= KERNELS:
            raise Refusal(503, f"All {KERNELS} kernels of the workspace are taken")

    def _keep(self, run: Run) -> None:
        before = self._runs.get(run.id)
        self._runs[run.id] = run
        if before is None or before.state != run.state:
            facts = {"project": run.project.id, "run": run.id, "state": run.state}
            self._timeline.saw(SIDE, f"project run {run.state}: {run.project.id}", **facts)


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _trace_id() -> str:
    return uuid.uuid4().hex


async def _refusal(_: Request, refusal: Exception) -> Response:
    refused = cast(Refusal, refusal)
    return JSONResponse({**refused.body, "traceId": _trace_id()}, refused.status)


async def _no_such_path(_: Request, error: Exception) -> Response:
    failed = cast(HTTPException, error)
    return JSONResponse({"reason": failed.detail, "traceId": _trace_id()}, failed.status_code)
