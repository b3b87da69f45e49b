"""Whether a run can be taken up again from where it failed.

Source: https://docs.getdbt.com/docs/deploy/retry-jobs
"""

from collections.abc import Iterable
from typing import Literal

from lab.dbt_cloud import statuses
from lab.dbt_cloud.state import Run

Reason = Literal[
    "RETRY_NOT_FAILED_RUN",
    "RETRY_UNSUPPORTED_VERSION",
    "RETRY_NOT_LATEST_RUN",
    "RETRY_UNSUPPORTED_CMD",
    "RETRY_NO_RUN_RESULTS",
]
SINCE = (1, 6)  # the version of dbt
RESUMABLE = frozenset(
    {"build", "clone", "compile", "docs", "retry", "run", "run-operation", "seed", "snapshot"}
    | {"test"}
)


def why_not(run: Run, runs: Iterable[Run]) -> Reason | None:
    """Why `run` cannot be retried, None if it can; `runs` are all that there are."""
    if run.status != statuses.ERROR:
        return "RETRY_NOT_FAILED_RUN"
    if _version(run) < SINCE:
        return "RETRY_UNSUPPORTED_VERSION"
    if any(other.job.id == run.job.id and other.id > run.id for other in runs):
        return "RETRY_NOT_LATEST_RUN"
    step = next((step for step in run.steps if step.status == statuses.ERROR), None)
    if step is None or not step.command:
        return "RETRY_NO_RUN_RESULTS"
    if step.command.split()[1] not in RESUMABLE:
        return "RETRY_UNSUPPORTED_CMD"
    return None if "run_results.json" in step.artifacts else "RETRY_NO_RUN_RESULTS"


def _version(run: Run) -> tuple[int, int]:
    major, minor = run.job.environment.dbt_version.split(".")[:2]
    return int(major), int(minor)
