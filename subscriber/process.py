"""The story of an event: record it, decide on it, act; or leave it due for a tick."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from shared import event as events
from shared import log
from shared.errors import PermanentFailure, TemporaryFailure
from shared.event import Content, UnreadableEvent
from subscriber.dead_letters import DeadLetters
from subscriber.decisions import Decisions, event_key
from subscriber.deliveries import Deliveries
from subscriber.ledger.contract import Kind, Ledger, Work
from subscriber.push import Delivered

TICK_LIMIT = 200  # pieces of work taken up at once; the next tick takes the next
TICK_S = 45.0  # no further event is taken up after this; the next tick is a minute later


@dataclass(frozen=True)
class Processor:
    """Takes what Pub/Sub delivers. Safe to share between threads, and to be given things twice."""

    ledger: Ledger
    decisions: Decisions
    deliveries: Deliveries
    dead_letters: DeadLetters
    clock: Callable[[], datetime]

    def take(self, delivered: Delivered) -> None:
        """Return once Pub/Sub may forget the message.

        Raises TemporaryFailure if it could not even be recorded: then it must come again.
        """
        if delivered.attributes.get("content") == Content.TICK:
            self.tick()
            return
        now = self.clock()
        try:
            event = events.read(delivered.data)
            key = event_key(event)
            body = {"event": delivered.data.decode(), "message_id": delivered.id}
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
        self._take_up(key)

    def tick(self) -> None:
        """Take up what is due: retries, leases that ran out, metadata that was not there yet."""
        until = time.monotonic() + TICK_S
        try:
            due = self.ledger.due(self.clock(), TICK_LIMIT)
        except TemporaryFailure as failure:
            log.warning("the ledger does not answer a tick", reason=str(failure))
            return
        log.debug("tick", due=len(due))
        # neither slow destinations nor a slow dbt Cloud shall hold up the other
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tick") as pool:
            delivering = pool.submit(self.deliveries.deliver, _actions(due))
            for work in due:
                if work.kind is Kind.EVENT and time.monotonic() < until:
                    self._take_up(work.key)
            delivering.result()

    def _take_up(self, key: str) -> None:
        try:
            actions = self.decisions.on(key)
        except TemporaryFailure as failure:
            # recorded it is: due again when its lease has run out
            log.warning("the ledger does not answer", event=key, reason=str(failure))
        else:
            self.deliveries.deliver([(action.destination, action.key) for action in actions])

    def _leave(self, delivered: Delivered, reason: UnreadableEvent | PermanentFailure) -> None:
        """Dead-letter what can never be decided on, once, and record that it came."""
        key = f"unreadable/{events.event_id(delivered.data)}"
        if self.ledger.work(key) is not None:
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


def _actions(due: Sequence[Work]) -> list[tuple[str, str]]:
    return [(str(work.body["destination"]), work.key) for work in due if work.kind is Kind.ACTION]
