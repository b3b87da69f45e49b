"""Runs of Mode's reports and datasets, and how Mode tells of them.

Source: https://mode.com/developer/api-reference/analytics/report-runs/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

ON_THE_WAY = ("pending", "enqueued", "running_notebook")
DATASET_ON_THE_WAY = ("pending", "enqueued")

Kind = Literal["reports", "datasets"]
Ending = Literal["succeeded", "failed", "cancelled", "completed"]
QueryState = Literal["succeeded", "failed", "cancelled"]
PythonState = Literal["none", "failed", "succeeded"]


@dataclass(frozen=True)
class Run:
    """One run of a report or a dataset: `of` is its token, `kind` says which of the two it is.

    `polls` counts how often somebody asked for it before it was over. `shows` has, for each
    dataset that the report uses, the dataset's run that it shows, or nothing if there is none.
    `queries` is how the run's one query ends, `python` how its notebook does.
    """

    token: str
    workspace: str
    kind: Kind
    of: str
    ending: Ending
    created_at: datetime
    updated_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    shows: Mapping[str, str] = field(default_factory=dict)
    queries: QueryState = "succeeded"
    python: PythonState = "none"
    polls: int = 0

    @property
    def report(self) -> str:
        return self.of

    @property
    def is_over(self) -> bool:
        return self.polls >= len(self._on_the_way)

    @property
    def state(self) -> str:
        return self.ending if self.is_over else self._on_the_way[self.polls]

    def ended(self, now: datetime) -> "Run":
        """The same run, asked for often enough to be over."""
        return replace(self, polls=len(self._on_the_way), updated_at=now)

    @property
    def has_data(self) -> bool:
        """Whether it ended with results that a report can show."""
        return self.state in ("succeeded", "completed") and self.queries == "succeeded"

    @property
    def python_state(self) -> str:
        on_the_way = "none" if self.python == "none" else "pending"
        return self.python if self.is_over else on_the_way

    @property
    def href(self) -> str:
        return f"/api/{self.workspace}/{self.kind}/{self.of}/runs/{self.token}"

    @property
    def _on_the_way(self) -> tuple[str, ...]:
        return ON_THE_WAY if self.kind == "reports" else DATASET_ON_THE_WAY


def told(run: Run, siblings: Sequence[Run]) -> dict[str, Any]:
    """`run` as Mode answers; `siblings` are all runs of its report or dataset, the oldest first."""
    what = run.kind.removesuffix("s")
    links = {
        "self": run.href,
        "account": f"/api/{run.workspace}",
        what: f"/api/{run.workspace}/{run.kind}/{run.of}",
        "query_runs": f"{run.href}/query_runs",
    }
    good = [other for other in siblings if other.state == "succeeded"]
    since = siblings[siblings.index(good[-1]) + 1 :] if good else siblings
    answer: dict[str, Any] = {
        "token": run.token,
        "state": run.state,
        "created_at": run.created_at.isoformat(),
        "updated_at": run.updated_at.isoformat(),
        "completed_at": run.updated_at.isoformat() if run.is_over else None,
        "purge_started_at": None,
        "purge_completed_at": None,
        # texts, as the published description has it
        f"is_latest_{what}_run": _text(run == siblings[-1]),
        f"is_latest_successful_{what}_run": _text(good[-1:] == [run]),
        f"{what}_has_failures_since_last_success": _text(any(r.state == "failed" for r in since)),
    }
    if run.kind == "reports":
        page = f"https://app.mode.com/{run.workspace}/reports/{run.report}/runs/{run.token}"
        links["web_external_url"] = page
        answer |= {"parameters": run.parameters, "python_state": run.python_state}
    return answer | {"_links": {name: {"href": href} for name, href in links.items()}}


def _text(fact: object) -> str:
    return "true" if fact else "false"
