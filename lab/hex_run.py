"""A project of Hex, a run of it, and how Hex tells of the run.

Source: https://learn.hex.tech/docs/api/api-reference
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from lab.hex_request import Asked

Ending = Literal["COMPLETED", "ERRORED", "KILLED", "UNABLE_TO_ALLOCATE_KERNEL"]

ON_THE_WAY = ("PENDING", "RUNNING")


@dataclass(frozen=True)
class Project:
    """`inputs` are those of its published app; `may_edit`: whether the token's user can."""

    id: str
    inputs: frozenset[str] = frozenset()
    is_published: bool = True
    may_edit: bool = True
    version: int = 3


@dataclass(frozen=True)
class Run:
    """One run of a project; `polls` counts how often somebody asked for it before it was over."""

    id: str
    project: Project
    asked: Asked
    ending: Ending
    created_at: datetime
    ended_at: datetime | None = None
    polls: int = 0

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None

    @property
    def state(self) -> str:
        return self.ending if self.is_over else self._on_the_way[max(self.polls - 1, 0)]

    @property
    def is_due_to_end(self) -> bool:
        """Whether the next one who asks is told of its end."""
        return self.polls > len(self._on_the_way)

    @property
    def _on_the_way(self) -> tuple[str, ...]:
        has_a_kernel = self.ending != "UNABLE_TO_ALLOCATE_KERNEL"
        return ON_THE_WAY if has_a_kernel else ON_THE_WAY[:1]


def started(run: Run, base_url: str, trace_id: str) -> dict[str, Any]:
    """The answer to whoever asked for `run`, of a Hex at `base_url`."""
    return {
        "projectId": run.project.id,
        "runId": run.id,
        "runUrl": f"https://app.hex.tech/lab/app/{run.project.id}/latest?runId={run.id}",
        "runStatusUrl": f"{base_url}/api/v1/projects/{run.project.id}/runs/{run.id}",
        "traceId": trace_id,
        "projectVersion": run.project.version,
    }


def told(run: Run, base_url: str, trace_id: str) -> dict[str, Any]:
    """`run` as it is now; times are null until they are known."""
    has_started = run.state == "RUNNING" or run.is_over
    elapsed = run.ended_at - run.created_at if run.ended_at else None
    return started(run, base_url, trace_id) | {
        "status": run.state,
        "startTime": _time(run.created_at) if has_started else None,
        "endTime": _time(run.ended_at) if run.ended_at else None,
        "elapsedTime": None if elapsed is None else elapsed // timedelta(milliseconds=1),
    }


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"
