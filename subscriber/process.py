"""The story of an event: record it, decide on it, act; or leave it due for a tick."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from shared import event as events
from shared import log
from shared.errors import Mistake, PermanentFailure, TemporaryFailure
from shared.event import Content
from subscriber.dead_letters import DeadLetters
from subscriber.decisions import Decisions, event_key
from subscriber.deliveries import Deliveries
from subscriber.ledger.contract import Kind, Ledger, Work
from subscriber.push import Delivered
from subscriber.spelling import Spelling
from subscriber.waking import Waking

EVENT_LIMIT_BYTES = 800_000  # of an event as the ledger keeps it, which takes 900,000 in all
TICK_PAGE = 50  # pieces of work taken up at a time: each may hold almost a megabyte
TICK_S = 45.0  # nothing further is taken up after this; the next tick is a minute later


@dataclass(frozen=True)
class Processor:
    """Takes what Pub/Sub delivers. Safe to share between threads, and to be given things twice."""

    ledger: Ledger
    decisions: Decisions
    waking: Waking
    deliveries: Deliveries
    dead_letters: DeadLetters
    clock: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    spelling: Spelling | None = None

    def take(self, delivered: Delivered) -> None:
        """Return once Pub/Sub may forget the message.

        Raises TemporaryFailure or Mistake if it could not even be recorded: then it must come
        again. Whatever fails after that is due again on a tick.
        """
        if delivered.attributes.get("content") == Content.TICK:
            self.tick()
            if self.spelling is not None:
                self.spelling.check()
            return
        now = self.clock()
        try:
            event = events.read(delivered.data)
            key = event_key(event)
            said = events.shortened(delivered.data, event, EVENT_LIMIT_BYTES)
            body = {"event": said, "message_id": delivered.id}
            self.ledger.record(Work(key, Kind.EVENT, body, recorded_at=now, due_at=now))
        except PermanentFailure as reason:
            self._leave(delivered, reason)
            return
        log.info(
            "event recorded",
            event=event.id,
            event_type=event.type,
            run=event.run_id,
            message_id=delivered.id,
            delivery_attempt=delivered.attempt or None,
        )
        self._take_up(key, Kind.EVENT)

    def tick(self) -> None:
        """Take up what is due: retries, leases that ran out, metadata that was not there yet,
        refreshes to look at, alerts that were held, reminders, silences and digests whose time has
        come.
        """
        until = self.monotonic() + TICK_S
        seen: set[str] = set()
        while self.monotonic() < until:
            try:
                page = self.ledger.due(self.clock(), TICK_PAGE)
            except (TemporaryFailure, Mistake) as failure:
                log.warning("the ledger does not answer a tick", reason=str(failure))
                return
            due = [work for work in page if work.key not in seen]
            if not due:
                return
            seen.update(work.key for work in due)
            log.debug("tick", due=len(due))
            self._take_up_all(due, until)

    def _take_up_all(self, due: Sequence[Work], until: float) -> None:
        # neither slow destinations nor a slow dbt Cloud shall hold up the other
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tick") as pool:
            actions = [
                (str(work.body["destination"]), work.key)
                # a start that is refused because one is on the way shall not come before that one
                for work in sorted(due, key=lambda work: work.kind is not Kind.FOLLOW)
                if work.kind in (Kind.ACTION, Kind.FOLLOW)
            ]
            delivering = pool.submit(self.deliveries.deliver, actions, until=until)
            for work in due:
                if work.kind in (Kind.EVENT, Kind.TIMER) and self.monotonic() < until:
                    self._take_up(work.key, work.kind)
            delivering.result()

    def _take_up(self, key: str, kind: Kind) -> None:
        """Decide on what is due and deliver what follows. Raises nothing: it is recorded."""
        decides = self.waking if kind is Kind.TIMER else self.decisions
        try:
            actions = decides.on(key)
        except (TemporaryFailure, Mistake) as failure:
            log.warning("the ledger does not answer", work=key, reason=str(failure))
        except Exception as error:  # noqa: BLE001 - one event shall not hold up those behind it
            log.bug("it could not be decided on", error, work=key)
        else:
            self.deliveries.deliver([(action.destination, action.key) for action in actions])

    def _leave(self, delivered: Delivered, reason: PermanentFailure) -> None:
        """Dead-letter what can never be decided on, once, and record that it came."""
        key = f"unreadable/{delivered.id or events.event_id(delivered.data)}"
        if self.ledger.work(key) is not None:
            log.info("unreadable message known already", message_id=delivered.id)
            return
        result = {"outcome": "unreadable", "reason": str(reason)}
        try:
            self.dead_letters.leave(delivered.data, delivered.attributes, str(reason))
        except PermanentFailure as failure:
            log.error("not among the dead letters", message_id=delivered.id, reason=str(failure))
            result["dead_letters"] = str(failure)
        log.error("unreadable message", message_id=delivered.id, reason=str(reason))
        now = self.clock()
        body = {"message_id": delivered.id, "size_bytes": len(delivered.data)}
        self.ledger.record(Work(key, Kind.EVENT, body, recorded_at=now, due_at=None, result=result))
