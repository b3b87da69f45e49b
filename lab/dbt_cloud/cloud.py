"""dbt Cloud, here: one account with its runs, its webhooks, and both APIs on loopback.

    cloud = DbtCloud()  # its jobs, environments, faults and records: see its attributes
    with cloud.running() as served:
        run = cloud.run(sample="model_error")
        cloud.webhooks.send(run, "job.run.completed", url, secret)
        cloud.subscriptions.tell(run, "job.run.completed")  # those made through its API

The receiver of that event finds the run below `served.base_url`/api/v2 and its nodes at
`served.metadata_url`/graphql, with one of the tokens in `access`.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from lab.dbt_cloud import access, rate_limit, samples, state, variations
from lab.dbt_cloud.admin import AdminApi
from lab.dbt_cloud.calls import Calls, Recorded
from lab.dbt_cloud.discovery import DiscoveryApi
from lab.dbt_cloud.rate_limit import RateLimited
from lab.dbt_cloud.readiness import Readiness
from lab.dbt_cloud.run_request import Asked
from lab.dbt_cloud.samples import Sample
from lab.dbt_cloud.state import CauseCategory, Environment, Job, JobType, Project, Run, Trigger
from lab.dbt_cloud.statuses import FINISHED, ON_THE_WAY, QUEUED
from lab.dbt_cloud.subscriptions import Subscriptions
from lab.dbt_cloud.webhooks import Webhooks
from lab.dbt_cloud.webhooks_api import WebhooksApi
from lab.faults import Faults, WithFaults
from lab.serve import serve
from lab.timeline import Timeline

ACCOUNT_ID = 70403103916188  # an account in a cell: beyond 32 bits
HOST = "ab123.us1.dbt.com"
CAUSES: dict[CauseCategory, str] = {
    "scheduled": "scheduled",
    "ui": "Kicked off from UI by lena@teahouse.example",
    "api": "Triggered via API",
    "ci": "Triggered by a pull request",
    "merge": "Triggered by the merge of a pull request",
    "rerun": "Rerun of the last run",
    "job completion": "Triggered by the completion of another job",
}
JUST_NOW = timedelta(seconds=2)


@dataclass(frozen=True)
class Served:
    """Where the APIs are: Admin below `base_url`/api/v2, Discovery at `metadata_url`/graphql."""

    base_url: str
    metadata_url: str
    token: str = access.TOKEN
    metadata_only_token: str = access.METADATA_TOKEN
    runner_token: str = access.RUNNER_TOKEN
    blind_token: str = access.BLIND_TOKEN
    manager_token: str = access.MANAGER_TOKEN


class DbtCloud:
    """An account with one project, a production environment and a nightly job to begin with.

    `host` is where people would open its runs. `metadata_only_refusal` is how the Admin API
    meets a token without the right to read runs, `run_refusal` one without the right to run jobs,
    `webhooks_refusal` one without the right to manage webhooks: 404 or 403. `tests_say` is what a
    test of a webhook answers, see `webhooks_api`. `ending` is how the runs that its API begins
    from now on will end; `clock` counts its limit.
    """

    def __init__(
        self,
        timeline: Timeline | None = None,
        *,
        account_id: int = ACCOUNT_ID,
        account_name: str = "Teahouse",
        host: str = HOST,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.account_id = account_id
        self.account_name = account_name
        self.host = host
        self.metadata_only_refusal = 404
        self.run_refusal = 403
        self.webhooks_refusal = 404
        self.tests_say: Literal["event", "answer"] = "event"
        self.ending: str | Sample = "success"
        self.timeline = timeline or Timeline()
        self.jobs: dict[int, Job] = {}
        self.runs: dict[int, Run] = {}
        self.webhooks = Webhooks(self.timeline)
        self.subscriptions = Subscriptions(self.timeline, clock)
        self.admin_faults, self.discovery_faults = Faults(), Faults()
        self.admin_calls, self.discovery_calls = Calls(), Calls()
        self.discovery = DiscoveryApi(self)
        self._ids = itertools.count(account_id + 1_000)
        self._run_ids = itertools.count(account_id + 34_394_052_067, step=1_237)
        self.projects: dict[int, Project] = {}
        self.environments: dict[int, Environment] = {}
        self.project = self.add_project("Teahouse")
        self.production = self.add_environment("Production", deployment_type="production")
        self.job = self.add_job("Nightly build")
        admin = RateLimited(
            _both(AdminApi(self).app, WebhooksApi(self).app), rate_limit.window(clock)
        )
        self.admin_app = _around(admin, self.admin_faults, self.admin_calls)
        self.discovery_app = _around(
            self.discovery.app, self.discovery_faults, self.discovery_calls
        )

    @property
    def environment_ids(self) -> set[int]:
        return set(self.environments)

    def add_project(self, name: str) -> Project:
        project = Project(next(self._ids), name)
        self.projects[project.id] = project
        return project

    def add_environment(
        self,
        name: str,
        project: Project | None = None,
        *,
        deployment_type: state.DeploymentType | None = None,
    ) -> Environment:
        environment = Environment(next(self._ids), name, project or self.project, deployment_type)
        self.environments[environment.id] = environment
        return environment

    def add_job(
        self,
        name: str,
        environment: Environment | None = None,
        *,
        job_type: JobType = "scheduled",
        execute_steps: tuple[str, ...] = ("dbt build",),
        run_generate_sources: bool = False,
    ) -> Job:
        job = Job(
            next(self._ids),
            name,
            environment or self.production,
            job_type=job_type,
            execute_steps=execute_steps,
            run_generate_sources=run_generate_sources,
        )
        self.jobs[job.id] = job
        return job

    def start(
        self,
        job: Job | None = None,
        *,
        cause_category: CauseCategory = "scheduled",
        cause: str | None = None,
        pull_request_id: int | None = None,
        at: datetime | None = None,
    ) -> Run:
        """A run that goes on; `at` is when it began (a minute ago). See `finish`."""
        run = self._begun(job or self.job, cause_category, cause, pull_request_id, at)
        self._saw(run, "started")
        return run

    def _begun(
        self,
        job: Job,
        cause_category: CauseCategory,
        cause: str | None,
        pull_request_id: int | None = None,
        at: datetime | None = None,
    ) -> Run:
        run_id = next(self._run_ids)
        project_id = job.environment.project.id
        run = Run(
            id=run_id,
            account_id=self.account_id,
            job=job,
            trigger=Trigger(
                run_id + 1,
                CAUSES[cause_category] if cause is None else cause,
                cause_category,
                git_branch="main" if pull_request_id is None else "new-mart",
                pull_request_id=pull_request_id,
            ),
            started_at=at or datetime.now(UTC) - timedelta(minutes=1),
            href=f"https://{self.host}/deploy/{self.account_id}/projects/{project_id}/runs/{run_id}",
        )
        self.runs[run_id] = run
        return run

    def run(
        self,
        job: Job | None = None,
        sample: str | Sample = "success",
        *,
        cause_category: CauseCategory = "scheduled",
        cause: str | None = None,
        pull_request_id: int | None = None,
        at: datetime | None = None,
        metadata: Readiness | None = None,
        artifacts: Readiness | None = None,
    ) -> Run:
        """A run that went as `sample` did, and ended just now unless `at` says when it began.

        `metadata` and `artifacts` say when they can be read: at once if left out.
        """
        sample = samples.load(sample) if isinstance(sample, str) else sample
        run = self.start(
            job,
            cause_category=cause_category,
            cause=cause,
            pull_request_id=pull_request_id,
            at=at or _beginning(sample),
        )
        run.metadata = metadata or run.metadata
        run.artifacts = artifacts or run.artifacts
        self.finish(run, sample)
        return run

    def queue(
        self, job: Job, asked: Asked, cause_category: CauseCategory, retrying: Run | None = None
    ) -> Run:
        """A run as the API begins one, or takes up `retrying`: it goes on each time it is read."""
        ending = samples.load(self.ending) if isinstance(self.ending, str) else self.ending
        if retrying is not None and retrying.sample is not None and self.ending == "success":
            ending = variations.retrying(retrying.sample, ending)
        run = self._begun(job, cause_category, asked.cause, at=_beginning(ending))
        branch = asked.overrides.get("git_branch", run.trigger.git_branch)
        run.trigger = replace(run.trigger, git_branch=branch, overrides=asked.overrides)
        run.retrying_run_id = None if retrying is None else retrying.id
        run.status, run.bound_for = QUEUED, ending
        self._saw(run, "queued", cause=asked.cause)
        return run

    def look(self, run: Run) -> None:
        """Somebody reads `run`, which takes it one status on if the API began it."""
        if run.bound_for is None or run.status in FINISHED:
            return
        further = ON_THE_WAY[ON_THE_WAY.index(run.status) + 1 :]
        if further:
            run.status = further[0]
        else:
            self.finish(run, run.bound_for)

    def finish(self, run: Run, sample: str | Sample) -> None:
        """End `run` as `sample` did."""
        run.finish(samples.load(sample) if isinstance(sample, str) else sample)
        self._saw(run, f"ended, {run.status_in_words}", status=str(run.status))

    def _saw(self, run: Run, what: str, **facts: str) -> None:
        said = f"{run.job.name}: run {run.id} {what}"
        self.timeline.saw("dbt Cloud", said, run=str(run.id), **facts)

    @contextmanager
    def running(self) -> Iterator[Served]:
        """Serve both APIs within the block."""
        with serve(self.admin_app) as base_url, serve(self.discovery_app) as metadata_url:
            yield Served(base_url, metadata_url)


def _beginning(sample: Sample) -> datetime:
    """When a run began that goes as `sample` did and ends just now."""
    took = state.CLONE_TAKES + state.PROFILE_TAKES + sample.takes
    return datetime.now(UTC) - took - JUST_NOW


def _both(second: ASGIApp, third: ASGIApp) -> ASGIApp:
    """Versions 2 and 3 of the API, on one host."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_third = scope.get("path", "").startswith("/api/v3/")
        await (third if is_third else second)(scope, receive, send)

    return app


def _around(app: ASGIApp, faults: Faults, calls: Calls) -> ASGIApp:
    return Recorded(WithFaults(app, faults), calls)
