"""An event in a line: when, which job and run, how it ended, and what was told of it. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.events.life import Life
from cli.events.tellings import State, Telling, worst_first
from subscriber.cutting import one_line
from subscriber.diagnosis import clean
from subscriber.look import TOO_LATE
from subscriber.run import Outcome, outcome

GIVEN_UP, UNREADABLE, WAITS = "given up", "unreadable", "waits"
OUTCOMES = (
    "failed",
    "succeeded",
    "warned",
    "cancelled",
    "started",
    "unknown",
    GIVEN_UP,
    UNREADABLE,
)
"""What `--outcome` may ask for. A run that warned has succeeded as well."""


@dataclass(frozen=True)
class Part:
    """What was told at one destination with one verb: the `count` of it that is in `state`."""

    destination: str
    verb: str
    state: State
    count: int

    def __str__(self) -> str:
        many = f"{self.count} " if self.count > 1 else ""
        told = f"{self.destination} {many}{self.verb}"
        return told if self.state is State.DELIVERED else f"{told} {self.state}"


@dataclass(frozen=True)
class Summary:
    """`nothing` says in two or three words why nothing was told; empty where something was."""

    life: Life
    outcome: str
    parts: tuple[Part, ...]
    nothing: str

    @property
    def is_problem(self) -> bool:
        """Whether something was refused or given up, or still waits."""
        is_bad = self.outcome in (GIVEN_UP, UNREADABLE, WAITS)
        return is_bad or any(part.state.is_problem for part in self.parts)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be expected of it soon."""
        moves = (State.WAITS, State.RUNNING)
        return self.life.work.is_settled and not any(p.state in moves for p in self.parts)

    @property
    def place(self) -> str:
        """Job and environment in one."""
        return f"{self.job} / {self.environment}" if self.environment else self.job

    @property
    def job(self) -> str:
        """By name, by id where it has none."""
        event = self.life.event
        return one_line(clean(event.job_name)) or f"job {event.job_id}" if event else ""

    @property
    def environment(self) -> str:
        event = self.life.event
        return one_line(clean(event.environment_name)) or event.environment_id if event else ""

    @property
    def run(self) -> str:
        return self.life.event.run_id if self.life.event else ""

    @property
    def problems(self) -> Sequence[Telling]:
        return [each for each in worst_first(self.life.tellings) if each.state.is_problem]

    def data(self) -> dict[str, Any]:
        """As JSON; with the same words as the text."""
        work, event = self.life.work, self.life.event
        return {
            "key": work.key,
            "event_id": event.id if event else None,
            "event_type": event.type if event else None,
            "recorded_at": work.recorded_at,
            "account_id": event.account_id if event else None,
            "project": _named(event.project_id, event.project_name) if event else None,
            "environment": _named(event.environment_id, event.environment_name) if event else None,
            "job": _named(event.job_id, event.job_name) if event else None,
            "run_id": event.run_id if event else None,
            "outcome": self.outcome,
            "is_settled": work.is_settled,
            "due_at": work.due_at,
            "reason": work.result.get("reason"),
            "nothing_told": self.nothing or None,
            "is_problem": self.is_problem,
            "told": [told(each) for each in worst_first(self.life.tellings)],
        }


def told(telling: Telling) -> dict[str, Any]:
    """An action and what became of it, as JSON."""
    return {
        "key": telling.key,
        "destination": telling.destination,
        "verb": telling.verb,
        "state": str(telling.state),
        "since": telling.since,
        "due_at": telling.due_at,
        "until": telling.until,
        "attempts": telling.tried,
        "reason": telling.reason or None,
        "url": telling.url or None,
    }


def summary(life: Life) -> Summary:
    counted = Counter((each.destination, each.verb, each.state) for each in life.tellings)
    parts = [Part(*what, count) for what, count in counted.items()]
    order = list(State)
    parts.sort(key=lambda part: order.index(part.state))
    ended = outcome_of(life)
    return Summary(life, ended, tuple(parts), "" if parts else _nothing(life, ended))


def outcome_of(life: Life) -> str:
    work = life.work
    if not work.is_settled:
        return WAITS
    ended = str(work.result.get("outcome") or Outcome.UNKNOWN)
    return "warned" if ended == Outcome.SUCCEEDED and work.result.get("warned") else ended


def is_asked_for(asked: str, life: Life) -> bool:
    """Whether an event has this one of OUTCOMES; one that waits has that of its run."""
    ended = outcome_of(life)
    if ended == WAITS and life.event is not None:
        ended = str(outcome(life.event))
    return asked == ended or (asked == Outcome.SUCCEEDED and ended == "warned")


def _nothing(life: Life, ended: str) -> str:
    result = life.work.result
    if ended == WAITS:
        return "nothing yet"
    reason = str(result.get("reason") or "")
    if ended in (GIVEN_UP, UNREADABLE) or not reason:
        return _held_back(result) or "nothing"
    return "no rule matches" if reason.startswith("no rule") else reason


def _held_back(result: Mapping[str, Any]) -> str:
    """Of an event that was decided on, why nothing was told."""
    if result.get("outcome") in (GIVEN_UP, UNREADABLE):
        return ""
    reasons = [str(each) for each in (result.get("reasons") or {}).values()]
    for begins, said in _SAID.items():
        if any(each.startswith(begins) for each in reasons):
            return said
    return "nothing to tell" if reasons else "no rule matches"


_SAID = {
    "silenced": "silenced",
    "held": "held back for now",
    TOO_LATE: "too late, counted",
    "the alert is open already": "open already",
    "a newer run": "a newer run was told",
    "no proof": "no proof of recovery",
}


def _named(id_: str, name: str) -> dict[str, str]:
    return {"id": id_, "name": name}
