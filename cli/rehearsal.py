"""Rehearsal: a configuration tried on events, as the service would decide, with nothing going out.

The real decisions, on a ledger of its own in memory, at a time of its own. What is to be told is
noted and counts as delivered at once.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.history import Entry
from cli.rehearsal_ledger import RehearsalLedger
from shared.event import RunEvent
from subscriber.actions import Action
from subscriber.configuration import Configuration
from subscriber.decisions import Decisions, event_key
from subscriber.ledger.contract import Kind, Ledger, Work
from subscriber.remembered import recall
from subscriber.run import Answer, Question
from subscriber.tried import Outcome
from subscriber.waking import Waking

LEASE = timedelta(minutes=1)
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """An action, and when it would have gone out."""

    at: datetime
    action: Action


@dataclass
class Rehearsal:
    """Events are heard in the order of their times. `ledger` is where a real service remembers:
    it is read, so that episodes that are open and silences count, and never written.
    """

    configuration: Configuration
    now: datetime
    ledger: Ledger | None = None
    told: list[Told] = field(default_factory=list)
    kept: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.kept = self._own_ledger()
        self._answers: dict[tuple[str, str], Answer] = {}
        self._undecided: dict[str, tuple[str, str]] = {}
        """The run that an event tells of, by its key: its answer is kept until it is decided on."""
        self._decisions = Decisions(
            configuration=self.configuration,
            ledger=self.kept,
            dbt_cloud=self,
            dead_letters=_Nowhere(),
            clock=self._clock,
        )
        self._waking = Waking(self.kept, self._clock)

    def hear(self, entry: Entry, at: datetime) -> str:
        """An event comes at `at`; the key by which `result` knows what was decided on it.

        It may not be decided at once: `errored` waits for what comes after it. See `until`.
        """
        self.until(at)
        event = entry.event
        key = event_key(event)
        self._answers[event.account_id, event.run_id] = entry.answer
        self._undecided[key] = event.account_id, event.run_id
        body = {"event": entry.body.decode()}
        self.kept.record(Work(key, Kind.EVENT, body, recorded_at=self.now, due_at=self.now))
        self._take_up(self.kept.work(key))
        self._have_timers(event)
        return key

    def until(self, at: datetime) -> None:
        """Time passes: what is due meanwhile is taken up when it is due."""
        # one by one: what one of them calls for may be due before the next
        while due := self.kept.due(at, 1):
            self.now = max(self.now, due[0].due_at or self.now)
            self._take_up(due[0])
        self.now = max(self.now, at)

    @property
    def next_due(self) -> datetime | None:
        """When time alone may change something next; None for never."""
        due = self.kept.due(_END_OF_TIME, 1)
        return due[0].due_at if due else None

    def result(self, key: str) -> dict[str, Any]:
        """What the record of an event would hold: outcome, rules, reasons, actions, notes."""
        work = self.kept.work(key)
        return dict(work.result) if work else {}

    def is_settled(self, key: str) -> bool:
        work = self.kept.work(key)
        return work is not None and work.is_settled

    def about(self, event: RunEvent, question: Question) -> Answer:
        """What dbt Cloud would answer: see `AsksDbtCloud`."""
        if not self.is_ours(event):
            return Answer(is_unknown_account=True)
        return self._answers.get((event.account_id, event.run_id), Answer())

    def is_ours(self, event: RunEvent) -> bool:
        """Whether its account is one that the configuration names, if it names any."""
        accounts = self.configuration.dbt_cloud.accounts
        return not accounts or event.account_id in map(str, accounts)

    def _have_timers(self, event: RunEvent) -> None:
        """Have the service's own timers of the episodes that the run has touched."""
        if self.ledger is None:
            return
        for episode in recall(self.kept, event).state.episodes.values():
            if episode.timer and episode.latest_run == int(event.run_id):
                timer = self.ledger.work(episode.timer)
                if timer is not None:
                    self.kept.record(timer)

    def _own_ledger(self) -> Ledger:
        return RehearsalLedger(self.ledger)

    def _clock(self) -> datetime:
        return self.now

    def _take_up(self, work: Work | None) -> None:
        if work is None:
            return
        if work.kind is Kind.ACTION:
            self._deliver(work)
            return
        decides = self._waking if work.kind is Kind.TIMER else self._decisions
        for action in decides.on(work.key):
            self._deliver(self.kept.work(action.key))
        if work.kind is Kind.EVENT and self.is_settled(work.key):
            run = self._undecided.pop(work.key, None)
            if run is not None and run not in self._undecided.values():
                del self._answers[run]

    def _deliver(self, work: Work | None) -> None:
        if work is None or work.is_settled:
            return
        self.told.append(Told(self.now, Action.from_body(work.body)))
        owner = uuid.uuid4().hex
        self.kept.claim(work.key, owner=owner, now=self.now, lease=LEASE)
        result = {"outcome": str(Outcome.DELIVERED)}
        self.kept.settle(work.key, owner=owner, now=self.now, result=result)


class _Nowhere:
    """Dead letters of a rehearsal: there are none."""

    def leave(self, data: bytes, attributes: object, reason: str) -> None:
        """Nothing is kept: what could not be decided on is in the event's result."""
