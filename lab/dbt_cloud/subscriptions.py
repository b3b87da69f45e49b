"""The webhooks of an account: what each is about, and what was sent to it and answered.

Source: https://docs.getdbt.com/docs/deploy/webhooks
"""

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lab.dbt_cloud import events, posting
from lab.dbt_cloud.events import Event, EventType
from lab.dbt_cloud.posting import Posted
from lab.dbt_cloud.state import Run
from lab.dbt_cloud.subscription_request import Wanted
from lab.timeline import Timeline

PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Before each of the five retries; the real schedule is not published, and longer."""

FAILURES_LIMIT = 1_000
FAILING_LIMIT = timedelta(days=7)


@dataclass(frozen=True)
class Receipt:
    """One attempt to deliver an event."""

    id: str
    event: Event
    at: datetime
    posted: Posted


@dataclass
class Subscription:
    """A webhook. `failed_since` is when the first of its latest `failures` in a row ended."""

    id: str
    wanted: Wanted
    secret: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    active: bool = True
    deactivate_reason: str = ""
    failures: int = 0
    failed_since: datetime | None = None
    events: list[Event] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    def is_about(self, run: Run, event_type: str) -> bool:
        jobs = self.wanted.job_ids
        return event_type in self.wanted.event_types and (not jobs or run.job.id in jobs)

    def of_event(self, event_id: str) -> list[Receipt]:
        return [receipt for receipt in self.receipts if receipt.event.id == event_id]


class Subscriptions:
    """By id, in the order in which they were made. Safe to use from several threads.

    `signs_tests` is whether a test is signed, which is not documented. After `failures_limit`
    deliveries in a row that failed, or a week of them, a subscription is deactivated.
    """

    def __init__(
        self,
        timeline: Timeline,
        clock: Callable[[], datetime],
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self.pauses_s = tuple(pauses_s)
        self.timeout_s = posting.TIMEOUT_S
        self.signs_tests = True
        self.failures_limit = FAILURES_LIMIT
        self._timeline = timeline
        self._clock = clock
        self._kept: dict[str, Subscription] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def all(self) -> list[Subscription]:
        with self._lock:
            return list(self._kept.values())

    def get(self, subscription_id: str) -> Subscription | None:
        with self._lock:
            return self._kept.get(subscription_id)

    def create(self, wanted: Wanted) -> Subscription:
        now = self._clock()
        made = Subscription(
            id=events.new_id("wsu"),
            wanted=wanted,
            secret=secrets.token_hex(20),
            created_at=now,
            updated_at=now,
            active=wanted.active,
        )
        with self._lock:
            self._kept[made.id] = made
        return made

    def replace(self, subscription: Subscription, wanted: Wanted) -> None:
        """Make it as it is wanted; another URL makes it active again."""
        was = subscription.wanted
        subscription.wanted = wanted
        subscription.active = wanted.active or wanted.client_url != was.client_url
        subscription.updated_at = self._clock()
        if subscription.active:
            subscription.deactivate_reason = ""
            subscription.failures, subscription.failed_since = 0, None

    def delete(self, subscription_id: str) -> None:
        with self._lock:
            del self._kept[subscription_id]

    def tell(self, run: Run, event_type: EventType) -> list[Event]:
        """Send what happened to `run` to all that are about it; returns once each has ended."""
        told = []
        for subscription in self.all:
            if subscription.active and subscription.is_about(run, event_type):
                event = events.of(
                    run,
                    event_type,
                    webhook_id=subscription.id,
                    webhook_name=subscription.wanted.name,
                )
                self._deliver(subscription, event)
                told.append(event)
        return told

    def test(self, subscription: Subscription) -> Receipt:
        """Send it a sample, once."""
        event = events.endpoint_test(
            self._clock(), webhook_id=subscription.id, webhook_name=subscription.wanted.name
        )
        with self._lock:
            subscription.events.append(event)
        return self._attempt(subscription, event, is_signed=self.signs_tests)

    def _deliver(self, subscription: Subscription, event: Event) -> None:
        with self._lock:
            subscription.events.append(event)
        receipt = self._attempt(subscription, event)
        for pause_s in self.pauses_s:
            if receipt.posted.was_taken:
                break
            time.sleep(pause_s)
            receipt = self._attempt(subscription, event)
        self._count(subscription, receipt)

    def _attempt(
        self, subscription: Subscription, event: Event, *, is_signed: bool = True
    ) -> Receipt:
        signature = posting.sign(event.body, subscription.secret) if is_signed else None
        at = self._clock()
        posted = posting.post(subscription.wanted.client_url, event.body, signature, self.timeout_s)
        with self._lock:
            receipt = Receipt(f"wre_{next(self._numbers)}", event, at, posted)
            subscription.receipts.append(receipt)
        said = "no answer" if posted.status is None else str(posted.status)
        self._timeline.saw(
            "dbt Cloud", f"sent {event.type}: {said}", event=event.id, type=event.type, status=said
        )
        return receipt

    def _count(self, subscription: Subscription, last: Receipt) -> None:
        """Deactivate it if this delivery was one failed one too many."""
        if last.posted.was_taken:
            subscription.failures, subscription.failed_since = 0, None
            return
        subscription.failures += 1
        subscription.failed_since = subscription.failed_since or last.at
        is_too_long = self._clock() - subscription.failed_since >= FAILING_LIMIT
        if subscription.failures >= self.failures_limit or is_too_long:
            subscription.active = False
            subscription.deactivate_reason = (
                f"Deactivated after {subscription.failures} consecutive failed deliveries"
            )
