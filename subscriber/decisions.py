"""Decisions: what follows from an event, written down at once with the actions it calls for."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared import event as events
from shared import log
from shared.errors import TemporaryFailure
from shared.event import RunEvent
from subscriber import episodes
from subscriber.actions import Action
from subscriber.configuration import Configuration
from subscriber.consequences import Consequences, consequences
from subscriber.dead_letters import DeadLetters
from subscriber.episodes import JobState
from subscriber.ledger.contract import Kind, Ledger, Refusal, Work
from subscriber.run import Answer, Outcome, Status, outcome

LEASE = timedelta(seconds=60)
"""Longer than asking dbt Cloud takes."""

WAIT_LIMIT = timedelta(seconds=90)
"""How long an alert waits for metadata that is not there yet."""

WAIT = timedelta(seconds=15)
GIVE_UP_AFTER = timedelta(hours=24)
ATTEMPTS_LIMIT = 100
CONTENDED = 20  # decisions lost in a row before the event is left for a tick


def event_key(event: RunEvent) -> str:
    """The key of an event in the ledger: dbt's retries and Pub/Sub's duplicates have the same."""
    return f"{event.account_id}/event/{event.id}"


class AsksDbtCloud(Protocol):
    """Who knows about runs; never raises for what it does not know."""

    def about(self, event: RunEvent, *, diagnose: bool) -> Answer: ...


@dataclass(frozen=True)
class Decisions:
    """Decides on recorded events. Safe to share between threads, and to ask twice."""

    configuration: Configuration
    ledger: Ledger
    dbt_cloud: AsksDbtCloud
    dead_letters: DeadLetters
    clock: Callable[[], datetime]

    def on(self, key: str) -> Sequence[Action]:
        """Decide on the event recorded as `key`; the actions that are due now.

        There are none if somebody else holds it, it is settled, or it has to wait. Raises
        TemporaryFailure when the ledger does not answer; the event is due again then.
        """
        owner = uuid.uuid4().hex
        work = self.ledger.claim(key, owner=owner, now=self.clock(), lease=LEASE)
        if isinstance(work, Refusal):
            log.info("event not taken up", event=key, reason=str(work))
            return ()
        if self.clock() - work.recorded_at >= GIVE_UP_AFTER and work.attempts > ATTEMPTS_LIMIT:
            self._give_up(work, owner)
            return ()
        event = events.read(work.body["event"].encode())
        ended = outcome(event)
        if ended not in (Outcome.FAILED, Outcome.SUCCEEDED):
            return self._settle(work, owner, event, ended, "nothing follows from it")
        state = self._state(event)
        if not self._concerns(event, state):
            return self._settle(work, owner, event, ended, "no rule and no open alert concerns it")
        answer = Answer()
        if self._needs_asking(event, ended, state):
            answer = self.dbt_cloud.about(event, diagnose=ended is Outcome.FAILED)
            if answer.is_unknown_account:
                return self._settle(work, owner, event, ended, "a test: its account is not ours")
            if ended is Outcome.FAILED and self._may_know_more_soon(work, event, answer):
                self._wait(work, owner, event)
                return ()
        return self._decided(work, owner, event, ended, answer)

    def _give_up(self, work: Work, owner: str) -> None:
        """What nobody could decide on for so long is a mistake of ours: keep it for a person."""
        reason = f"not decided on in {work.attempts} attempts"
        attributes = {"content": "event", "event": work.key}
        self.dead_letters.leave(work.body["event"].encode(), attributes, reason)
        log.error("given up", event=work.key, reason=reason)
        result = {"outcome": "given up", "reason": reason}
        self.ledger.settle(work.key, owner=owner, now=self.clock(), result=result)

    def _state(self, event: RunEvent) -> JobState:
        subject = self.ledger.subject(episodes.job_key(event.account_id, event.job_id))
        return JobState.from_body(subject.body)

    def _concerns(self, event: RunEvent, state: JobState) -> bool:
        rules = self.configuration.rules
        return bool(state.episodes) or any(rule.when.could_match(event) for rule in rules)

    def _needs_asking(self, event: RunEvent, ended: Outcome, state: JobState) -> bool:
        """Whether something may follow for which dbt Cloud's answer matters."""
        asked_for = {
            name
            for rule in self.configuration.rules
            if ended in rule.when.outcome and rule.when.could_match(event)
            for name in rule.then
        }
        if ended is Outcome.SUCCEEDED:
            return bool(asked_for)
        return int(event.run_id) >= state.newest_run and bool(asked_for - set(state.episodes))

    def _may_know_more_soon(self, work: Work, event: RunEvent, answer: Answer) -> bool:
        """Whether to wait: dbt sends `errored` before its metadata, and `completed` after."""
        if self.clock() - work.recorded_at >= WAIT_LIMIT:
            return False
        if int(event.run_id) <= self._state(event).newest_run:
            # `completed` has come in the meantime
            return False
        if any(result.status is Status.FAILED for result in answer.results):
            return False
        return event.type == "job.run.errored" or not answer.is_final

    def _wait(self, work: Work, owner: str, event: RunEvent) -> None:
        due_at = min(self.clock() + WAIT, work.recorded_at + WAIT_LIMIT)
        log.info("waiting for metadata", event=event.id, run=event.run_id, due_at=due_at)
        reason = {"reason": "dbt Cloud does not know the nodes yet"}
        self.ledger.postpone(work.key, owner=owner, due_at=due_at, result=reason)

    def _decided(
        self, work: Work, owner: str, event: RunEvent, ended: Outcome, answer: Answer
    ) -> Sequence[Action]:
        key = episodes.job_key(event.account_id, event.job_id)
        for _ in range(CONTENDED):
            now = self.clock()
            before = self.ledger.subject(key)
            state = JobState.from_body(before.body)
            follows = consequences(self.configuration, event, ended, answer, state, now)
            if follows.state == state and not follows.actions:
                break
            due = [
                Work(action.key, Kind.ACTION, action.body(), recorded_at=now, due_at=now)
                for action in follows.actions
            ]
            if self.ledger.decide(before, follows.state.body(), due):
                break
        else:
            raise TemporaryFailure("others decide on this job all the time")
        self._settled(work, owner, event, ended, follows)
        return follows.actions

    def _settled(
        self, work: Work, owner: str, event: RunEvent, ended: Outcome, follows: Consequences
    ) -> None:
        actions = [action.key for action in follows.actions]
        log.info("decided", **_about(event, ended), actions=actions, reasons=follows.reasons)
        result = {"outcome": ended, "actions": actions, "reasons": dict(follows.reasons)}
        self.ledger.settle(work.key, owner=owner, now=self.clock(), result=result)

    def _settle(
        self, work: Work, owner: str, event: RunEvent, ended: Outcome, reason: str
    ) -> Sequence[Action]:
        log.info("nothing to do", **_about(event, ended), reason=reason)
        result = {"outcome": ended, "reason": reason}
        self.ledger.settle(work.key, owner=owner, now=self.clock(), result=result)
        return ()


def _about(event: RunEvent, ended: Outcome) -> dict[str, object]:
    return {"event": event.id, "run": event.run_id, "job": event.job_id, "outcome": str(ended)}
