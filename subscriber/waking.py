"""Waking: what a timer finds when it is due, and what is told then because time has passed."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared import log
from shared.errors import TemporaryFailure
from subscriber import message, silences, timers
from subscriber.actions import Action, Verb
from subscriber.digests import Digest
from subscriber.episodes import Episode, action_key, episode_key, passes, wakes_at
from subscriber.ledger.contract import Change, Ledger, Refusal, Settlement, Work
from subscriber.remembered import KEEP_DIGEST, Remembered, changes, recalled
from subscriber.silences import RECHECK, Silence, holding, silencing
from subscriber.states import Slot
from subscriber.telling import of_episode
from subscriber.timers import Timer, of_digest
from subscriber.wording import plain

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
        subject, silenced = self.ledger.subjects([*timer.subjects, silences.KEY])
        digest = Digest.read(subject.body)
        if not digest.count or timer.key != of_digest(subject.key, digest.n, now, timer.event).key:
            return self._settle(timer, owner, "it has been told")
        silence = holding(silences.read(silenced.body), digest.silence, now)
        if silence is not None:
            return self._postpone(timer, owner, _recheck(silence, now), silence.said())
        account, told = timer.event.account_id, message.digest(digest)
        key = action_key(account, digest.destination, subject.key, str(digest.n), Verb.TELL)
        action = Action(key, digest.destination, Verb.TELL, key, told, now)
        change = Change(subject, digest.told().body(), now + KEEP_DIGEST)
        return self._written(timer, owner, [change], [action], [], "told in one line")

    def _episode(self, timer: Timer, owner: str) -> Sequence[Action] | None:
        now = self.clock()
        remembered = recalled(self.ledger, timer.subjects)
        slot = timer.slot or ("", "")
        episode = remembered.state.episodes.get(slot)
        if episode is None:
            return self._settle(timer, owner, "it is over")
        if episode.timer != timer.key:
            return self._settle(timer, owner, "another timer looks at it now")
        silence = self._silence(remembered, timer, slot, episode, now)
        decided = passes(episode, now, silence.said() if silence else "")
        if decided.held is not None:
            until = _recheck(silence, now)
            return self._postpone(timer, owner, until, decided.reason)
        if decided.episode is None or decided.verb is None:
            return self._settle(timer, owner, decided.reason)
        last = self.ledger.work(episode.latest_action) if episode.latest_action else None
        if decided.verb is Verb.REMIND and last is not None and not last.is_settled:
            return self._postpone(timer, owner, now + RECHECK, "what was told last is on its way")
        action = _action(timer, slot, decided.episode, decided.verb, last, now)
        after = replace(decided.episode, latest_action=action.key)
        after_that = []
        if (at := wakes_at(after)) is not None:
            after_that = [
                timers.of_episode(timer.subjects, timer.event, slot, after, at, action=None)
            ]
            after = replace(after, timer=after_that[0].key)
        state = remembered.state
        state = replace(state, episodes={**state.episodes, slot: after})
        changed = changes(remembered, state, (), now)
        return self._written(timer, owner, changed, [action], after_that, decided.reason)

    def _silence(
        self, remembered: Remembered, timer: Timer, slot: Slot, episode: Episode, now: datetime
    ) -> Silence | None:
        opened = episode.opening_run
        key = episode_key(timer.event.account_id, slot[1], opened) if opened else ""
        return silencing(remembered.silences, timer.event, slot[0], episode.nodes, key, now)

    def _postpone(self, timer: Timer, owner: str, until: datetime, reason: str) -> Sequence[Action]:
        result = {"reason": reason}
        self.ledger.postpone(timer.key, owner=owner, due_at=until, result=result, counted=False)
        return ()

    def _settle(self, timer: Timer, owner: str, reason: str) -> Sequence[Action]:
        now = self.clock()
        result = {"outcome": "nothing", "at": now.isoformat(), "reason": reason}
        self.ledger.settle(timer.key, owner=owner, now=now, result=result)
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
        result = {"outcome": "told", "at": now.isoformat(), "reason": reason, "actions": keys}
        result |= {"timers": [each.key for each in after_that]}
        due = [action.work(now) for action in actions] + [each.work(now) for each in after_that]
        settles = Settlement(timer.key, owner, now, result)
        if not self.ledger.decide(changed, due, settles):
            return None
        log.info("time has passed", timer=timer.key, actions=keys, reason=reason)
        return actions


def _recheck(silence: Silence | None, now: datetime) -> datetime:
    """When to look again at what is held back; no silence: it was looked at too early."""
    return min(silence.ends_at, now + RECHECK) if silence else now + RECHECK


def _action(
    timer: Timer, slot: Slot, episode: Episode, verb: Verb, last: Work | None, now: datetime
) -> Action:
    """What is told: as it was made when it was held, or what was told last, once more."""
    former = timer.action
    if former is None and last is not None:
        former = Action.from_body(last.body)
    told = plain(former.message) if former else message.unknown(timer.event, episode)
    if verb is Verb.REMIND:
        told = message.reminded(told, episode, now)
    elif episode.by_nodes:
        told = message.of_nodes_left(told, episode)
    occurred_at = former.occurred_at if former else episode.since
    action = of_episode(timer.event, slot, episode, verb, told, occurred_at)
    return replace(action, owner=former.owner, owners=former.owners) if former else action
