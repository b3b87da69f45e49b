"""The run itself: how it ended, and what dbt Cloud answered about it."""

from dataclasses import dataclass
from enum import StrEnum

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


_BY_CODE = {
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

    Source: https://docs.getdbt.com/docs/deploy/webhooks
    """
    if event.status_code is not None:
        return _BY_CODE.get(event.status_code, Outcome.UNKNOWN)
    return _BY_TEXT.get(event.status.casefold(), Outcome.UNKNOWN)


@dataclass(frozen=True)
class Step:
    """One step of a run: a command, or one of dbt Cloud's own (clone, profile)."""

    index: int
    name: str
    failed: bool
    logs: str = ""


@dataclass(frozen=True)
class RunDetails:
    """What the Admin API says of a run. `trigger` is empty when it is not known."""

    trigger: str = ""
    link: str = ""
    git_sha: str = ""
    git_branch: str = ""
    status_message: str = ""
    steps: tuple[Step, ...] = ()


class Status(StrEnum):
    """What became of a node in a run."""

    GOOD = "good"
    WARNED = "warned"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Result:
    """What became of one node in the run. `said` is dbt's own word for it."""

    unique_id: str
    status: Status
    said: str
    message: str = ""
    tags: tuple[str, ...] = ()
    group: str = ""
    owner: str = ""
    depends_on: tuple[str, ...] = ()
    owner_email: str = ""
    path: str = ""
    is_described: bool = False

    @property
    def kind(self) -> str:
        return self.unique_id.partition(".")[0]

    @property
    def name(self) -> str:
        """The node's own name: `orders` of `model.shop.orders`, no hash behind a test's."""
        parts = self.unique_id.split(".")[2:]
        if self.kind == "test" and len(parts) > 1:
            parts = parts[:-1]
        return ".".join(parts) or self.unique_id


@dataclass(frozen=True)
class Answer:
    """What dbt Cloud said about a run; all of it may be missing.

    `notes` say, for people, what could not be had and why. `is_final` is False when more may be
    known soon, because the APIs answered but did not have anything yet. `is_unknown_account` is
    True when the token works and the account is not among those it can see.
    """

    run: RunDetails | None = None
    results: tuple[Result, ...] = ()
    notes: tuple[str, ...] = ()
    is_final: bool = True
    is_unknown_account: bool = False
