"""A job of Tableau's, and how Tableau tells of it.

Source: https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_jobs_tasks_and_schedules.htm
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from lab.tableau_content import Content, Kind

FinishCode = Literal[0, 1, 2, 3]
"""Good, failed, cancelled, and completed, which is as good."""

POLLS = 3  # the answer to the last of them tells the end
_STATES = {0: "succeeded", 1: "failed", 2: "cancelled", 3: "completed"}


@dataclass(frozen=True)
class Job:
    """A refresh that was asked for; `polls` counts how often somebody has asked since."""

    id: str
    kind: Kind
    content: Content
    incremental: bool
    finish_code: FinishCode
    notes: str
    created_at: datetime
    updated_at: datetime
    polls: int = 0

    @property
    def subject(self) -> tuple[Kind, str]:
        return self.kind, self.content.id

    @property
    def is_over(self) -> bool:
        return self.polls >= POLLS

    @property
    def state(self) -> str:
        """In our words: Tableau has none, but times and codes."""
        if self.is_over:
            return _STATES[self.finish_code]
        return "queued" if self.polls < 2 else "running"


def told(job: Job) -> dict[str, Any]:
    """`job` as Tableau answers: it is over when there is `completedAt`, whatever the code."""
    is_flow = job.kind is Kind.FLOW
    subject = {job.kind.noun: {"id": job.content.id, "name": job.content.name}}
    details: dict[str, Any] = {"flowRunId": f"run-{job.id}"} | subject if is_flow else subject
    if job.is_over and job.notes:
        details |= {"notes": job.notes}
    return {
        "id": job.id,
        "mode": "Asynchronous",
        "type": "RunFlow" if is_flow else "RefreshExtract",
        "createdAt": _time(job.created_at),
        "runFlowJobType" if is_flow else "extractRefreshJob": details,
    } | _progress(job)


def _progress(job: Job) -> dict[str, str]:
    if job.polls == 0:
        return {}
    if job.polls == 1:
        return {"progress": "0", "finishCode": "-1"}
    started = {"startedAt": _time(job.created_at)}
    if not job.is_over:
        return {"progress": "50", "finishCode": "0"} | started
    ended = {"completedAt": _time(job.updated_at), "updatedAt": _time(job.updated_at)}
    return {"progress": "100", "finishCode": str(job.finish_code)} | started | ended


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
