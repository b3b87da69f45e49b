"""The secrets that webhooks may be signed with: read when needed, and anew when they change."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from function.signature import Secret
from shared import log
from shared.errors import Failure, TemporaryFailure
from shared.secret_refs import SecretRef

REREAD_INTERVAL_S = 30.0  # so that wrong signatures cannot make us ask Secret Manager all the time
RETRY_INTERVAL_S = 2.0  # while there is no secret at all


@dataclass
class WebhookSecrets:
    """The active secrets among `refs`. For one event loop; safe to share between its tasks.

    `read_one` may block and is called in a thread; it raises Failure. `clock` counts seconds.
    """

    refs: Sequence[SecretRef]
    read_one: Callable[[SecretRef], str]
    clock: Callable[[], float]
    _active: dict[SecretRef, Secret] = field(default_factory=dict, repr=False)
    _reading: asyncio.Task[None] | None = None
    _read_at: float | None = None
    _reread_at: float | None = None

    async def active(self, limit_s: float) -> Sequence[Secret]:
        """Those that could be read, after waiting at most `limit_s` for them.

        Raises TemporaryFailure when there is none; tries again at most every two seconds.
        """
        if not self._active and self._is_due(self._read_at, RETRY_INTERVAL_S):
            self._read_at = self.clock()
            self._start_reading()
        if not self._active:
            await self._wait_for_reading(limit_s)
        if not self._active:
            raise TemporaryFailure("no webhook secret can be read" if self.refs else _NONE)
        return list(self._active.values())

    async def read_anew(self, limit_s: float) -> Sequence[Secret]:
        """What is active after another reading, for a signature that none of them matched.

        There is one reading in 30 seconds, shared by all who ask meanwhile; one that fails keeps
        what was read before, and so does one that takes longer than `limit_s`, until it ends.
        """
        if self._is_due(self._reread_at, REREAD_INTERVAL_S):
            self._reread_at = self.clock()
            self._start_reading()
        await self._wait_for_reading(limit_s)
        return list(self._active.values())

    def _is_due(self, last: float | None, interval_s: float) -> bool:
        return last is None or self.clock() - last >= interval_s

    def _start_reading(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all())

    async def _wait_for_reading(self, limit_s: float) -> None:
        if self._reading is not None and not self._reading.done():
            # it outlives whoever waits for it: others do, too, and so will the next request
            done, _ = await asyncio.wait({self._reading}, timeout=limit_s)
            for reading in done:
                reading.result()

    async def _read_all(self) -> None:
        if not self.refs:
            log.error("no webhook can be verified", reason=_NONE)
            return
        outcomes = await asyncio.gather(*(asyncio.to_thread(self._read, ref) for ref in self.refs))
        failures = [str(outcome) for outcome in outcomes if isinstance(outcome, Failure)]
        if failures:
            log.error("webhook secrets cannot be read", reasons=failures)
        self._active |= {
            ref: Secret(str(ref), outcome.encode())
            for ref, outcome in zip(self.refs, outcomes, strict=True)
            if isinstance(outcome, str)
        }

    def _read(self, ref: SecretRef) -> str | Failure:
        try:
            return self.read_one(ref)
        except Failure as failure:
            return failure


_NONE = (
    "no webhook secret is configured: set WEBHOOK_SECRETS to where dbt Cloud's secret is kept, "
    "for example secret:dbt-cloud-webhook"
)
