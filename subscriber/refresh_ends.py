"""Refresh ends: written down at once with what is told of them, whoever learnt of them first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shared import log
from shared.errors import TemporaryFailure
from shared.event import RunEvent
from subscriber import silences
from subscriber.actions import Action
from subscriber.ledger.contract import Change, Ledger, Settlement
from subscriber.refreshes import End, Follows, follows, key
from subscriber.remembered import gathered
from subscriber.states import State, is_empty
from subscriber.tried import is_refused

CONTENDED = 20  # writes lost in a row
KEEP_QUIET = timedelta(days=90)
"""How long it is remembered how a refresh went of which nothing is open."""


@dataclass(frozen=True)
class RefreshEnds:
    """Safe to share between threads, and to be told the same end twice."""

    ledger: Ledger

    def record(
        self, refresh: Action, end: End, now: datetime, settles: Settlement | None = None
    ) -> Sequence[Action]:
        """Record how `refresh` ended, and settle; returns what is to be told of it, due now.

        Nothing if the work that it settles is held by somebody else. Raises TemporaryFailure or
        Mistake when the ledger does.
        """
        for _ in range(CONTENDED):
            done = self._recorded(refresh, end, now, settles)
            if done is not None:
                log.info(
                    "refresh ended",
                    destination=refresh.destination,
                    run=refresh.message.facts.get("run_id"),
                    outcome=str(end.ending),
                    reason=end.reason or None,
                    told=[action.key for action in done.actions] or None,
                )
                return done.actions
            if settles is not None:
                held = self.ledger.work(settles.key)
                if held is None or held.owner != settles.owner:
                    return ()
        raise TemporaryFailure("others decide on this refresh all the time")

    def _recorded(
        self, refresh: Action, end: End, now: datetime, settles: Settlement | None
    ) -> Follows | None:
        subject, silenced = self.ledger.subjects([key(refresh), silences.KEY])
        before = self._that_opened(State.read(subject.body, {}))
        found = follows(refresh, end, before, silences.read(silenced.body), now)
        body, _ = found.state.bodies()
        changed = []
        if body != subject.body and not (is_empty(body) and not subject.version):
            changed.append(Change(subject, body, None if body["episodes"] else now + KEEP_QUIET))
        due = [action.work(now) for action in found.actions]
        if found.lines:
            event = RunEvent(**refresh.event)
            for change, timer in gathered(self.ledger, found.lines, event, now):
                changed.append(change)
                due += [timer.work(now)] if timer else []
        if not changed and settles is None:
            return found
        if settles is not None:
            told: dict[str, Any] = {"told": found.reasons} if found.reasons else {}
            told |= {"actions": [action.key for action in found.actions]}
            settles = replace(settles, result=settles.result | told)
        return found if self.ledger.decide(changed, due, settles) else None

    def _that_opened(self, state: State) -> State:
        """Without the episodes whose open was refused for good: the next failure opens anew."""
        never = set()
        for slot, episode in state.episodes.items():
            work = self.ledger.work(episode.latest_action) if episode.latest_action else None
            if work is not None and is_refused(work) and episode.tellings <= 1:
                never.add(slot)
        return state.without(never)
