"""What a dbt Cloud account holds: projects, environments, jobs, and their runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from lab.dbt_cloud import statuses, times
from lab.dbt_cloud.readiness import Readiness
from lab.dbt_cloud.samples import Sample

CauseCategory = Literal["api", "ci", "scheduled", "ui", "rerun", "job completion", "merge"]
JobType = Literal["ci", "scheduled", "other", "merge"]
DeploymentType = Literal["production", "staging"]

CLONE_TAKES = timedelta(seconds=2)
PROFILE_TAKES = timedelta(seconds=1)


@dataclass(frozen=True)
class Project:
    """`state` is 1, or 2 once it is deleted; so it is with environments and jobs."""

    id: int
    name: str
    connection: str = "DuckDB"
    state: int = 1


@dataclass(frozen=True)
class Environment:
    id: int
    name: str
    project: Project
    deployment_type: DeploymentType | None = None
    dbt_version: str = "1.11.16"
    state: int = 1


@dataclass(frozen=True)
class Job:
    id: int
    name: str
    environment: Environment
    job_type: JobType = "scheduled"
    execute_steps: tuple[str, ...] = ("dbt build",)
    generate_docs: bool = False
    run_generate_sources: bool = False
    state: int = 1


@dataclass(frozen=True)
class Trigger:
    """Why a run began. `pull_request_id` is that of GitHub; `overrides` have the API's names."""

    id: int
    cause: str
    cause_category: CauseCategory
    git_branch: str = "main"
    git_sha: str = "9f3c1d2e4b5a69788796a5b4c3d2e1f00f1e2d3c"
    pull_request_id: int | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A step of a run: clone and profile are dbt Cloud's own, the others ran a dbt command."""

    id: int
    index: int
    name: str
    status: int
    started_at: datetime
    finished_at: datetime
    logs: str = ""
    command: str = ""
    artifacts: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Run:
    """A run, which changes while it goes on. `metadata` and `artifacts` say when they can be read.

    `empty_metadata` is how Discovery answers before: no job at all, or one with empty lists.
    `bound_for` is how it ends once it was looked at often enough; None: it waits for `finish`.
    """

    id: int
    account_id: int
    job: Job
    trigger: Trigger
    started_at: datetime
    href: str
    status: int = statuses.RUNNING
    status_message: str | None = None
    finished_at: datetime | None = None
    steps: tuple[Step, ...] = ()
    sample: Sample | None = None
    metadata: Readiness = field(default_factory=Readiness)
    artifacts: Readiness = field(default_factory=Readiness)
    empty_metadata: Literal["null", "lists"] = "null"
    bound_for: Sample | None = None
    retrying_run_id: int | None = None
    _read: dict[tuple[int, str], str] = field(default_factory=dict, repr=False)

    @property
    def status_in_words(self) -> str:
        return statuses.IN_WORDS[self.status]

    def finish(self, sample: Sample) -> None:
        """End as `sample` did; its commands begin once clone and profile have succeeded."""
        self.sample = sample
        self.steps = tuple(_steps(self, sample))
        self.finished_at = self.steps[-1].finished_at
        self.status = sample.status
        self.status_message = sample.status_message

    def artifact(self, path: str, step: int | None = None) -> str | None:
        """The text of the file that step wrote (None: the last step), or None if it wrote none."""
        index = len(self.steps) if step is None else step
        if not 0 < index <= len(self.steps):
            return None
        artifact = self.steps[index - 1].artifacts.get(path)
        if artifact is None:
            return None
        if (index, path) not in self._read:
            self._read[index, path] = self._as_of_this_run(artifact)
        return self._read[index, path]

    def _as_of_this_run(self, artifact: dict[str, Any]) -> str:
        metadata = artifact.get("metadata", {}) | {
            "env": {
                "DBT_CLOUD_PROJECT_ID": str(self.job.environment.project.id),
                "DBT_CLOUD_JOB_ID": str(self.job.id),
                "DBT_CLOUD_RUN_ID": str(self.id),
                "DBT_CLOUD_RUN_REASON": self.trigger.cause,
                "DBT_CLOUD_RUN_REASON_CATEGORY": self.trigger.cause_category,
            }
        }
        text = json.dumps(artifact | {"metadata": metadata}, ensure_ascii=False)
        if self.sample is None or self.sample.began_at is None:
            return text
        return times.shifted(text, self.steps[2].started_at - self.sample.began_at)


def _steps(run: Run, sample: Sample) -> list[Step]:
    cloned_at = run.started_at + CLONE_TAKES
    clone = Step(
        id=run.id * 100 + 1,
        index=1,
        name="Clone git repository",
        status=statuses.ERROR if sample.clone_logs else statuses.SUCCESS,
        started_at=run.started_at,
        finished_at=cloned_at,
        logs=sample.clone_logs or "Cloning into '.'...\nSuccessfully cloned repository.\n",
    )
    if sample.clone_logs:
        return [clone]
    began_at = cloned_at + PROFILE_TAKES
    profile = Step(
        id=run.id * 100 + 2,
        index=2,
        name=f"Create profile from connection {run.job.environment.project.connection}",
        status=statuses.SUCCESS,
        started_at=cloned_at,
        finished_at=began_at,
        logs="Profile created.\n",
    )
    return [clone, profile] + [
        Step(
            id=run.id * 100 + index,
            index=index,
            name=f"Invoke dbt with `{step.command}`",
            status=step.status,
            started_at=began_at + step.starts_after,
            finished_at=began_at + step.starts_after + step.takes,
            logs=step.logs,
            command=step.command,
            artifacts=step.artifacts or {},
        )
        for index, step in enumerate(sample.steps, start=3)
    ]
