"""Trace: what happened to an event, and all that followed, in the order of time. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cli.life import Life
from cli.output import Style
from cli.summary import GIVEN_UP, UNREADABLE, outcome_of
from cli.tellings import State, Telling, time_of
from subscriber.actions import Verb
from subscriber.durations import said
from subscriber.ledger.contract import Kind, Work
from subscriber.refreshes import Ending
from subscriber.tried import SHOWN, Outcome


@dataclass(frozen=True)
class Moment:
    """Something that happened, or will; `who` is a destination with a verb, or one of our parts."""

    at: datetime
    who: str
    what: str
    style: Style = ""


def trace(life: Life, now: datetime) -> list[Moment]:
    """Every moment that is on record, the earliest first."""
    moments = [*_of_event(life, now)]
    for each in life.tellings:
        moments += _of_telling(each, now)
    for work in life.of_kind(Kind.FOLLOW):
        moments += _of_follow(work, now)
    for work in life.of_kind(Kind.TIMER):
        moments += _of_timer(work, now)
    return sorted(moments, key=lambda moment: moment.at)


def _of_event(life: Life, now: datetime) -> Iterator[Moment]:
    work, event, result = life.work, life.event, life.work.result
    if event is not None and event.finished_at is not None:
        yield Moment(event.finished_at, "dbt Cloud", f"run {event.run_id} ended: {_ended(life)}")
    if event is not None and event.occurred_at is not None:
        yield Moment(event.occurred_at, "dbt Cloud", f"tells of it: {event.type}")
    yield Moment(work.recorded_at, "afterrun", "received and recorded")
    reason = str(result.get("reason") or "")
    if not work.is_settled and work.due_at is not None:
        waits = f"not decided on yet: {reason}" if reason else "not decided on yet"
        yield Moment(
            max(work.due_at, now), "afterrun", f"{waits}; {_due(work.due_at, now)}", "warn"
        )
    at = time_of(result.get("at"))
    if at is None:
        return
    ended = outcome_of(life)
    if ended == GIVEN_UP:
        yield Moment(at, "afterrun", f"given up: {reason}", "bad")
    elif ended != UNREADABLE and work.is_settled:
        yield Moment(at, "afterrun", f"decided: {_decided(life)}")


def _ended(life: Life) -> str:
    event = life.event
    return (event.status or f"status {event.status_code}") if event else ""


def _decided(life: Life) -> str:
    result = life.work.result
    count = len(result.get("actions", ())) + int((result.get("more") or {}).get("actions", 0))
    held = len(result.get("timers", ()))
    parts = [outcome_of(life)]
    if count:
        parts.append("1 action" if count == 1 else f"{count} actions")
    elif result.get("reason"):
        parts.append(str(result["reason"]))
    else:
        parts.append("nothing to send now")
    if held and not count:
        parts.append("looked at again when its time has come")
    return ", ".join(parts)


def _of_telling(telling: Telling, now: datetime) -> Iterator[Moment]:
    who = f"{telling.destination} {telling.verb}"
    for number, each in enumerate(telling.attempts):
        at = time_of(each.get("at"))
        if at is not None:
            yield Moment(at, who, _tried(telling, number), _style(each.get("outcome", "")))
    if telling.state is State.WAITS and telling.due_at is not None and telling.until is not None:
        waits = _due(telling.due_at, now)
        if not telling.attempts or telling.attempts[-1].get("reason") != telling.reason:
            waits += f" ({telling.reason})" if telling.reason else ""
        until = f"; given up after {telling.until:%m-%d %H:%M}"
        yield Moment(max(telling.due_at, now), who, waits + until, "warn")


def _tried(telling: Telling, number: int) -> str:
    attempt = telling.attempts[number]
    ended, reason = attempt.get("outcome", ""), attempt.get("reason", "")
    is_last = number == len(telling.attempts) - 1
    text = f"{ended}: {reason}" if reason else str(ended)
    if ended == Outcome.REFUSED:
        text = f"refused for good: {reason}"
        if is_last and telling.state is State.REFUSED:
            text += "; left among the dead letters" if telling.is_kept else "; NOT kept anywhere"
    if ended == Outcome.DELIVERED and is_last and telling.url:
        text += f" {telling.url}"
    if number == 1 and len(telling.attempts) == SHOWN and telling.tried > SHOWN:
        text = f"({telling.tried - SHOWN} attempts before are not kept) {text}"
    return text


def _style(ended: str) -> Style:
    styles: dict[str, Style] = {
        Outcome.DELIVERED: "good",
        Outcome.REFUSED: "bad",
        Outcome.NOT_YET: "warn",
    }
    return styles.get(ended, "dim")


def _of_follow(work: Work, now: datetime) -> Iterator[Moment]:
    who, result = f"{work.body.get('destination')} {Verb.REFRESH}", work.result
    looks = int(result.get("looks", 0))
    looked = f" ({'1 look' if looks == 1 else f'{looks} looks'} found it running)" if looks else ""
    reason = str(result.get("reason") or "")
    if not work.is_settled and work.due_at is not None:
        text = f"{reason or 'started'}{looked}; looked at {_due(work.due_at, now)}"
        yield Moment(max(work.due_at, now), who, text, "warn")
        return
    at, ending = time_of(result.get("at")), str(result.get("outcome"))
    if at is None:
        return
    took = f" after {said(at - work.recorded_at)}"
    if ending == Ending.DONE:
        yield Moment(at, who, f"done{took}{looked}", "good")
    else:
        text = reason if ending == Ending.FAILED else f"{ending}: {reason}"
        yield Moment(at, who, f"did not end well{took}: {text}{looked}", "bad")


def _of_timer(work: Work, now: datetime) -> Iterator[Moment]:
    slot = work.body.get("slot") or []
    who = f"{slot[0]} timer" if slot else "afterrun"
    reason = str(work.result.get("reason") or "")
    if not work.is_settled and work.due_at is not None:
        what = "tells it" if work.body.get("action") else "reminds"
        text = f"{what} {_due(work.due_at, now)}, if it is still so"
        yield Moment(max(work.due_at, now), who, f"{text} ({reason})" if reason else text, "dim")
    elif (at := time_of(work.result.get("at"))) is not None:
        yield Moment(at, who, f"time has passed: {reason}", "dim")


def _due(due_at: datetime, now: datetime) -> str:
    if due_at <= now:
        return f"due since {due_at:%H:%M:%S}"
    return (
        f"next at {due_at:%H:%M:%S}"
        if due_at.date() == now.date()
        else f"next at {due_at:%m-%d %H:%M}"
    )
