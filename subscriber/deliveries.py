"""Deliveries: carrying out actions that are due, each claimed before and settled after the act.

What was started is looked at in the same lane as what is still to be delivered there.
"""

import math
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared import log
from shared.errors import Mistake, PermanentFailure, TemporaryFailure
from subscriber import budgets, superseding
from subscriber.actions import Action, Handle, Unfinished, Verb, WrittenByNewer, key_with
from subscriber.attempting import Attempting, Sent
from subscriber.credentials import Read
from subscriber.dead_letters import DeadLetters
from subscriber.destination import Destination
from subscriber.destinations import kind
from subscriber.endings import Claim, Endings
from subscriber.follow import Follow
from subscriber.following import Following
from subscriber.ledger.contract import Kind, Ledger, Refusal, Work
from subscriber.opened import Opening, Openings
from subscriber.outbound import Outbound
from subscriber.owners import Owner
from subscriber.patience import is_endless
from subscriber.refresh_ends import RefreshEnds
from subscriber.refreshes import End, Ending

LEASE = timedelta(seconds=60)
"""Longer than an attempt takes: three tries of Outbound's, with their pauses and the answer."""

ROOM_NEAR, ROOM_TRIES = timedelta(seconds=2), 3
"""A destination that takes no more for so long is waited for, as often, rather than left alone."""

TURN_S = 5.0  # how soon to look again whether the action before has settled
LANES = 8  # destinations that are delivered to at the same time

_OPENS = frozenset({Verb.OPEN, Verb.UPDATE, Verb.REMIND})  # an update opens what was refused
_FOLLOWS = frozenset({Verb.UPDATE, Verb.REMIND, Verb.CLOSE})


@dataclass(frozen=True)
class Busy:
    """Until when a destination is better left alone.

    One that takes no further start for now still says how far those are that it has taken.
    """

    for_actions: datetime | None = None
    for_looks: datetime | None = None


@dataclass(frozen=True)
class Deliveries:
    """`secret` reads what a reference names, or has kept it; `secret_anew` reads it in any case."""

    destinations: Mapping[str, Destination]
    ledger: Ledger
    outbound: Outbound
    dead_letters: DeadLetters
    secret: Read
    secret_anew: Read
    clock: Callable[[], datetime]
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    owners: Mapping[str, Owner] = field(default_factory=dict)
    kinds: Callable[[str], type[Destination]] = kind

    def deliver(self, due: Sequence[tuple[str, str]], *, until: float = math.inf) -> None:
        """Deliver what is due, given as (destination, action key) in the order to go.

        Destinations are delivered to side by side, so that none holds up another. One that is
        busy is left alone for the rest of `due`. What cannot be delivered stays in the ledger, as
        does what has not been begun at the monotonic time `until`. Raises nothing.
        """
        lanes: dict[str, list[str]] = {}
        for destination, key in due:
            lanes.setdefault(destination, []).append(key)
        if len(lanes) == 1:
            self._lane(next(iter(lanes.values())), until)
            return
        with ThreadPoolExecutor(max_workers=LANES, thread_name_prefix="delivery") as pool:
            for done in [pool.submit(self._lane, keys, until) for keys in lanes.values()]:
                done.result()

    def _lane(self, keys: Iterable[str], until: float) -> None:
        busy = Busy()
        for key in keys:
            if self.monotonic() >= until:
                return
            try:
                busy = self._one(key, busy)
            except (TemporaryFailure, Mistake) as failure:
                # what is claimed becomes due again when its lease has run out
                log.warning("the ledger does not answer", action=key, reason=str(failure))
                return
            except Exception as error:  # noqa: BLE001 - one action shall not hold up those behind it
                log.bug("an action could not be delivered", error, action=key)

    def _one(self, key: str, busy: Busy) -> Busy:
        """Deliver one action, or look once at what was started. Returns how busy it is then."""
        owner = uuid.uuid4().hex
        work = self.ledger.claim(key, owner=owner, now=self.clock(), lease=LEASE)
        if isinstance(work, Refusal):
            log.debug("action not claimed", action=key, reason=work)
            return busy
        claim = Claim(work, owner)
        if work.kind is Kind.FOLLOW:
            return self._looked(claim, busy)
        if is_endless(self.clock() - work.recorded_at, work.attempts):
            self._endings.given_up(claim, f"given up: {work.attempts} attempts came to no end")
            return busy
        try:
            until = self._claimed(claim, Action.from_body(work.body), busy.for_actions)
        except WrittenByNewer as failure:
            self._endings.unreadable(claim, failure)
            return busy
        return replace(busy, for_actions=until or busy.for_actions)

    def _looked(self, claim: Claim, busy: Busy) -> Busy:
        try:
            until = self._following.look(claim, busy.for_looks)
        except WrittenByNewer as failure:
            self._endings.unreadable(claim, failure)
            return busy
        return Busy(until, until) if until else busy

    def _claimed(
        self, claim: Claim, action: Action, wait_until: datetime | None
    ) -> datetime | None:
        if action.after and not self._is_settled(action.after):
            turn = self.clock() + timedelta(seconds=TURN_S)
            due_at = max(turn, wait_until) if wait_until else turn
            self._endings.waits(claim, action, due_at, "the action before it has not settled")
            return None
        going_out = self._as_it_goes_out(action)
        if going_out is None:
            self._endings.superseded(claim, action)
            return None
        if wait_until is not None:
            self._endings.waits(claim, action, wait_until, "its destination is busy")
            return wait_until
        opening = self._openings.of(action) if going_out.verb in _FOLLOWS else None
        room_at = self._room_at(action.destination)
        if room_at is not None:
            self._endings.waits(claim, action, room_at, "its destination takes no more for now")
            return room_at
        return self._attempt(claim, going_out, opening)

    def _as_it_goes_out(self, action: Action) -> Action | None:
        key = superseding.counterpart(action)
        if key is None or self._is_over(action):
            return None if key else action
        destination = self.destinations.get(action.destination)
        does = destination.does if destination else None
        return superseding.as_it_goes_out(action, self.ledger.work(key), does)

    def _is_over(self, action: Action) -> bool:
        """Whether it is an update or a reminder, replayed, of an alert that is closed by now."""
        if action.verb not in (Verb.UPDATE, Verb.REMIND):
            return False
        close = self.ledger.work(key_with(action.key, Verb.CLOSE))
        return close is not None and close.is_settled

    def _room_at(self, name: str) -> datetime | None:
        """None if the destination's budget has room, of which one is taken; else when it has."""
        destination = self.destinations.get(name)
        if destination is None or not destination.paces:
            return None
        for _ in range(ROOM_TRIES):
            room_at = budgets.take(self.ledger, name, destination.paces, self.clock())
            if room_at is None:
                return None
            wait = room_at - self.clock()
            if wait > ROOM_NEAR:
                break
            self.pause(max(wait.total_seconds(), 0.0))
        return room_at

    def _attempt(self, claim: Claim, action: Action, opening: Opening | None) -> datetime | None:
        try:
            sent = self._attempting.make(replace(action, so_far=claim.so_far), opening)
        except Unfinished as failure:
            return self._endings.failed(
                claim, action, failure, may_have_arrived=failure.is_out, so_far=failure.so_far
            )
        except TemporaryFailure as failure:
            return self._endings.failed(claim, action, failure)
        except PermanentFailure as failure:
            self._endings.refused(claim, action, str(failure))
            self._let_go_of_opening(action)
            return None
        is_the_first = opening is None or opening.handle == Handle()
        if (is_the_first or sent.handle.replaces) and action.verb in _OPENS:
            self._keep(action, sent)
        if sent.unknown is not None:
            # it may have been carried out: not again before that can be over
            not_before = timedelta(0) if sent.ready.destination.repeatable else LEASE
            return self._endings.failed(
                claim, action, sent.unknown, may_have_arrived=True, not_before=not_before
            )
        self._endings.delivered(claim, action, sent.handle, self._followed(action, sent))
        self._let_go_of_opening(action)
        return None

    def _followed(self, action: Action, sent: Sent) -> Sequence[Work]:
        """The work of following a refresh to its end; one that has ended already is recorded."""
        if action.verb is not Verb.REFRESH:
            return ()
        now, destination = self.clock(), sent.ready.destination
        if destination.looks is None:
            RefreshEnds(self.ledger).record(action, End(Ending.DONE, url=sent.handle.url), now)
            return ()
        return (Follow(action, destination.kind(), sent.handle, now).work(destination.looks),)

    def _keep(self, action: Action, sent: Sent) -> None:
        """Keep what opened the episode. To lose it is better than to deliver for ever."""
        try:
            self._openings.keep(action, sent.opening(), self.clock())
        except PermanentFailure as failure:
            log.error("what opened it could not be kept", action=action.key, reason=str(failure))

    def _let_go_of_opening(self, action: Action) -> None:
        if action.verb is Verb.CLOSE:
            self._openings.closed(action, self.clock())

    def _is_settled(self, key: str) -> bool:
        before = self.ledger.work(key)
        return before is None or before.is_settled

    @property
    def _attempting(self) -> Attempting:
        return Attempting(
            destinations=self.destinations,
            owners=self.owners,
            kinds=self.kinds,
            outbound=self.outbound,
            secret=self.secret,
            secret_anew=self.secret_anew,
        )

    @property
    def _following(self) -> Following:
        return Following(
            destinations=self.destinations,
            ledger=self.ledger,
            outbound=self.outbound,
            secret=self.secret,
            secret_anew=self.secret_anew,
            clock=self.clock,
            jitter=self.jitter,
        )

    @property
    def _endings(self) -> Endings:
        return Endings(self.ledger, self.dead_letters, self.clock, self.jitter)

    @property
    def _openings(self) -> Openings:
        return Openings(self.ledger)
