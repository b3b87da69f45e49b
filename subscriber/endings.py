"""Endings: what becomes of a claimed action: settled, due again later, or a dead letter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from shared import log
from shared.errors import Failure, TemporaryFailure
from subscriber.actions import Action, Handle, Verb
from subscriber.dead_letters import DeadLetters
from subscriber.durations import said
from subscriber.ledger.contract import Ledger, Settlement, Work
from subscriber.outbound import encode
from subscriber.patience import GIVE_UP_AFTER, backoff_s, is_over
from subscriber.refresh_ends import RefreshEnds
from subscriber.refreshes import End, Ending
from subscriber.tried import Outcome, Tried

ANSWER_LIMIT = 2_000  # characters of what a destination answered, and of a reason


@dataclass(frozen=True)
class Claim:
    """Work that `owner` has claimed, with what was tried before."""

    work: Work
    owner: str

    @property
    def tried(self) -> Tried:
        return Tried.before(self.work)

    @property
    def so_far(self) -> Handle | None:
        """What an earlier attempt has done of it."""
        kept = self.work.result.get("so_far")
        return Handle(**kept) if kept else None

    def heard(self, now: Sequence[Action]) -> dict[str, Any]:
        """For the result: the actions by which others heard that it does not go well."""
        keys = [*self.work.result.get("actions", ()), *(action.key for action in now)]
        return {"actions": keys} if keys else {}


@dataclass(frozen=True)
class Endings:
    """Each method lets go of the claim, or raises what the ledger raises: then the lease runs."""

    ledger: Ledger
    dead_letters: DeadLetters
    clock: Callable[[], datetime]
    jitter: Callable[[], float]

    def delivered(
        self, claim: Claim, action: Action, handle: Handle, then: Sequence[Work] = ()
    ) -> None:
        """Settled; `then` is recorded with it, all or nothing."""
        result = {"key": handle.key[:ANSWER_LIMIT], "url": handle.url[:ANSWER_LIMIT]}
        # whoever reads what came of a refresh finds how it went on
        result |= {"follow": then[0].key} if then else {}
        log.info("delivered", **_about(claim, action), url=result["url"] or None)
        tried = claim.tried.and_now(self.clock(), Outcome.DELIVERED)
        if not self._settle(claim, Outcome.DELIVERED, tried, result, then):
            log.warning("the lease ran out before it was settled", **_about(claim, action))

    def superseded(self, claim: Claim, action: Action) -> None:
        """Nothing was sent now; the result says whether something may have been before."""
        reason = "the job recovered before this was delivered"
        log.info("superseded", **_about(claim, action))
        tried = claim.tried.and_now(self.clock(), Outcome.SUPERSEDED, reason)
        self._settle(claim, Outcome.SUPERSEDED, tried, {"reason": reason})

    def failed(
        self,
        claim: Claim,
        action: Action,
        failure: TemporaryFailure,
        *,
        may_have_arrived: bool = False,
        not_before: timedelta = timedelta(0),
        so_far: Handle | None = None,
    ) -> datetime | None:
        """Due again after a pause, of `not_before` at the least, or given up after a day.

        `so_far` is what is done of it, for the next attempt. Returns until when the destination is
        better left alone.
        """
        now, work = self.clock(), claim.work
        if is_over(now - work.recorded_at, work.attempts):
            reason = f"given up after {work.attempts} attempts: {failure}"
            self.refused(claim, action, reason, may_have_arrived=may_have_arrived)
            return None
        wait_s = max(backoff_s(work.attempts, self.jitter()), failure.retry_after_s or 0.0)
        left_alone_until = now + timedelta(seconds=wait_s)
        due_at = max(left_alone_until, now + not_before)
        heard = self._is_late(claim, action, f"it could not be started: {failure}")
        log.warning(
            "not delivered yet",
            **_about(claim, action),
            reason=str(failure),
            due_at=due_at.isoformat(),
        )
        tried = _with(claim.tried, may_have_arrived=may_have_arrived)
        self._postpone(
            claim,
            due_at,
            str(failure),
            tried.and_now(now, Outcome.NOT_YET, str(failure)),
            so_far=so_far,
            heard=heard,
        )
        return left_alone_until

    def waits(self, claim: Claim, action: Action, due_at: datetime, reason: str) -> None:
        """Due again at `due_at`; nothing was tried, and it counts as no attempt."""
        heard = self._is_late(claim, action, f"it could not be started: {reason}")
        self._postpone(claim, due_at, reason, claim.tried, counted=False, heard=heard)

    def unreadable(self, claim: Claim, failure: TemporaryFailure) -> None:
        """What this version of the program cannot read waits for one that can, for a day."""
        now = self.clock()
        if now - claim.work.recorded_at >= GIVE_UP_AFTER:
            self.given_up(claim, str(failure))
            return
        log.error("action unreadable", action=claim.work.key, reason=str(failure))
        due_at = now + timedelta(seconds=backoff_s(claim.work.attempts, self.jitter()))
        tried = claim.tried.and_lost().and_now(now, Outcome.NOT_YET, str(failure))
        self._postpone(claim, due_at, str(failure), tried)

    def refused(
        self, claim: Claim, action: Action, reason: str, *, may_have_arrived: bool = False
    ) -> None:
        """A dead letter, with all that says what could not be done.

        Who is to hear of a refresh that does not end well hears of one that could not begin.
        """
        heard: Sequence[Action] = ()
        if action.verb is Verb.REFRESH:
            end = End(Ending.REFUSED, reason[:ANSWER_LIMIT])
            heard = RefreshEnds(self.ledger).record(action, end, self.clock())
        if action.verb is Verb.CLOSE and action.episode_key not in reason:
            reason = f"{reason}; close the alert {action.episode_key} by hand"
        attributes = {
            "destination": action.destination,
            "verb": str(action.verb),
            "episode": action.episode_key,
        }
        self.given_up(claim, reason, attributes, may_have_arrived=may_have_arrived, heard=heard)

    def given_up(
        self,
        claim: Claim,
        reason: str,
        attributes: Mapping[str, str] | None = None,
        *,
        may_have_arrived: bool = False,
        heard: Sequence[Action] = (),
    ) -> None:
        """A dead letter; if that cannot be left now, due again."""
        work, now = claim.work, self.clock()
        log.error("refused for good", action=work.key, reason=reason)
        tried = _with(claim.tried, may_have_arrived=may_have_arrived)
        tried = tried.and_now(now, Outcome.REFUSED, reason)
        result = {"reason": reason[:ANSWER_LIMIT]}
        told = {"content": "action", "action": work.key, **(attributes or {})}
        try:
            self.dead_letters.leave(encode(work.body), told, reason)
        except TemporaryFailure as failure:
            due_at = now + timedelta(seconds=backoff_s(work.attempts, self.jitter()))
            reason = f"{reason}; not among the dead letters: {failure}"
            self._postpone(claim, due_at, reason, tried, heard=heard)
            return
        except Failure as failure:
            log.error("not among the dead letters", action=work.key, reason=str(failure))
            result["dead_letters"] = str(failure)[:ANSWER_LIMIT]
        self._settle(claim, Outcome.REFUSED, tried, result, heard=heard)

    def _is_late(self, claim: Claim, action: Action, reason: str) -> Sequence[Action]:
        """Have it told that a refresh did not begin in time; it is tried on all the same."""
        timeout = timedelta(seconds=action.timeout_s)
        if (
            action.verb is Verb.REFRESH
            and timeout
            and self.clock() >= claim.work.recorded_at + timeout
        ):
            end = End(Ending.TIMED_OUT, f"{reason[:ANSWER_LIMIT]} (after {said(timeout)})")
            return RefreshEnds(self.ledger).record(action, end, self.clock())
        return ()

    def _settle(
        self,
        claim: Claim,
        outcome: Outcome,
        tried: Tried,
        told: Mapping[str, Any],
        then: Sequence[Work] = (),
        heard: Sequence[Action] = (),
    ) -> bool:
        result = {"outcome": str(outcome), **told, **tried.told_at_last(), **claim.heard(heard)}
        # a replay does not do again what was done
        result |= {"so_far": asdict(claim.so_far)} if claim.so_far else {}
        now, key = self.clock(), claim.work.key
        if then:
            return self.ledger.decide([], then, Settlement(key, claim.owner, now, result))
        return self.ledger.settle(key, owner=claim.owner, now=now, result=result)

    def _postpone(
        self,
        claim: Claim,
        due_at: datetime,
        reason: str,
        tried: Tried,
        *,
        counted: bool = True,
        so_far: Handle | None = None,
        heard: Sequence[Action] = (),
    ) -> None:
        done = so_far or claim.so_far
        result = {"reason": reason[:ANSWER_LIMIT], **tried.told(), **claim.heard(heard)}
        result |= {"so_far": asdict(done)} if done else {}
        self.ledger.postpone(
            claim.work.key, owner=claim.owner, due_at=due_at, result=result, counted=counted
        )


def _with(tried: Tried, *, may_have_arrived: bool) -> Tried:
    return tried.and_perhaps_arrived() if may_have_arrived else tried.and_lost()


def _about(claim: Claim, action: Action) -> dict[str, object]:
    return {
        "action": action.key,
        "destination": action.destination,
        "verb": action.verb,
        "run": action.message.facts.get("run_id"),
        "attempt": claim.work.attempts,
    }
