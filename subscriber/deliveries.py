"""Deliveries: carrying out actions that are due, each claimed before and settled after the act."""

import math
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from shared import log
from shared.errors import Failure, Mistake, PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretRef
from subscriber.actions import Action, Handle, Verb
from subscriber.dead_letters import DeadLetters
from subscriber.destination import Destination, Does
from subscriber.ledger.contract import Ledger, Refusal, Work
from subscriber.outbound import Outbound, Refused, UnknownOutcome, encode

LEASE = timedelta(seconds=60)
"""Longer than an attempt takes: three tries of Outbound's, with their pauses and the answer."""

GIVE_UP_AFTER = timedelta(hours=24)
GIVE_UP_ATTEMPTS = 20  # at the least: time in which nothing was tried does not count against it
ENDLESS = timedelta(hours=25)  # attempts that neither succeed nor fail are a mistake of ours
BACKOFF_FIRST_S = 5.0
BACKOFF_LIMIT_S = 600.0
ANSWER_LIMIT = 2_000  # characters of what a destination answered
TURN_S = 5.0  # how soon to look again whether the action before has settled
LANES = 8  # destinations that are delivered to at the same time

REFUSED = "refused"  # the outcome of an action that is given up for good
NOTHING: Mapping[str, str] = MappingProxyType({})

_CREDENTIAL = frozenset({400, 401, 403})  # PagerDuty says 400 to a routing key it does not know


@dataclass(frozen=True)
class Deliveries:
    """`secret` reads what a reference names, or has kept it; `secret_anew` reads it in any case."""

    destinations: Mapping[str, Destination]
    ledger: Ledger
    outbound: Outbound
    dead_letters: DeadLetters
    secret: Callable[[SecretRef], str]
    secret_anew: Callable[[SecretRef], str]
    clock: Callable[[], datetime]
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic

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
        wait_until: datetime | None = None
        for key in keys:
            if self.monotonic() >= until:
                return
            try:
                wait_until = self._one(key, wait_until) or wait_until
            except (TemporaryFailure, Mistake) as failure:
                # what is claimed becomes due again when its lease has run out
                log.warning("the ledger does not answer", action=key, reason=str(failure))
                return
            except Exception as error:  # noqa: BLE001 - one action shall not hold up those behind it
                log.bug("an action could not be delivered", error, action=key)

    def _one(self, key: str, wait_until: datetime | None) -> datetime | None:
        """Deliver one action. Returns until when its destination is better left alone."""
        owner = uuid.uuid4().hex
        work = self.ledger.claim(key, owner=owner, now=self.clock(), lease=LEASE)
        if isinstance(work, Refusal):
            log.debug("action not claimed", action=key, reason=work)
            return None
        if work.attempts > GIVE_UP_ATTEMPTS and self.clock() - work.recorded_at >= ENDLESS:
            reason = f"given up: {work.attempts} attempts came to no end"
            self._dead_letter(work, owner, reason)
            return None
        action = Action.from_body(work.body)
        if wait_until is not None:
            self._later(work, owner, wait_until, "its destination is busy", counted=False)
            return wait_until
        if action.after and not self._is_settled(action.after):
            turn = self.clock() + timedelta(seconds=TURN_S)
            self._later(work, owner, turn, "the action before it has not settled", counted=False)
            return None
        try:
            handle = self._attempt(action)
        except TemporaryFailure as failure:
            return self._failed(work, owner, action, failure)
        except PermanentFailure as failure:
            self._refused(work, owner, action, str(failure))
        else:
            self._delivered(work, owner, action, handle)
        return None

    def _attempt(self, action: Action) -> Handle:
        destination = self.destinations.get(action.destination)
        if destination is None:
            raise PermanentFailure(
                f"the destination {action.destination} is no longer configured; "
                f"what it holds under {action.episode_key} is to be dealt with by hand"
            )
        if (action.verb is Verb.REFRESH) is not (destination.does is Does.REFRESH):
            raise PermanentFailure(
                f"the destination {action.destination} was of another kind when this was decided; "
                f"what it holds under {action.episode_key} is to be dealt with by hand"
            )
        ready = self._ready(destination, action, self.secret)
        try:
            return ready.deliver(action, self.outbound)
        except Refused as refused:
            if refused.status not in _CREDENTIAL:
                raise
            anew = self._ready(destination, action, self.secret_anew)
            if anew == ready:
                raise
            return anew.deliver(action, self.outbound)

    def _ready(
        self, destination: Destination, action: Action, read: Callable[[SecretRef], str]
    ) -> Destination:
        """`destination` with its secrets. One that cannot be read now may be mended meanwhile."""
        try:
            return destination.with_secrets(read)
        except PermanentFailure as failure:
            log.error("secret unreadable", destination=action.destination, reason=str(failure))
            raise TemporaryFailure(str(failure)) from None

    def _is_settled(self, key: str) -> bool:
        before = self.ledger.work(key)
        return before is None or before.is_settled

    def _delivered(self, work: Work, owner: str, action: Action, handle: Handle) -> None:
        result = {
            "outcome": "delivered",
            "key": handle.key[:ANSWER_LIMIT],
            "url": handle.url[:ANSWER_LIMIT],
        }
        log.info("delivered", **self._about(work, action), url=result["url"] or None)
        if not self.ledger.settle(work.key, owner=owner, now=self.clock(), result=result):
            log.warning("the lease ran out before it was settled", **self._about(work, action))

    def _failed(
        self, work: Work, owner: str, action: Action, failure: TemporaryFailure
    ) -> datetime | None:
        now = self.clock()
        if now - work.recorded_at >= GIVE_UP_AFTER and work.attempts >= GIVE_UP_ATTEMPTS:
            self._refused(
                work, owner, action, f"given up after {work.attempts} attempts: {failure}"
            )
            return None
        wait_s = max(backoff_s(work.attempts, self.jitter()), failure.retry_after_s or 0.0)
        left_alone_until = now + timedelta(seconds=wait_s)
        due_at = left_alone_until
        if isinstance(failure, UnknownOutcome) and not self._is_repeatable(action):
            # it may have been carried out: not again before that can be over
            due_at = max(due_at, now + LEASE)
        log.warning(
            "not delivered yet",
            **self._about(work, action),
            reason=str(failure),
            due_at=due_at.isoformat(),
        )
        self._later(work, owner, due_at, str(failure))
        return left_alone_until

    def _is_repeatable(self, action: Action) -> bool:
        destination = self.destinations.get(action.destination)
        return destination is not None and destination.repeatable

    def _refused(self, work: Work, owner: str, action: Action, reason: str) -> None:
        attributes = {
            "action": action.key,
            "destination": action.destination,
            "verb": action.verb,
            "episode": action.episode_key,
        }
        self._dead_letter(work, owner, reason, attributes)

    def _dead_letter(
        self, work: Work, owner: str, reason: str, attributes: Mapping[str, str] = NOTHING
    ) -> None:
        log.error("refused for good", action=work.key, reason=reason)
        result: dict[str, Any] = {"outcome": REFUSED, "reason": reason}
        told = {"content": "action", "action": work.key, **attributes}
        try:
            self.dead_letters.leave(encode(work.body), told, reason)
        except TemporaryFailure as failure:
            due_at = self.clock() + timedelta(seconds=backoff_s(work.attempts, self.jitter()))
            self._later(work, owner, due_at, f"{reason}; not among the dead letters: {failure}")
            return
        except Failure as failure:
            log.error("not among the dead letters", action=work.key, reason=str(failure))
            result["dead_letters"] = str(failure)
        self.ledger.settle(work.key, owner=owner, now=self.clock(), result=result)

    def _later(
        self, work: Work, owner: str, due_at: datetime, reason: str, *, counted: bool = True
    ) -> None:
        self.ledger.postpone(
            work.key, owner=owner, due_at=due_at, result={"reason": reason}, counted=counted
        )

    def _about(self, work: Work, action: Action) -> dict[str, object]:
        return {
            "action": action.key,
            "destination": action.destination,
            "verb": action.verb,
            "run": action.message.facts.get("run_id"),
            "attempt": work.attempts,
        }


def is_refused(work: Work) -> bool:
    """Whether this action was given up for good: it has not happened, and will not."""
    return work.is_settled and work.result.get("outcome") == REFUSED


def backoff_s(attempts: int, jitter: float) -> float:
    """Seconds until the next attempt after `attempts` failed ones; `jitter` is from 0 to 1."""
    longest = min(BACKOFF_FIRST_S * 2.0 ** min(attempts - 1, 20), BACKOFF_LIMIT_S)
    return longest * (0.5 + jitter / 2)
