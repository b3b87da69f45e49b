"""The Admin API, version 2: reads accounts, what they hold, runs and artifacts, and runs jobs.

Source: https://docs.getdbt.com/dbt-cloud/api-v2
"""

import re
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.dbt_cloud import access, admin_answers, name_list, retries, run_list, run_request
from lab.dbt_cloud.run_request import Asked
from lab.dbt_cloud.state import CauseCategory, Environment, Job, Project, Run

RETRIED = Asked("Retry of a failed run", {})
AFRESH = Asked("Triggered via API", {})

T = TypeVar("T", Project, Environment, Job)


class Account(Protocol):
    """What the Admin API is about.

    `metadata_only_refusal` and `run_refusal` are how it meets a token without the right to view,
    or to run: 403 or 404, both have been seen.
    """

    account_id: int
    account_name: str
    metadata_only_refusal: int
    run_refusal: int

    @property
    def projects(self) -> dict[int, Project]: ...

    @property
    def environments(self) -> dict[int, Environment]: ...

    @property
    def jobs(self) -> dict[int, Job]: ...

    @property
    def runs(self) -> dict[int, Run]: ...

    def look(self, run: Run) -> None: ...

    def queue(
        self, job: Job, asked: Asked, cause_category: CauseCategory, retrying: Run | None = None
    ) -> Run: ...


class AdminApi:
    """`app` is to be served; paths begin with /api/v2 and end with a slash, but for artifacts."""

    def __init__(self, account: Account) -> None:
        self._account = account
        prefix = "/api/v2/accounts/"
        of_run = prefix + "{account_id:int}/runs/{run_id:int}/"
        of_job = prefix + "{account_id:int}/jobs/{job_id:int}/"
        self.app = Starlette(
            routes=[
                Route(prefix, self._list_accounts),
                Route(prefix + "{account_id:int}/projects/", self._list_projects),
                Route(prefix + "{account_id:int}/environments/", self._list_environments),
                Route(prefix + "{account_id:int}/jobs/", self._list_jobs),
                Route(prefix + "{account_id:int}/runs/", self._list_runs),
                Route(of_run, self._run),
                Route(of_run + "artifacts/", self._list_artifacts),
                Route(of_run + "artifacts/{path:path}", self._artifact),
                Route(of_run + "retry/", self._retry, methods=["POST"]),
                Route(of_job, self._show_job),
                Route(of_job + "run/", self._run_job, methods=["POST"]),
                Route(of_job + "rerun/", self._rerun_job, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _refused},
        )
        # the real one does not forgive a missing slash either
        self.app.router.redirect_slashes = False

    async def _list_accounts(self, request: Request) -> Response:
        if access.token(request.headers) not in access.KNOWN:
            raise HTTPException(401)
        ours = admin_answers.account(self._account.account_id, self._account.account_name)
        extra = admin_answers.listing("id", {}, count=1, total=1)
        return JSONResponse(admin_answers.envelope([ours], extra))

    async def _list_projects(self, request: Request) -> Response:
        return self._listed(request, self._account.projects, admin_answers.project)

    async def _list_environments(self, request: Request) -> Response:
        return self._listed(request, self._account.environments, admin_answers.environment)

    async def _list_jobs(self, request: Request) -> Response:
        return self._listed(request, self._account.jobs, admin_answers.listed_job)

    def _listed(
        self,
        request: Request,
        all_of_them: Mapping[int, T],
        told: Callable[[T, int], dict[str, Any]],
    ) -> Response:
        self._authorise(request, access.VIEW, self._account.metadata_only_refusal)
        try:
            page = name_list.page(list(all_of_them.values()), request.query_params)
        except ValueError:
            raise HTTPException(400) from None
        data = [told(each, self._account.account_id) for each in page.rows]
        extra = admin_answers.listing(page.order_by, page.filters, len(data), page.total)
        return JSONResponse(admin_answers.envelope(data, extra))

    async def _list_runs(self, request: Request) -> Response:
        self._authorise(request, access.VIEW, self._account.metadata_only_refusal)
        try:
            page = run_list.page(list(self._account.runs.values()), request.query_params)
        except ValueError:
            raise HTTPException(400) from None
        related = _related(request) & {"trigger", "job"}
        data = [self._told(run, related) for run in page.runs]
        extra = admin_answers.listing(page.order_by, page.filters, len(data), page.total)
        return JSONResponse(admin_answers.envelope(data, extra))

    async def _run(self, request: Request) -> Response:
        run = self._find(request)
        self._account.look(run)
        return self._enveloped(run, _related(request))

    async def _show_job(self, request: Request) -> Response:
        self._authorise(request, access.VIEW, self._account.metadata_only_refusal)
        job = self._account.jobs.get(request.path_params["job_id"])
        if job is None:
            raise HTTPException(404)
        told = admin_answers.listed_job(job, self._account.account_id)
        return JSONResponse(admin_answers.envelope(told))

    async def _run_job(self, request: Request) -> Response:
        job = self._job(request)
        try:
            asked = run_request.read(request.headers.get("content-type", ""), await request.body())
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        return self._enveloped(self._account.queue(job, asked, "api"))

    async def _rerun_job(self, request: Request) -> Response:
        job = self._job(request)
        runs = [run for run in self._account.runs.values() if run.job.id == job.id]
        latest = max(runs, key=lambda run: run.id, default=None)
        if latest is None or self._why_no_retry(latest) is not None:
            return self._enveloped(self._account.queue(job, AFRESH, "api"))
        return self._enveloped(self._account.queue(job, RETRIED, "rerun", latest))

    async def _retry(self, request: Request) -> Response:
        self._authorise(request, access.RUN, self._account.run_refusal)
        run = self._account.runs.get(request.path_params["run_id"])
        if run is None:
            raise HTTPException(404)
        why_not = self._why_no_retry(run)
        if why_not is not None:
            raise HTTPException(400, f"This run cannot be retried: {why_not}")
        return self._enveloped(self._account.queue(run.job, RETRIED, "rerun", run))

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

    def _enveloped(self, run: Run, related: Collection[str] = ()) -> Response:
        return JSONResponse(admin_answers.envelope(self._told(run, related)))

    def _told(self, run: Run, related: Collection[str]) -> dict[str, Any]:
        return admin_answers.run(run, related, self._why_no_retry(run))

    def _why_no_retry(self, run: Run) -> str | None:
        return retries.why_not(run, list(self._account.runs.values()))

    def _job(self, request: Request) -> Job:
        """The job that is to be run."""
        self._authorise(request, access.RUN, self._account.run_refusal)
        job = self._account.jobs.get(request.path_params["job_id"])
        if job is None:
            raise HTTPException(404)
        return job

    def _find(self, request: Request) -> Run:
        self._authorise(request, access.VIEW, self._account.metadata_only_refusal)
        run = self._account.runs.get(request.path_params["run_id"])
        if run is None:
            raise HTTPException(404)
        return run

    def _authorise(self, request: Request, allowed: Collection[str], refusal: int) -> None:
        shown = access.token(request.headers)
        if shown not in access.KNOWN:
            raise HTTPException(401)
        if request.path_params["account_id"] != self._account.account_id:
            raise HTTPException(404)
        if shown not in allowed:
            raise HTTPException(refusal)


def _related(request: Request) -> set[str]:
    """Names in `include_related`, written as ["a","b"], ['a','b'] or a,b."""
    return set(re.findall(r"\w+", request.query_params.get("include_related", "")))


async def _refused(request: Request, refusal: Any) -> Response:
    code = refusal.status_code
    said = "" if refusal.detail == HTTPStatus(code).phrase else refusal.detail
    return JSONResponse(admin_answers.refused(code, said), status_code=code)
