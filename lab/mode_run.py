"""A run of a Mode report, and how Mode tells of it.

Source: https://mode.com/developer/api-reference/analytics/report-runs/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

ON_THE_WAY = ("pending", "enqueued", "running_notebook")

Ending = Literal["succeeded", "failed", "cancelled", "completed"]


@dataclass(frozen=True)
class Run:
    """One run of a report; `polls` counts how often somebody asked for it before it was over."""

    token: str
    workspace: str
    report: str
    parameters: Mapping[str, Any]
    ending: Ending
    created_at: datetime
    updated_at: datetime
    polls: int = 0

    @property
    def is_over(self) -> bool:
        return self.polls >= len(ON_THE_WAY)

    @property
    def state(self) -> str:
        return self.ending if self.is_over else ON_THE_WAY[self.polls]


def told(run: Run, of_report: Sequence[Run]) -> dict[str, Any]:
    """`run` as Mode answers; `of_report` are all runs of its report, the oldest first."""
    report = f"/{run.workspace}/reports/{run.report}"
    self_href = f"/api{report}/runs/{run.token}"
    links = {
        "self": self_href,
        "account": f"/api/{run.workspace}",
        "report": f"/api{report}",
        "query_runs": f"{self_href}/query_runs",
        "web_external_url": f"https://app.mode.com{report}/runs/{run.token}",
    }
    good = [other for other in of_report if other.state == "succeeded"]
    since = of_report[of_report.index(good[-1]) + 1 :] if good else of_report
    return {
        "token": run.token,
        "state": run.state,
        "parameters": run.parameters,
        "created_at": run.created_at.isoformat(),
        "updated_at": run.updated_at.isoformat(),
        "completed_at": run.updated_at.isoformat() if run.is_over else None,
        "purge_started_at": None,
        "purge_completed_at": None,
        "python_state": "none",
        # texts, as the published description has it
        "is_latest_report_run": _text(run == of_report[-1]),
        "is_latest_successful_report_run": _text(good[-1:] == [run]),
        "report_has_failures_since_last_success": _text(any(r.state == "failed" for r in since)),
        "_links": {name: {"href": href} for name, href in links.items()},
    }


def _text(fact: object) -> str:
    return "true" if fact else "false"
