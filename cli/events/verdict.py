"""Verdict: the first lines about an event: what was told, or why nothing was. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cli.events.life import Life
from cli.events.summary import GIVEN_UP, UNREADABLE, outcome_of
from cli.events.tellings import OVERDUE, State, Telling, worst_first
from cli.output import Style
from subscriber.decisions import DOWN_LIMIT, WAIT_LIMIT
from subscriber.run import Outcome, outcome


@dataclass(frozen=True)
class Said:
    text: str
    style: Style = ""


def verdict(life: Life, now: datetime) -> Said:
    """One sentence: what has become of the event by now."""
    work, reason = life.work, str(life.work.result.get("reason") or "")
    if not work.is_settled:
        return Said(_waits(life, now, reason), "warn")
    match outcome_of(life):
        case ended if ended == UNREADABLE:
            return Said(f"Nothing was sent: it tells of no run ({reason}). {_kept(life)}", "bad")
        case ended if ended == GIVEN_UP:
            return Said(f"It was given up: {reason}. {_kept(life)}", "bad")
    if tellings := life.tellings:
        return _told(tellings)
    if reason:
        return Said(f"Nothing was sent: {reason}.")
    if reasons(life):
        return Said("Nothing was sent:")
    return Said("Nothing was sent: no rule matches it.")


def reasons(life: Life) -> Sequence[tuple[str, str]]:
    """For each destination that was thought of, why it is told or not."""
    return [(str(k), str(v)) for k, v in (life.work.result.get("reasons") or {}).items()]


def hints(life: Life, now: datetime) -> Iterator[str]:
    """What to do about it, where there is something to do."""
    states = {each.state for each in life.tellings}
    is_given_up = life.work.is_settled and outcome_of(life) in (GIVEN_UP, UNREADABLE)
    if State.REFUSED in states or is_given_up:
        yield "Mend the cause, then: afterrun dead-letters list, afterrun dead-letters replay ID"
    due_at = life.work.due_at
    is_overdue = any(each.is_overdue(now) for each in life.tellings)
    if is_overdue or (due_at is not None and now - due_at > OVERDUE):
        yield (
            "What is due is not taken up: is the subscriber running, and do its ticks come? "
            "See afterrun doctor"
        )


def _waits(life: Life, now: datetime, reason: str) -> str:
    work = life.work
    since = f"since {work.recorded_at:%H:%M:%S}"
    if not work.attempts and not reason:
        return f"Nothing was sent yet: it waits {since} to be taken up."
    ended = outcome(life.event) if life.event else Outcome.UNKNOWN
    limit = WAIT_LIMIT if ended is Outcome.FAILED else DOWN_LIMIT
    until = work.recorded_at + limit
    latest = f", and decided on at {until:%H:%M:%S} at the latest" if until > now else ""
    why = reason or "it is being decided on"
    told = "Not all is decided yet" if life.tellings else "Nothing was sent yet"
    due = work.due_at or now
    ask = f"it is asked again at {due:%H:%M:%S}" if due > now else f"due since {due:%H:%M:%S}"
    return f"{told}: {why}. It waits {since}; {ask}{latest}."


def _told(tellings: Sequence[Telling]) -> Said:
    worst = worst_first(tellings)
    counts: dict[State, int] = {}
    for each in worst:
        counts[each.state] = counts.get(each.state, 0) + 1
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    first = worst[0].state
    style: Style = "bad" if first in (State.REFUSED, State.FAILED) else ""
    if first is State.WAITS:
        style = "warn"
    if set(counts) == {State.DELIVERED}:
        return Said(
            "Told as decided: all was delivered." if len(worst) > 1 else "Delivered.", "good"
        )
    if set(counts) == {State.SUPERSEDED}:
        return Said("Nothing was sent: it recovered before anything had gone out.")
    return Said(f"Told: {said}.", style)


def _kept(life: Life) -> str:
    lost = life.work.result.get("dead_letters")
    return f"It could not be kept: {lost}." if lost else "It is among the dead letters."
