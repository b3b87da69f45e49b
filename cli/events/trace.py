"""Trace: what happened to an event, and all that followed, in the order of time. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cli import output
from cli.events.life import Life
from cli.events.summary import GIVEN_UP, UNREADABLE, outcome_of
from cli.events.tellings import State, Telling, time_of
from cli.output import Style
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
    is_to_come: bool = False


def trace(life: Life, now: datetime) -> list[Moment]:
    """Every moment that is on record, the earliest first."""
    moments = [*_of_event(life, now)]
    # what led to a telling stands before it, where both were at one moment
    for work in life.of_kind(Kind.TIMER):
        moments += _of_timer(work, now)
    for work in life.of_kind(Kind.FOLLOW):
        moments += _of_follow(work, now)
    for each in life.tellings:
        moments += _of_telling(each, now)
    if any(moment.is_to_come for moment in moments):
        moments.append(Moment(now, "now", "", "dim"))
    return sorted(moments, key=lambda moment: (moment.at, moment.is_to_come))


def _of_event(life: Life, now: datetime) -> Iterator[Moment]:
    work, event, result = life.work, life.event, life.work.result
    if event is not None and event.finished_at is not None:
        yield Moment(event.finished_at, "dbt Cloud", f"run {event.run_id} ended: {_ended(life)}")
    if event is not None and event.occurred_at is not None:
        yield Moment(event.occurred_at, "dbt Cloud", f"tells of it: {event.type}")
    yield Moment(work.recorded_at, "afterrun", "received and recorded")
    reason = str(result.get("reason") or "")
    if not work.is_settled and work.due_at is not None:
        waits = f"decided on, or asked again: {reason}" if reason else "decided on"
        yield _to_come(work.due_at, now, "afterrun", waits, "warn")
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
        parts.append(output.count(count, "action"))
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
    if telling.state is State.WAITS and telling.due_at is not None:
        waits = "tried again" if telling.attempts else "goes out"
        if not telling.attempts or telling.attempts[-1].get("reason") != telling.reason:
            waits += f" ({telling.reason})" if telling.reason else ""
        until = (
            f", until {telling.until:%m-%d %H:%M} at the latest" if telling.is_limited(now) else ""
        )
        yield _to_come(telling.due_at, now, who, waits + until, "warn")


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
    looked = f" ({output.count(looks, 'look')} found it running)" if looks else ""
    reason = str(result.get("reason") or "")
    if not work.is_settled and work.due_at is not None:
        text = f"looked at again: {reason}" if reason else "looked at"
        yield _to_come(work.due_at, now, who, text + looked, "warn")
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
    who = str(slot[0]) if slot else "afterrun"
    reason = str(work.result.get("reason") or "")
    if not work.is_settled and work.due_at is not None:
        text = "looked at again: told, if it lasts and nothing holds it back"
        if not work.body.get("action"):
            text = "looked at again: said once more, if it lasts"
        yield _to_come(work.due_at, now, who, f"{text} ({reason})" if reason else text, "dim")
    elif (at := time_of(work.result.get("at"))) is not None:
        yield Moment(at, who, f"time has passed: {reason}", "dim")


def _to_come(due_at: datetime, now: datetime, who: str, what: str, style: Style) -> Moment:
    if due_at < now:
        what = f"due since {due_at:%m-%d %H:%M:%S} and not taken up: {what}"
    return Moment(max(due_at, now), who, what, style, is_to_come=True)
