"""The run itself: how it ended, and what dbt Cloud answered about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from shared.event import RunEvent


class Outcome(StrEnum):
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Level(StrEnum):
    """How bad it is: the run failed, or it ended well and something in it warned."""

    FAILURE = "failure"
    WARNING = "warning"


Severity = Literal["info", "warning", "error", "critical"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
"""How urgent a problem is, from the least to the most."""

_BY_CODE = {
    1: Outcome.STARTED,  # queued
    2: Outcome.STARTED,  # starting
    3: Outcome.STARTED,
    10: Outcome.SUCCEEDED,
    20: Outcome.FAILED,
    30: Outcome.CANCELLED,
}
_BY_TEXT = {
    "running": Outcome.STARTED,
    "success": Outcome.SUCCEEDED,
    "error": Outcome.FAILED,
    "errored": Outcome.FAILED,
    "cancelled": Outcome.CANCELLED,
    "canceled": Outcome.CANCELLED,
}


def outcome(event: RunEvent) -> Outcome:
    """How the run ended, by its status code; by the status in words only if there is no code.

    A status that nobody has documented is no reason for silence where the event itself says that
    the run failed.

    Source: https://docs.getdbt.com/docs/deploy/webhooks
    """
    if event.status_code is not None:
        told = outcome_of(event.status_code)
    else:
        told = _BY_TEXT.get(event.status.casefold(), Outcome.UNKNOWN)
    if told is Outcome.UNKNOWN and event.type == "job.run.errored":
        return Outcome.FAILED
    return told


def outcome_of(code: int) -> Outcome:
    """What a status code of a run means, in events and in the Admin API alike."""
    return _BY_CODE.get(code, Outcome.UNKNOWN)


@dataclass(frozen=True)
class Question:
    """What must be known of a run. More than is asked may be answered.

    `results`: "failed" are those of the failed steps, "all" those of every step that ran dbt.
    `nodes` are unique ids of which to know whether they are still in the project. `newest_run`
    asks whether the job has a newer run.
    """

    results: Literal["none", "failed", "all"] = "none"
    nodes: frozenset[str] = frozenset()
    newest_run: bool = False


@dataclass(frozen=True)
class Step:
    """One step of a run: a command, or one of dbt Cloud's own (clone, profile).

    `has_begun` is False for a step that was never reached.
    """

    index: int
    name: str
    failed: bool
    logs: str = ""
    has_begun: bool = True


@dataclass(frozen=True)
class RunDetails:
    """What the Admin API says of a run. `trigger` is empty when it is not known."""

    outcome: Outcome = Outcome.UNKNOWN
    trigger: str = ""
    link: str = ""
    git_sha: str = ""
    git_branch: str = ""
    status_message: str = ""
    steps: tuple[Step, ...] = ()


class Status(StrEnum):
    """What became of a node in a run."""

    GOOD = "good"
    REUSED = "reused"
    """Good as it was, not executed: no problem, and no proof that one is over."""
    WARNED = "warned"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Result:
    """What became of one node in the run. `said` is dbt's own word for it.

    With `is_described`, all from `tags` on is what dbt Cloud knows of the node; without, it was not
    asked or did not know. A test has the group, the owner and the tags of what it tests as well.
    """

    unique_id: str
    status: Status
    said: str
    message: str = ""
    tags: tuple[str, ...] = ()
    group: str = ""
    owner: str = ""
    owner_email: str = ""
    severity: str = ""
    depends_on: tuple[str, ...] = ()
    path: str = ""
    is_described: bool = False
    """Whether tags, group, owner and path were looked up: without it, empty means not known."""

    @property
    def kind(self) -> str:
        return self.unique_id.partition(".")[0]

    @property
    def name(self) -> str:
        return node_name(self.unique_id)


def node_name(unique_id: str) -> str:
    """The node's own name: `orders` of `model.shop.orders`, no hash behind a test's."""
    parts = unique_id.split(".")[2:]
    if unique_id.startswith("test.") and len(parts) > 1:
        parts = parts[:-1]
    return ".".join(parts) or unique_id


@dataclass(frozen=True)
class Answer:
    """What dbt Cloud said about a run; all of it may be missing.

    `notes` say, for people, what could not be had and why. `is_final` is False when more may be
    known soon, because the APIs answered but did not have anything yet. `is_unknown_account` is
    True when the token works and the account is not among those it can see. `is_complete` is True
    when `results` hold every node that the run executed. `gone` are those of the nodes asked about
    that are certainly no longer in the project. `newest_run` is the job's latest run, None where
    that was not asked or is not known. `was_down` says that an API was down, too slow, or wants a
    pause.
    """

    run: RunDetails | None = None
    results: tuple[Result, ...] = ()
    notes: tuple[str, ...] = ()
    is_final: bool = True
    is_unknown_account: bool = False
    was_down: bool = False
    is_complete: bool = False
    gone: frozenset[str] = frozenset()
    newest_run: int | None = None

    @property
    def warned(self) -> bool | None:
        """Whether a run that ended well had warnings; None if that is not known.

        A source too old or not readable, or a step that failed without failing the run (those of
        a job's checkboxes), are such warnings.
        """
        bad = (Status.WARNED, Status.FAILED)
        if any(result.status in bad for result in self.results):
            return True
        if self.run is not None and any(step.failed for step in self.run.steps):
            return True
        return False if self.is_complete else None
