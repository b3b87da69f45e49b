"""Decisions: what follows from an event, written down at once with the actions it calls for."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from shared import event as events
from shared import log
from shared.errors import PermanentFailure, TemporaryFailure
from shared.event import RunEvent
from subscriber.actions import Action, Verb, key_with
from subscriber.alerts import touched
from subscriber.configuration import Configuration
from subscriber.consequences import Consequences, consequences
from subscriber.dead_letters import DeadLetters
from subscriber.episodes import Episode
from subscriber.event_record import called_for, recorded
from subscriber.ledger.contract import Kind, Ledger, Refusal, Settlement, Work
from subscriber.look import Look
from subscriber.message import left_of, overtaken
from subscriber.remembered import Remembered, recall, write
from subscriber.rules import Rule
from subscriber.run import Answer, Outcome, Question, Status, outcome
from subscriber.states import Slot, State
from subscriber.telling import page_of
from subscriber.tried import Outcome as Tried
from subscriber.tried import is_refused
from subscriber.wording import plain, worded

LEASE = timedelta(seconds=60)
"""About as long as asking dbt Cloud may take; whoever decides a second time changes nothing."""

WAIT_LIMIT = timedelta(seconds=90)
"""How long an alert waits for metadata that is not there yet."""

DOWN_LIMIT = timedelta(minutes=10)
"""How long a run that ended well waits for an API that is down, where a rule or an open alert
needs its results; longer than the pause that dbt Cloud asks for with a 429."""

WAIT = timedelta(seconds=15)
GIVE_UP_AFTER = timedelta(hours=24)
ATTEMPTS_LIMIT = 100
ROUNDS = 40  # decisions lost to others, or parts of a large one, before it is left for a tick
NODES_ASKED = 50  # of open alerts, whether the project still has them


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
        decision = _Decision(work, owner, event, outcome(event), self._is_old(work, event))
        asked: Question | None = None
        answer = Answer()
        told: list[Action] = []
        timed: list[str] = []
        for _ in range(ROUNDS):
            remembered = recall(self.ledger, event)
            if not self._concerns(event, decision.outcome, remembered.state):
                return self._settle(decision, "no rule and no open alert concerns it")
            question = self._question(decision, remembered.state)
            if question is not None and question != asked:
                # that may take a while: others may have decided on the job meanwhile
                asked, answer = question, self.dbt_cloud.about(event, question)
                continue
            if answer.is_unknown_account:
                return self._settle(decision, "its account is not ours")
            wait = asked is not None and self._may_know_more_soon(decision, asked, answer)
            rules = self._early(event) if wait else self.configuration.rules
            look = self._look(decision, rules, answer, remembered)
            never = self._never_opened(remembered.state, look)
            follows = consequences(look, remembered.state.without(set(never)))
            follows = self._with_what_was_told(follows)
            called = called_for(work, told)
            if wait and all(action.key in called for action in follows.actions):
                self._wait(decision, answer, called)
                return told
            is_last = follows.is_whole and not wait
            keys = called_for(work, [*told, *follows.actions])
            timers = [*timed, *(timer.key for timer in follows.timers)]
            settles = self._settlement(decision, look, follows, keys, timers) if is_last else None
            over = [
                self._never_to_open(key, remembered.state.episodes[slot], look.now)
                for slot, key in never.items()
            ]
            if write(self.ledger, remembered, follows, event, look.now, settles, over):
                _log(decision, follows)
                told += follows.actions
                timed = timers
                if is_last:
                    return told
            elif self._is_taken_over(decision):
                return told
        raise TemporaryFailure("others decide on this job all the time")

    def _look(
        self, decision: "_Decision", rules: Sequence[Rule], answer: Answer, remembered: Remembered
    ) -> Look:
        newest = max(answer.newest_run or 0, remembered.state.newest_run)
        return Look(
            configuration=self.configuration,
            rules=rules,
            event=decision.event,
            outcome=decision.outcome,
            answer=answer,
            silences=remembered.silences,
            now=self.clock(),
            is_late=decision.is_old and newest > int(decision.event.run_id),
        )

    def _is_old(self, work: Work, event: RunEvent) -> bool:
        """Whether it was old when it was recorded first; one that is replayed never is."""
        told_at = event.finished_at or event.occurred_at
        if told_at is None or _is_replayed(work):
            return False
        return work.recorded_at - told_at > self.configuration.max_event_age

    def _concerns(self, event: RunEvent, ended: Outcome, state: State) -> bool:
        rules = self.configuration.rules
        if ended in (Outcome.FAILED, Outcome.SUCCEEDED):
            # a run that ended is remembered even if nothing is told of it: it orders the others
            return bool(state.episodes) or any(rule.when.covers(event) for rule in rules)
        return any(rule.when.could_match(event, ended) for rule in rules)

    def _question(self, decision: "_Decision", state: State) -> Question | None:
        """What must be asked for what may follow; None if the event itself tells enough."""
        event, ended = decision.event, decision.outcome
        rules = [r for r in self.configuration.rules if r.when.could_match(event, ended)]
        episodes = state.episodes.values()
        by_nodes = {node for each in episodes if each.by_nodes for node in each.nodes}
        once = [rule for rule in rules if rule.alert is None or ended is not Outcome.FAILED]
        if int(event.run_id) < state.newest_run and not once:
            return None
        if ended is Outcome.FAILED:
            everything = bool(by_nodes) or (bool(rules) and bool(state.episodes))
            if not rules and not everything:
                return None
            results: Literal["none", "failed", "all"] = "all" if everything else "failed"
        elif ended is Outcome.SUCCEEDED:
            asks = any({"warned", "clean"} & set(rule.when.outcome) for rule in rules)
            everything = asks or bool(by_nodes) or any(each.warnings for each in episodes)
            if not rules and not everything:
                return None
            results = "all" if everything else "none"
        else:
            results = "none"
        nodes = frozenset(sorted(by_nodes)[:NODES_ASKED]) if results == "all" else frozenset()
        return Question(results, nodes, newest_run=decision.is_old)

    def _may_know_more_soon(
        self, decision: "_Decision", question: Question, answer: Answer
    ) -> bool:
        """Whether to wait: dbt sends `errored` before its metadata, and `completed` after."""
        waited = self.clock() - decision.work.recorded_at
        if decision.outcome is Outcome.FAILED and question.results != "none":
            if waited >= WAIT_LIMIT or any(r.status is Status.FAILED for r in answer.results):
                return False
            return decision.event.type == "job.run.errored" or not answer.is_final
        if decision.outcome is Outcome.SUCCEEDED and question.results == "all":
            if answer.is_complete:
                return False
            return waited < (DOWN_LIMIT if answer.was_down else WAIT_LIMIT) and (
                answer.was_down or not answer.is_final
            )
        return False

    def _early(self, event: RunEvent) -> Sequence[Rule]:
        """Rules that name the event's very type: they do not wait for what comes after it."""
        kind = event.type.removeprefix("job.run.")
        return [rule for rule in self.configuration.rules if kind in (rule.when.event or ())]

    def _never_opened(self, state: State, look: Look) -> dict[Slot, str]:
        """Slots whose open was refused for good, with its key: the next problem tries anew."""
        found = {}
        for slot, episode in touched(look, state):
            if int(look.event.run_id) <= episode.latest_run:
                # the run that it was opened for: its open, and the replay of it, are still that
                continue
            opening = key_with(episode.latest_action, Verb.OPEN)
            keys = dict.fromkeys((opening, episode.latest_action))
            # an update that was delivered has opened it all the same
            if all(_was_refused(self.ledger.work(key)) for key in keys):
                found[slot] = opening
        return found

    def _never_to_open(self, opening: str, episode: Episode, now: datetime) -> Work:
        """The close of an episode whose open was refused; a replay of that is superseded then.

        It is settled, unless an attempt of the open may have arrived: then it is to go out.
        """
        reason = "its open was refused, and what came after has an alert of its own"
        key, opened = key_with(opening, Verb.CLOSE), self.ledger.work(opening)
        if opened is not None and opened.result.get("may_have_arrived"):
            action = Action.from_body(opened.body)
            told = overtaken(plain(action.message), reason)
            told = worded(told, Verb.CLOSE, episode.words, episode)
            return replace(action, key=key, verb=Verb.CLOSE, message=told, after=None).work(now)
        result = {"outcome": Tried.SUPERSEDED, "reason": reason}
        return Work(key, Kind.ACTION, {}, recorded_at=now, due_at=None, result=result)

    def _with_what_was_told(self, follows: Consequences) -> Consequences:
        """The same, where an update that some nodes recovered says again how the others are bad."""
        actions = tuple(self._completed(action, follows.state) for action in follows.actions)
        return replace(follows, actions=actions)

    def _completed(self, action: Action, state: State) -> Action:
        found = (each for each in state.episodes.values() if each.latest_action == action.key)
        episode = next(found, None)
        if action.verb is not Verb.UPDATE or action.message.nodes or not action.message.fixed:
            return action
        before = self.ledger.work(action.after) if action.after else None
        if episode is None or before is None or not before.body:
            return action
        former = Action.from_body(before.body).message
        told = left_of(former, plain(action.message), episode)
        return replace(action, message=worded(told, action.verb, episode.words, episode))

    def _is_taken_over(self, decision: "_Decision") -> bool:
        work = self.ledger.work(decision.work.key)
        return work is None or work.is_settled or work.owner != decision.owner

    def _wait(self, decision: "_Decision", answer: Answer, called: Sequence[str]) -> None:
        limit = DOWN_LIMIT if answer.was_down else WAIT_LIMIT
        due_at = min(self.clock() + WAIT, decision.work.recorded_at + limit)
        log.info("waiting for metadata", **decision.about(), due_at=due_at)
        work = decision.work
        result: dict[str, Any] = {"reason": "dbt Cloud does not know the nodes yet"}
        result |= {"replayed": True} if _is_replayed(work) else {}
        # by rules that do not wait
        result |= {"actions": called} if called else {}
        kept = recorded(result)
        self.ledger.postpone(work.key, owner=decision.owner, due_at=due_at, result=kept)

    def _settlement(
        self,
        decision: "_Decision",
        look: Look,
        follows: Consequences,
        actions: Sequence[str],
        timers: Sequence[str],
    ) -> Settlement:
        result = {
            "outcome": decision.outcome,
            "at": look.now.isoformat(),
            "link": look.telling.link,
            "warned": look.answer.warned if decision.outcome is Outcome.SUCCEEDED else None,
            "late": look.is_late,
            "actions": actions,
            "timers": timers,
            "rules": follows.rules,
            "reasons": follows.reasons,
            "notes": look.answer.notes,
        }
        return Settlement(decision.work.key, decision.owner, look.now, recorded(result))

    def _settle(self, decision: "_Decision", reason: str) -> Sequence[Action]:
        log.info("nothing to do", **decision.about(), reason=reason)
        rules = {
            rule.name: rule.when.missed(decision.event) or f"the run {decision.outcome}"
            for rule in self.configuration.rules
        }
        event, work, now = decision.event, decision.work, self.clock()
        link = page_of(event, self.configuration.dbt_cloud.host, "runs", event.run_id)
        result = {
            "outcome": decision.outcome,
            "at": now.isoformat(),
            "link": link,
            "reason": reason,
            "actions": called_for(work, ()),
            "rules": rules,
        }
        self.ledger.settle(work.key, owner=decision.owner, now=now, result=recorded(result))
        return ()

    def _give_up(self, work: Work, owner: str, reason: str) -> None:
        log.error("event given up", event=work.key, reason=reason)
        now = self.clock()
        result: dict[str, Any] = {"outcome": "given up", "at": now.isoformat(), "reason": reason}
        result |= {"actions": called_for(work, ())}
        attributes = {"content": "event", "event": work.key}
        try:
            self.dead_letters.leave(work.body["event"].encode(), attributes, reason)
        except PermanentFailure as failure:
            log.error("not among the dead letters", event=work.key, reason=str(failure))
            result["dead_letters"] = str(failure)
        self.ledger.settle(work.key, owner=owner, now=now, result=recorded(result))


@dataclass(frozen=True)
class _Decision:
    """The event being decided on, and the claim by which it is."""

    work: Work
    owner: str
    event: RunEvent
    outcome: Outcome
    is_old: bool

    def about(self) -> dict[str, object]:
        event = self.event
        return {
            "event": event.id,
            "run": event.run_id,
            "job": event.job_id,
            "outcome": str(self.outcome),
        }


def _is_replayed(work: Work) -> bool:
    """Whether it was given up before, and is decided on again because somebody wants it."""
    return "outcome" in work.result or bool(work.result.get("replayed"))


def _was_refused(work: Work | None) -> bool:
    return work is not None and is_refused(work)


def _log(decision: _Decision, follows: Consequences) -> None:
    actions = [action.key for action in follows.actions]
    log.info("decided", **decision.about(), actions=actions, reasons=dict(follows.reasons))
