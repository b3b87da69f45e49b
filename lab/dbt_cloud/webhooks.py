"""The sender of webhooks: signs events, posts them, and tries again as dbt Cloud does.

Source: https://docs.getdbt.com/docs/deploy/webhooks
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.dbt_cloud import events, posting
from lab.dbt_cloud.events import Event, EventType
from lab.dbt_cloud.posting import TIMEOUT_S
from lab.dbt_cloud.state import Run
from lab.dbt_cloud.subscriptions import PAUSES_S
from lab.timeline import Timeline

SIDE = "dbt Cloud"

NOT_SIGNED_WITH_IT = "0" * 64


@dataclass(frozen=True)
class Delivery:
    """An event on its way to one URL: the status of each attempt, None without an answer."""

    event: Event
    statuses: tuple[int | None, ...]

    @property
    def succeeded(self) -> bool:
        return _is_success(self.statuses[-1])


class Webhooks:
    """A sender that no API knows: to whom, and with which secret, is said each time.

    Safe to use from several threads.
    """

    def __init__(
        self,
        timeline: Timeline,
        *,
        name: str = "Afterrun",
        pauses_s: Sequence[float] = PAUSES_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.id = events.new_id("wsu")
        self.name = name
        self.pauses_s = tuple(pauses_s)
        self._timeout_s = timeout_s
        self._timeline = timeline
        self._deliveries: list[Delivery] = []
        self._lock = threading.Lock()

    @property
    def deliveries(self) -> list[Delivery]:
        """All that have ended, in that order."""
        with self._lock:
            return list(self._deliveries)

    def event(self, run: Run, event_type: EventType) -> Event:
        """A new event about `run` as it is now, not sent yet."""
        return events.of(run, event_type, webhook_id=self.id, webhook_name=self.name)

    def send(self, run: Run, event_type: EventType, url: str, secret: str) -> Delivery:
        """Send a new event about `run`; returns once it was taken or the retries are used up."""
        return self.deliver(self.event(run, event_type), url, secret)

    def send_test(self, url: str, secret: str, *, signed: bool = True) -> Delivery:
        """What the button "Test endpoint" does; whether it signs is not documented. One attempt."""
        event = events.endpoint_test(datetime.now(UTC), webhook_id=self.id, webhook_name=self.name)
        signature = posting.sign(event.body, secret) if signed else None
        return self._ended(Delivery(event, (self._post(event, url, signature),)))

    def deliver(self, event: Event, url: str, secret: str) -> Delivery:
        """Send `event`, and again up to five times; called twice, it is a duplicate."""
        signature = posting.sign(event.body, secret)
        answers = [self._post(event, url, signature)]
        for pause_s in self.pauses_s:
            if _is_success(answers[-1]):
                break
            time.sleep(pause_s)
            answers.append(self._post(event, url, signature))
        return self._ended(Delivery(event, tuple(answers)))

    def forge(
        self, event: Event, url: str, signature: str | None = NOT_SIGNED_WITH_IT
    ) -> int | None:
        """Post `event` as somebody else might, without the secret (None: without the header)."""
        return self._post(event, url, signature, by="Somebody")

    def _post(self, event: Event, url: str, signature: str | None, by: str = SIDE) -> int | None:
        status = posting.post(url, event.body, signature, self._timeout_s).status
        said = "no answer" if status is None else str(status)
        self._timeline.saw(
            by, f"sent {event.type}: {said}", event=event.id, type=event.type, status=said
        )
        return status

    def _ended(self, delivery: Delivery) -> Delivery:
        with self._lock:
            self._deliveries.append(delivery)
        return delivery


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300
