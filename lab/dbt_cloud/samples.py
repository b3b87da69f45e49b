"""Samples: what real dbt wrote, once, when something happened; kept in `lab/samples/runs`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from lab.dbt_cloud.statuses import CANCELLED, ERROR, SUCCESS

RUNS = Path(__file__).resolve().parent.parent / "samples" / "runs"


@dataclass(frozen=True)
class SampleStep:
    """One command of a run. `artifacts` are the files that it wrote, by path, read from JSON.

    `starts_after` counts from the start of the first command.
    """

    command: str
    status: int
    logs: str = ""
    artifacts: Mapping[str, dict[str, Any]] | None = None
    starts_after: timedelta = timedelta(0)
    takes: timedelta = timedelta(seconds=1)


@dataclass(frozen=True)
class Sample:
    """A run, as dbt made it. `began_at` is when dbt did: the times in its artifacts are near it.

    With `clone_logs` the run got no further than its first step, the clone of the repository.
    """

    name: str
    status: int
    steps: tuple[SampleStep, ...] = ()
    began_at: datetime | None = None
    status_message: str | None = None
    clone_logs: str = ""

    @property
    def takes(self) -> timedelta:
        return max((step.starts_after + step.takes for step in self.steps), default=timedelta(0))


# What dbt has no part in. The texts are git's and ours: dbt Cloud's are not published.
CLONE_FAILURE = Sample(
    "clone_failure",
    ERROR,
    status_message="The repository could not be cloned",
    clone_logs="Cloning into '.'...\nERROR: Repository not found.\n"
    "fatal: Could not read from remote repository.\n",
)
RUN_CANCELLED = Sample(
    "cancelled",
    CANCELLED,
    steps=(SampleStep("dbt build", CANCELLED, "Running with dbt=1.11.16\n"),),
)


@cache
def load(name: str) -> Sample:
    """The sample of that name: a folder of `lab/samples/runs`, "clone_failure" or "cancelled"."""
    for made_here in (CLONE_FAILURE, RUN_CANCELLED):
        if name == made_here.name:
            return made_here
    folder = RUNS / name
    note = json.loads((folder / "run.json").read_text())
    times = [datetime.fromisoformat(step["started_at"]) for step in note["steps"]]
    steps = []
    for step, started_at in zip(note["steps"], times, strict=True):
        within = folder / step["folder"]
        steps.append(
            SampleStep(
                command=step["command"],
                status=step["status"],
                logs=(within / "console.log").read_text(),
                artifacts={path: _read(folder, within, path) for path in step["artifacts"]},
                starts_after=started_at - times[0],
                takes=datetime.fromisoformat(step["finished_at"]) - started_at,
            )
        )
    return Sample(
        name,
        note["status"],
        tuple(steps),
        began_at=times[0],
        status_message=None if note["status"] == SUCCESS else "dbt command failed",
    )


def _read(folder: Path, within: Path, path: str) -> dict[str, Any]:
    # the manifest is kept once for all steps of a run
    found = within / path if (within / path).exists() else folder / path
    artifact: dict[str, Any] = json.loads(found.read_text())
    return artifact
