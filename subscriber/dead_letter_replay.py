"""Replaying dead letters: what becomes of one, by what the ledger knows of the work it names. Pure.

Work is reopened only if it was given up for good: what has happened meanwhile shall not happen
twice, and what is due already needs nobody.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from subscriber.dead_letter import DeadLetter
from subscriber.ledger.contract import KEEP_SETTLED, Work
from subscriber.tried import Outcome as Tried

GIVEN_UP = frozenset({Tried.REFUSED, "given up"})
"""Outcomes of an action and of an event after which nothing more happens by itself."""

SETTLING = timedelta(minutes=5)
"""A letter is left before its work is settled; after this, that has happened or a lease ran out."""


class Outcome(StrEnum):
    REOPENED = "reopened"
    """What it names is due again; the letter is gone."""
    PUBLISHED = "published"
    """The message is on the topic of events again; the letter is gone."""
    TAKEN = "taken away"
    """There is nothing to do about it any more; the letter is gone."""
    KEPT = "kept"
    """It could not be replayed: the letter stays."""
    NOT_FOUND = "not found"


@dataclass(frozen=True)
class Replayed:
    """What became of one letter, and why; `letter` is None where there is none of this id."""

    id: str
    outcome: Outcome
    reason: str = ""
    letter: DeadLetter | None = None


def replayed(letter: DeadLetter, work: Work | None, now: datetime) -> Replayed:
    """What to do about `letter`, which names `work`; REOPENED is still to be done."""
    if work is None:
        return kept(
            letter,
            f"the ledger knows no such {letter.sort} (any more: it keeps what is settled for "
            f"{KEEP_SETTLED.days} days)",
        )
    if str(work.kind) != str(letter.sort):
        return kept(letter, f"the ledger knows it as an {work.kind}, not as an {letter.sort}")
    if not work.is_settled:
        return _not_settled(letter, work, now)
    outcome = str(work.result.get("outcome", "settled"))
    if outcome in GIVEN_UP:
        return Replayed(letter.id, Outcome.REOPENED, "due again now", letter)
    return taken(letter, f"it was settled meanwhile: {outcome}")


def taken(letter: DeadLetter, reason: str) -> Replayed:
    return Replayed(letter.id, Outcome.TAKEN, reason, letter)


def kept(letter: DeadLetter, reason: str) -> Replayed:
    return Replayed(letter.id, Outcome.KEPT, reason, letter)


def _not_settled(letter: DeadLetter, work: Work, now: datetime) -> Replayed:
    # Work that nobody has claimed since it was reopened, or a letter that is older than what
    # happens to it now. Else this very letter may be the news that it is being refused: it was
    # left a moment ago, and its work is settled in a moment.
    if work.attempts == 0 or now - letter.published_at >= SETTLING:
        return taken(letter, "it is due already")
    return kept(
        letter,
        "it is being worked on; replay it again in "
        f"{SETTLING.seconds // 60} minutes if it is still here",
    )
