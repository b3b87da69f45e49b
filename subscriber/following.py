"""Following: a refresh that was started is looked at until it ends, and how it ended recorded."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shared import log
from shared.errors import PermanentFailure, TemporaryFailure
from subscriber import credentials
from subscriber.attempting import ATTEMPT_S, CREDENTIAL
from subscriber.credentials import Read
from subscriber.destination import Destination
from subscriber.durations import said
from subscriber.endings import Claim
from subscriber.follow import Follow, next_look
from subscriber.ledger.contract import Ledger, Settlement
from subscriber.outbound import Outbound, Refused
from subscriber.patience import GIVE_UP_ATTEMPTS, backoff_s
from subscriber.progress import Done, Failed, Looks, Progress, Running
from subscriber.refresh_ends import RefreshEnds
from subscriber.refreshes import End, Ending

OVERDUE = timedelta(days=1)  # what cannot even be asked for that long ends all the same
REASON_LIMIT = 500  # characters of what a vendor says


@dataclass(frozen=True)
class Following:
    """One look at a claimed follow; the claim is let go of, or the ledger's failure raised."""

    destinations: Mapping[str, Destination]
    ledger: Ledger
    outbound: Outbound
    secret: Read
    secret_anew: Read
    clock: Callable[[], datetime]
    jitter: Callable[[], float]

    def look(self, claim: Claim, busy_until: datetime | None = None) -> datetime | None:
        """Look once, unless its destination is busy. Returns until when that is better left alone.

        Raises WrittenByNewer for what only another version of the program can read.
        """
        follow, now = Follow.of(claim.work), self.clock()
        if now >= follow.ends_by + OVERDUE and claim.work.attempts > GIVE_UP_ATTEMPTS:
            reason = f"it is not known how it ended: {claim.work.attempts} looks came to nothing"
            self._end(claim, follow, Ending.TIMED_OUT, reason)
            return None
        if busy_until is not None and now < follow.ends_by:
            self._again(claim, follow, min(busy_until, follow.ends_by), "its destination is busy")
            return busy_until
        configured = self.destinations.get(follow.refresh.destination)
        looks = configured.looks if configured else None
        if configured is None or looks is None or configured.kind() != follow.kind:
            reason = "its destination has left the configuration, or is of another kind now"
            self._end(claim, follow, Ending.LOST, reason)
            return None
        try:
            progress = self._progress(configured, follow)
        except TemporaryFailure as failure:
            return self._not_known(claim, follow, failure)
        except PermanentFailure as failure:
            self._end(claim, follow, Ending.LOST, f"it can no longer be asked for: {failure}")
            return None
        self._learnt(claim, follow, progress, looks)
        return None

    def _progress(self, configured: Destination, follow: Follow) -> Progress:
        ready = credentials.of_today(configured, self.secret)
        outbound = self.outbound.until(ATTEMPT_S)
        try:
            return ready.progress(follow.handle, outbound)
        except Refused as refused:
            if refused.status not in CREDENTIAL:
                raise
            anew = credentials.of_today(configured, self.secret_anew)
            if anew.destination == ready.destination:
                raise
            return anew.progress(follow.handle, outbound)

    def _learnt(self, claim: Claim, follow: Follow, progress: Progress, looks: Looks) -> None:
        match progress:
            case Done():
                self._end(claim, follow, Ending.DONE)
            case Failed(reason=reason):
                self._end(claim, follow, Ending.FAILED, reason)
            case Running(handle=handle):
                # another step begins with a first look of its own
                looked = 0 if handle else follow.looks + 1
                followed = replace(follow, handle=handle or follow.handle, looks=looked)
                now = self.clock()
                if now >= follow.ends_by:
                    took = said(follow.ends_by - follow.started_at)
                    self._end(claim, followed, Ending.TIMED_OUT, f"it has not ended within {took}")
                    return
                due_at = min(next_look(looks, looked, now), follow.ends_by)
                self._again(claim, followed, due_at, "it is running", counted=False)

    def _not_known(
        self, claim: Claim, follow: Follow, failure: TemporaryFailure
    ) -> datetime | None:
        now = self.clock()
        if now >= follow.ends_by:
            took = said(follow.ends_by - follow.started_at)
            reason = f"it is not known to have ended within {took}: {failure}"
            self._end(claim, follow, Ending.TIMED_OUT, reason)
            return None
        wait_s = max(backoff_s(claim.work.attempts, self.jitter()), failure.retry_after_s or 0.0)
        until = now + timedelta(seconds=wait_s)
        log.warning(
            "not known how far a refresh is",
            destination=follow.refresh.destination,
            reason=str(failure),
            due_at=until.isoformat(),
        )
        # who is to hear of it hears in time, though the vendor wants to be left alone for longer
        self._again(claim, follow, min(until, follow.ends_by), str(failure), counted=True)
        return until

    def _again(
        self,
        claim: Claim,
        follow: Follow,
        due_at: datetime,
        reason: str,
        *,
        counted: bool = False,
    ) -> None:
        result = _kept(follow) | {"reason": reason[:REASON_LIMIT]}
        self.ledger.postpone(
            claim.work.key, owner=claim.owner, due_at=due_at, result=result, counted=counted
        )

    def _end(self, claim: Claim, follow: Follow, ending: Ending, reason: str = "") -> None:
        now = self.clock()
        result = _kept(follow) | {"outcome": str(ending), "at": now.isoformat()}
        result |= {"reason": reason[:REASON_LIMIT]}
        settles = Settlement(claim.work.key, claim.owner, now, result)
        end = End(ending, reason[:REASON_LIMIT], follow.handle.url)
        RefreshEnds(self.ledger).record(follow.refresh, end, now, settles)


def _kept(follow: Follow) -> dict[str, Any]:
    return {"handle": asdict(follow.handle), "looks": follow.looks}
