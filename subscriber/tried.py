"""What was tried for an action: each attempt, for people, and whether one may have arrived."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from subscriber.ledger.contract import Work

SHOWN = 20  # attempts that are kept: the first and the last ones
REASON_LIMIT = 300  # characters


class Outcome(StrEnum):
    """What came of one attempt, and of the action with the last one."""

    DELIVERED = "delivered"
    NOT_YET = "not yet"
    REFUSED = "refused"
    """Given up for good."""
    SUPERSEDED = "superseded"
    """What came after made it needless: nothing was sent."""


@dataclass(frozen=True)
class Tried:
    """`not_arrived` counts the attempts that certainly did not arrive, since the last replay."""

    attempts: tuple[Mapping[str, str], ...] = ()
    not_arrived: int = 0
    may_have_arrived: bool = False

    @classmethod
    def before(cls, work: Work) -> Self:
        """What was tried before the attempt for which `work` is claimed.

        An attempt that was claimed and said nothing since may have arrived: its process died, or
        was too slow.
        """
        not_arrived = int(work.result.get("not_arrived", 0))
        return cls(
            attempts=tuple(work.result.get("attempts", ())),
            not_arrived=not_arrived,
            may_have_arrived=bool(work.result.get("may_have_arrived"))
            or work.result.get("outcome") == Outcome.DELIVERED
            or not_arrived < work.attempts - 1,
        )

    def and_now(self, at: datetime, outcome: Outcome, reason: str = "") -> Self:
        """This and one attempt more."""
        said = {"at": at.isoformat(), "outcome": str(outcome), "reason": reason[:REASON_LIMIT]}
        attempts = (*self.attempts, said)
        if len(attempts) > SHOWN:
            attempts = (attempts[0], *attempts[-(SHOWN - 1) :])
        return replace(self, attempts=attempts)

    def and_lost(self) -> Self:
        """The same, where the attempt certainly did not arrive."""
        return replace(self, not_arrived=self.not_arrived + 1)

    def and_perhaps_arrived(self) -> Self:
        return replace(self, may_have_arrived=True)

    def told(self) -> dict[str, Any]:
        """As the work's result keeps it while the action is due."""
        return self.told_at_last() | ({"not_arrived": self.not_arrived} if self.not_arrived else {})

    def told_at_last(self) -> dict[str, Any]:
        """As the result keeps it once the action is settled; a replay counts attempts anew."""
        arrived = {"may_have_arrived": True} if self.may_have_arrived else {}
        return {"attempts": list(self.attempts)} | arrived


def is_refused(work: Work) -> bool:
    """Whether this action was given up for good: it has not happened, and will not."""
    return work.is_settled and work.result.get("outcome") == Outcome.REFUSED
