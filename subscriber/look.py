"""Look: a run to look at, with all that it takes to say what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.event import RunEvent
from subscriber.configuration import Configuration
from subscriber.rules import Rule
from subscriber.run import Answer, Outcome
from subscriber.silences import Silence
from subscriber.telling import Telling

TOO_LATE = "too late: a newer run of the job exists"


@dataclass(frozen=True)
class Look:
    """`answer` is what dbt Cloud said, empty where nothing needs it.

    `rules` are those that the event may match by now. `silences` are all there are. `is_late`: the
    event came after `max_event_age` and a newer run of its job exists; then it opens and refreshes
    nothing, but still closes.
    """

    configuration: Configuration
    rules: Sequence[Rule]
    event: RunEvent
    outcome: Outcome
    answer: Answer
    silences: Sequence[Silence]
    now: datetime
    is_late: bool = False

    @property
    def telling(self) -> Telling:
        return Telling(self.configuration, self.event, self.outcome, self.answer, self.now)


def by(rules: Sequence[str]) -> str:
    """Which rules something follows from, to put behind the reason."""
    return f" (rule: {', '.join(rules)})"
