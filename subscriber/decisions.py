"""Decisions: what follows from an event, written down at once with the actions it calls for."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from shared import event as events
from shared import log
from shared.errors import PermanentFailure, TemporaryFailure
from shared.event import RunEvent
from subscriber import episodes
from subscriber.actions import Action
from subscriber.configuration import Configuration
from subscriber.consequences import Consequences, consequences
from subscriber.dead_letters import DeadLetters
from subscriber.deliveries import is_refused
from subscriber.episodes import JobState
from subscriber.ledger.contract import Kind, Ledger, Refusal, Subject, Work
from subscriber.run import Answer, Outcome, Question, Status, outcome

LEASE = timedelta(seconds=60)
"""About as long as asking dbt Cloud may take; whoever decides a second time changes nothing."""

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

    def about(self, event: RunEvent, question: Question) -> Answer: ...


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
            # a mistake of ours: keep it for a person
            self._give_up(work, owner, f"not decided on in {work.attempts} attempts")
            return ()
        try:
            return self._claimed(work, owner)
        except PermanentFailure as failure:
            self._give_up(work, owner, str(failure))
            return ()

    def _claimed(self, work: Work, owner: str) -> Sequence[Action]:
        event = events.read(work.body["event"].encode())
        ended = outcome(event)
        if ended not in (Outcome.FAILED, Outcome.SUCCEEDED):
            return self._settle(work, owner, event, ended, "nothing follows from it")
        answer: Answer | None = None
        for _ in range(CONTENDED):
            now = self.clock()
            before = self.ledger.subject(episodes.job_key(event.account_id, event.job_id))
            kept = JobState.from_body(before.body)
            state = kept.without(self._never_opened(kept))
            if not self._concerns(event, state):
                reason = "no rule and no open alert concerns it"
                return self._settle(work, owner, event, ended, reason)
            if answer is None and self._needs_asking(event, ended, state):
                results: Literal["none", "failed"] = "failed" if ended is Outcome.FAILED else "none"
                answer = self.dbt_cloud.about(event, Question(results))
                if answer.is_unknown_account:
                    return self._settle(work, owner, event, ended, "its account is not ours")
                if ended is Outcome.FAILED and self._may_know_more_soon(work, event, answer):
                    return self._wait(work, owner, event)
                # that took a while: others may have decided on the job
                continue
            follows = consequences(self.configuration, event, ended, answer or Answer(), state, now)
            if follows.state == kept and not follows.actions:
                return self._settled(work, owner, event, ended, follows)
            if self._written(before, follows, now):
                return self._settled(work, owner, event, ended, follows)
        raise TemporaryFailure("others decide on this job all the time")

    def _never_opened(self, state: JobState) -> set[str]:
        """Destinations that refused for good to open the alert: the next failure tries anew."""
        opened = {
            name: self.ledger.work(episode.latest_action)
            for name, episode in state.episodes.items()
        }
        return {name for name, work in opened.items() if work and is_refused(work)}

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
        if any(result.status is Status.FAILED for result in answer.results):
            return False
        return event.type == "job.run.errored" or not answer.is_final

    def _wait(self, work: Work, owner: str, event: RunEvent) -> Sequence[Action]:
        due_at = min(self.clock() + WAIT, work.recorded_at + WAIT_LIMIT)
        log.info("waiting for metadata", event=event.id, run=event.run_id, due_at=due_at)
        reason = {"reason": "dbt Cloud does not know the nodes yet"}
        self.ledger.postpone(work.key, owner=owner, due_at=due_at, result=reason)
        return ()

    def _written(self, before: Subject, follows: Consequences, now: datetime) -> bool:
        due = [
            Work(action.key, Kind.ACTION, action.body(), recorded_at=now, due_at=now)
            for action in follows.actions
        ]
        return self.ledger.decide(before, follows.state.body(), due)

    def _settled(
        self, work: Work, owner: str, event: RunEvent, ended: Outcome, follows: Consequences
    ) -> Sequence[Action]:
        actions = [action.key for action in follows.actions]
        log.info("decided", **_about(event, ended), actions=actions, reasons=follows.reasons)
        result = {"outcome": ended, "actions": actions, "reasons": dict(follows.reasons)}
        self.ledger.settle(work.key, owner=owner, now=self.clock(), result=result)
        return follows.actions

    def _settle(
        self, work: Work, owner: str, event: RunEvent, ended: Outcome, reason: str
    ) -> Sequence[Action]:
        log.info("nothing to do", **_about(event, ended), reason=reason)
        result = {"outcome": ended, "reason": reason}
        self.ledger.settle(work.key, owner=owner, now=self.clock(), result=result)
        return ()

    def _give_up(self, work: Work, owner: str, reason: str) -> None:
        log.error("event given up", event=work.key, reason=reason)
        result = {"outcome": "given up", "reason": reason}
        attributes = {"content": "event", "event": work.key}
        try:
            self.dead_letters.leave(work.body["event"].encode(), attributes, reason)
        except PermanentFailure as failure:
            log.error("not among the dead letters", event=work.key, reason=str(failure))
            result["dead_letters"] = str(failure)
        self.ledger.settle(work.key, owner=owner, now=self.clock(), result=result)


def _about(event: RunEvent, ended: Outcome) -> dict[str, object]:
    return {"event": event.id, "run": event.run_id, "job": event.job_id, "outcome": str(ended)}
