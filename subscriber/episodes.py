"""Episodes: one problem of one job at one destination, from open to close. Pure.

| episode | what the run says | decision |
|---|---|---|
| none | failed | open |
| open | failed | nothing: it is told already |
| open | succeeded, in a newer run | close |
| none | succeeded | nothing |
| any  | a run older than the newest one seen | nothing |
| any  | cancelled, unknown, started | nothing |
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from subscriber.actions import Verb
from subscriber.run import Outcome


@dataclass(frozen=True)
class Episode:
    """An open episode. `key` names it, at the destination too; its actions go out in order."""

    key: str
    opening_run: str
    latest_run: int
    latest_action: str
    """Key of the action that must settle before the next of this episode goes out."""


@dataclass(frozen=True)
class JobState:
    """What is remembered of a job: its newest run that ended, and its open episodes.

    `episodes` are by the name of their destination. Runs are ordered by their ids, as numbers.
    """

    newest_run: int = 0
    episodes: Mapping[str, Episode] = field(default_factory=dict)

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "JobState":
        """The state that the ledger keeps as `body`; an empty one is a job never seen."""
        episodes = {name: Episode(**kept) for name, kept in body.get("episodes", {}).items()}
        return cls(int(body.get("newest_run", 0)), episodes)

    def without(self, destinations: Collection[str]) -> "JobState":
        """The same job, with no open episode at these destinations."""
        left = {name: kept for name, kept in self.episodes.items() if name not in destinations}
        return replace(self, episodes=left)

    def body(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        episodes = {name: dict(vars(episode)) for name, episode in self.episodes.items()}
        return {"newest_run": self.newest_run, "episodes": episodes}


@dataclass(frozen=True)
class Decided:
    """What follows for one destination; `reason` is for people."""

    verb: Verb | None
    reason: str


def decide(
    episode: Episode | None, outcome: Outcome, run_id: int, newest_run: int, *, is_asked: bool
) -> Decided:
    """What a run means for one destination, whose open episode is `episode`.

    `is_asked` says whether a rule sends failures of this run there; a recovery closes what is
    open, whether or not a rule still asks.
    """
    if run_id < newest_run:
        return Decided(None, "a newer run of the job has been seen")
    if outcome is Outcome.FAILED:
        if episode is not None:
            return Decided(None, "the alert is open already")
        if is_asked:
            return Decided(Verb.OPEN, "the run failed")
        return Decided(None, "no rule asks for it")
    if outcome is Outcome.SUCCEEDED and episode is not None:
        if run_id > episode.latest_run:
            return Decided(Verb.CLOSE, "the job recovered")
        return Decided(None, "only a newer run can close the alert")
    return Decided(None, "nothing is open and nothing failed")


def job_key(account_id: str, job_id: str) -> str:
    """The key of a job in the ledger."""
    return f"{account_id}/job/{job_id}"


def episode_key(account_id: str, job_id: str, opening_run: str) -> str:
    """The key of an episode: the same for its open and its close, another for the next one."""
    return f"afterrun/{account_id}/job/{job_id}/{opening_run}"


def action_key(
    account_id: str, destination: str, job_id: str, run_id: str, verb: Verb, n: int = 1
) -> str:
    """The key of an action. `run_id` is the opening run of its episode, or the run it is about."""
    return f"{account_id}/{destination}/job/{job_id}/{run_id}/{verb}/{n}"
