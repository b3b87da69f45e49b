"""An explanation: what would be told of an event to whom, and why; by letting it happen in a
rehearsal and looking at what was decided.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cli import sample
from cli.explain.misses import misses
from cli.history import Entry
from cli.rehearsal import Rehearsal, Told
from shared.event import RunEvent
from subscriber.actions import Action, Verb
from subscriber.configuration import Configuration
from subscriber.diagnosis import Diagnosis, diagnose
from subscriber.episodes import Episode, job_subject
from subscriber.ledger.contract import Ledger
from subscriber.matching import Verdict, judged, overriding
from subscriber.remembered import recall
from subscriber.rules import Override
from subscriber.run import Answer, Level, Outcome, outcome
from subscriber.states import State

LOOKS_AHEAD = timedelta(hours=24)
_OF_EPISODES = (Verb.OPEN, Verb.UPDATE, Verb.REMIND, Verb.CLOSE)


@dataclass(frozen=True)
class Judged:
    """What a rule makes of the event; `why_not` is empty for one that matches."""

    verdict: Verdict
    why_not: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """What was decided at one place: a destination and, but for the job itself, a subject.

    `told` are the actions that go out for it at once; `before` is its episode before the event.
    """

    destination: str
    reason: str
    subject: str = ""
    told: tuple[Told, ...] = ()
    before: Episode | None = None
    is_late: bool = False

    @property
    def decision(self) -> str:
        """In a word: a verb, held, silenced, late, or nothing."""
        if self.told:
            return str(self.told[-1].action.verb)
        first = self.reason.partition(" ")[0].rstrip(":;")
        found = {"silenced": "silenced", "held": "held", "too": "late"}.get(first, "nothing")
        # what comes too late holds nothing: its reason is that of one in time
        return "nothing" if self.is_late and found != "late" else found


@dataclass(frozen=True)
class Explanation:
    """`at` is when the event comes, `decided_at` when it is decided on, None if it never is.

    `later` is what time alone brings until `until`: of each alert the first of each verb.
    `told_before` are keys of actions that it calls for and that went out already.
    """

    event: RunEvent
    outcome: Outcome
    answer: Answer
    diagnosis: Diagnosis | None
    at: datetime
    decided_at: datetime | None
    reason: str
    is_late: bool
    places: tuple[Place, ...] = ()
    later: tuple[Told, ...] = ()
    until: datetime | None = None
    told_before: tuple[str, ...] = ()
    rules: tuple[Judged, ...] = ()
    override: Override | None = None
    waited_for: str = ""
    newest_run: int = 0

    @property
    def told(self) -> list[Told]:
        return [each for place in self.places for each in place.told]


def explained(
    configuration: Configuration, story: Sequence[Entry], at: datetime, ledger: Ledger | None
) -> Explanation:
    """What follows if the last of `story` comes at `at`, the others so much earlier as they did.

    `ledger`, if given, is what is remembered; it is read only. Raises TemporaryFailure if it does
    not answer.
    """
    *earlier, entry = story
    by = at - sample.time_of(entry)
    begins = [sample.time_of(each) + by for each in story]
    rehearsal = Rehearsal(configuration, min(begins), ledger)
    for before in earlier:
        rehearsal.hear(before, sample.time_of(before) + by)
    rehearsal.until(at)
    state = recall(rehearsal.kept, entry.event).state
    so_far = len(rehearsal.told)
    key = rehearsal.hear(entry, at)
    waited_for = "" if rehearsal.is_settled(key) else str(rehearsal.result(key).get("reason", ""))
    while not rehearsal.is_settled(key) and (due := rehearsal.next_due) is not None:
        rehearsal.until(due)
    result, decided_at = rehearsal.result(key), rehearsal.now
    told = rehearsal.told[so_far:]
    until = decided_at + LOOKS_AHEAD
    rehearsal.until(until)
    later = _first_of_each(rehearsal.told[so_far + len(told) :])
    event, answer = entry.event, entry.answer
    if not rehearsal.is_ours(event):
        answer = Answer(is_unknown_account=True)
    ended = outcome(event)
    verdicts = judged(configuration, configuration.rules, event, ended, answer)
    went_out = {each.action.key for each in told}
    return Explanation(
        event=event,
        outcome=ended,
        answer=answer,
        diagnosis=_diagnosis(ended, answer),
        at=at,
        decided_at=decided_at if rehearsal.is_settled(key) else None,
        reason=str(result.get("reason", "")),
        is_late=bool(result.get("late")),
        places=tuple(_places(configuration, event, state, told, result)),
        later=tuple(later),
        until=until,
        told_before=tuple(k for k in result.get("actions", ()) if k not in went_out),
        rules=tuple(Judged(v, tuple(misses(v, event, ended, answer))) for v in verdicts),
        override=overriding(configuration, event),
        waited_for=waited_for,
        newest_run=state.newest_run,
    )


def _diagnosis(ended: Outcome, answer: Answer) -> Diagnosis | None:
    """What is wrong with the run; None if nothing is, as far as is known."""
    if ended is Outcome.FAILED:
        return diagnose(answer, Level.FAILURE)
    if ended is Outcome.SUCCEEDED and answer.warned:
        return diagnose(answer, Level.WARNING)
    return None


def _first_of_each(told: Iterable[Told]) -> list[Told]:
    """Of each alert, the first time that each verb goes out."""
    first: dict[tuple[str, str, Verb], Told] = {}
    for each in told:
        action = each.action
        first.setdefault((action.destination, action.episode_key, action.verb), each)
    return list(first.values())


def _places(
    configuration: Configuration,
    event: RunEvent,
    state: State,
    told: Sequence[Told],
    result: Mapping[str, Any],
) -> Iterator[Place]:
    reasons, is_late = result.get("reasons", {}), bool(result.get("late"))
    known = {*configuration.destinations, *(name for name, _ in state.episodes)}
    by_place = {_parted(place, known): reason for place, reason in reasons.items()}
    telling: dict[tuple[str, str], list[Told]] = {}
    for each in told:
        telling.setdefault(_place(each.action, event), []).append(each)
    for destination, subject in dict.fromkeys((*telling, *by_place)):
        place = destination, subject
        slot = (destination, subject or job_subject(event.job_id))
        yield Place(
            destination,
            by_place.get(place, ""),
            subject,
            tuple(telling.get(place, ())),
            state.episodes.get(slot),
            is_late,
        )


def _parted(place: str, known: Iterable[str]) -> tuple[str, str]:
    """The destination and the subject of a place as a decision names it; names may hold spaces."""
    for name in sorted(known, key=len, reverse=True):
        if place == name:
            return name, ""
        if place.startswith(f"{name} "):
            return name, place.removeprefix(f"{name} ")
    return place, ""


def _place(action: Action, event: RunEvent) -> tuple[str, str]:
    if action.verb not in _OF_EPISODES:
        return action.destination, ""
    # account/destination/SUBJECT/run/verb/number
    rest = action.key.removeprefix(f"{event.account_id}/{action.destination}/")
    subject = rest.rsplit("/", 3)[0]
    return action.destination, "" if subject == job_subject(event.job_id) else subject
