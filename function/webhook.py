"""What a webhook becomes: the message that is published, its body as it came and attributes.

Subscriptions filter on attributes, so they are short texts that are easy to compare. One that
exceeds Pub/Sub's limit would fail every message that is published in the same request.

Source: https://cloud.google.com/pubsub/quotas#resource_limits
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared import event as events
from shared.attributes import cut
from shared.event import Content, RunEvent, UnreadableEvent


@dataclass(frozen=True)
class Message:
    """`data` is the webhook's raw body."""

    data: bytes
    attributes: Mapping[str, str]

    @property
    def event_id(self) -> str:
        return self.attributes["event_id"]

    @property
    def size_bytes(self) -> int:
        """What it counts for in a request: never less than its bytes on the wire."""
        attributes = sum(len(key) + len(value) + 16 for key, value in self.attributes.items())
        return len(self.data) + 4 * attributes + 64


def message(body: bytes, received_at: datetime) -> Message:
    """The message for `body`, an authentic webhook's raw body, received at `received_at` (aware).

    A body that tells of no run is published too, marked `content=unreadable`. An attribute that
    would be empty is left out. Never raises, whatever the bytes.
    """
    try:
        attributes = _attributes(events.read(body))
    except UnreadableEvent:
        attributes = {"event_id": events.event_id(body), "content": Content.UNREADABLE.value}
    attributes["received_at"] = received_at.isoformat(timespec="milliseconds")
    return Message(body, attributes)


def _attributes(event: RunEvent) -> dict[str, str]:
    told = {
        "event_id": event.id,
        "event_type": event.type,
        "account_id": event.account_id,
        "job_id": event.job_id,
        "run_id": event.run_id,
        "environment_id": event.environment_id,
        "status_code": "" if event.status_code is None else str(event.status_code),
        "content": Content.EVENT.value,
    }
    return {key: cut(value) for key, value in told.items() if value}
