"""Waking: what a timer finds when it is due, and what is told then because time has passed."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared import log
from shared.errors import TemporaryFailure
from subscriber import digests, message, timers
from subscriber.actions import Action, Verb
from subscriber.digests import Digest
from subscriber.episodes import Decided, Episode, action_key, episode_key, passes, wakes_at
from subscriber.ledger.contract import Change, Ledger, Refusal, Settlement
from subscriber.remembered import KEEP_DIGEST, Remembered, changes, recalled
from subscriber.silences import RECHECK, Silence, silencing
from subscriber.states import Slot
from subscriber.telling import of_episode
from subscriber.timers import Timer

LEASE = timedelta(seconds=60)
CONTENDED = 20  # writes lost in a row before the timer is left for the next tick


@dataclass(frozen=True)
class Waking:
    """Looks at what a timer points to. Safe to share between threads, and to ask twice."""

    ledger: Ledger
    clock: Callable[[], datetime]

    def on(self, key: str) -> Sequence[Action]:
        """What the timer `key` calls for; the actions are recorded, and due now.

        Raises TemporaryFailure when the ledger does not answer, Mistake if another version of the
        program wrote what it holds; the timer is due again then.
        """
        owner = uuid.uuid4().hex
        work = self.ledger.claim(key, owner=owner, now=self.clock(), lease=LEASE)
        if isinstance(work, Refusal):
            log.debug("timer not taken up", timer=key, reason=str(work))
            return ()
        timer = Timer.of(work)
        for _ in range(CONTENDED):
            done = self._digest(timer, owner) if timer.slot is None else self._episode(timer, owner)
            if done is not None:
                return done
            held = self.ledger.work(key)
            if held is None or held.owner != owner:
                return ()
        raise TemporaryFailure("others decide on what this timer is about all the time")

    def _digest(self, timer: Timer, owner: str) -> Sequence[Action] | None:
        now = self.clock()
        (subject,) = self.ledger.subjects(timer.subjects)
        digest = Digest.read(subject.body)
        if digest is None or digest.due_at > now:
            return self._settle(timer, owner, "it has been told")
        account, told = timer.event.account_id, message.digest(digest)
        at = digest.due_at.isoformat()
        key = action_key(account, digest.destination, subject.key, at, Verb.TELL)
        action = Action(key, digest.destination, Verb.TELL, key, told, now)
        change = Change(subject, digests.told(), now + KEEP_DIGEST)
        return self._written(timer, owner, [change], [action], [], "told in one line")

    def _episode(self, timer: Timer, owner: str) -> Sequence[Action] | None:
        now = self.clock()
        remembered = recalled(self.ledger, timer.subjects)
        slot = timer.slot or ("", "")
        episode = remembered.state.episodes.get(slot)
        if episode is None:
            return self._settle(timer, owner, "it is over")
        if episode.latest_run != timer.run:
            return self._settle(timer, owner, "a newer run has set another timer")
        silence = self._silence(remembered, timer, slot, episode, now)
        decided = passes(episode, now, silence.said() if silence else "")
        action = self._action(timer, slot, decided, now)
        if action is None or decided.episode is None:
            if decided.held is None:
                return self._settle(timer, owner, decided.reason)
            until = min(silence.ends_at, now + RECHECK) if silence else now + RECHECK
            reason = {"reason": decided.reason}
            self.ledger.postpone(timer.key, owner=owner, due_at=until, result=reason, counted=False)
            return ()
        after = replace(decided.episode, latest_action=action.key)
        state = remembered.state
        state = replace(state, episodes={**state.episodes, slot: after})
        changed = changes(remembered, state, (), now)
        at, last = wakes_at(after), timer.event
        after_that = [timers.of_episode(timer.subjects, last, slot, after, at, None)] if at else []
        return self._written(timer, owner, changed, [action], after_that, decided.reason)

    def _silence(
        self, remembered: Remembered, timer: Timer, slot: Slot, episode: Episode, now: datetime
    ) -> Silence | None:
        opened = episode.opening_run
        key = episode_key(timer.event.account_id, slot[1], opened) if opened else ""
        return silencing(remembered.silences, timer.event, slot[0], episode.nodes, key, now)

    def _action(self, timer: Timer, slot: Slot, decided: Decided, now: datetime) -> Action | None:
        """What is told: as it was made when it was held, or what was told last, once more."""
        episode, verb = decided.episode, decided.verb
        if episode is None or verb is None:
            return None
        if verb is Verb.REMIND:
            last = self.ledger.work(episode.latest_action)
            if last is None:
                return None
            former = Action.from_body(last.body)
            told = message.reminded(former.message, episode, now)
        elif timer.action is None:
            return None
        else:
            former, told = timer.action, timer.action.message
        return of_episode(timer.event, slot, episode, verb, told, former.occurred_at, former.owner)

    def _settle(self, timer: Timer, owner: str, reason: str) -> Sequence[Action]:
        result = {"outcome": "nothing", "reason": reason}
        self.ledger.settle(timer.key, owner=owner, now=self.clock(), result=result)
        return ()

    def _written(
        self,
        timer: Timer,
        owner: str,
        changed: Sequence[Change],
        actions: Sequence[Action],
        after_that: Sequence[Timer],
        reason: str,
    ) -> Sequence[Action] | None:
        now = self.clock()
        keys = [action.key for action in actions]
        result = {"outcome": "told", "reason": reason, "actions": keys}
        due = [action.work(now) for action in actions] + [each.work(now) for each in after_that]
        settles = Settlement(timer.key, owner, now, result)
        if not self.ledger.decide(changed, due, settles):
            return None
        log.info("time has passed", timer=timer.key, actions=keys, reason=reason)
        return actions
