"""Google's own clients on a lab's Pub/Sub, with short ways to say what tests say often."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient

from lab.pubsub.limits import Limits
from lab.pubsub.server import Running
from lab.timeline import Moment, Timeline

PROJECT = "projects/lab"
WAIT_S = 10.0

QUICK = Limits(
    shortest_ack_deadline_s=1,
    shortest_retention_s=1,
    fewest_delivery_attempts=2,
    longest_push_pause_s=0.1,
)


@dataclass(frozen=True)
class Clients:
    server: Running
    timeline: Timeline
    publisher: PublisherClient
    subscriber: SubscriberClient

    @classmethod
    @contextmanager
    def on(cls, server: Running, timeline: Timeline | None = None) -> Iterator["Clients"]:
        """Clients of `server`, which PUBSUB_EMULATOR_HOST must name."""
        with PublisherClient() as publisher, SubscriberClient() as subscriber:
            yield cls(server, timeline or Timeline(), publisher, subscriber)

    def a_topic(self, name: str = "events") -> str:
        return str(self.publisher.create_topic(name=f"{PROJECT}/topics/{name}").name)

    def a_subscription(self, topic: str, name: str = "work", **settings: Any) -> str:
        request = {"name": f"{PROJECT}/subscriptions/{name}", "topic": topic, **settings}
        return str(self.subscriber.create_subscription(request=request).name)

    def publish(self, topic: str, *messages: dict[str, Any]) -> list[str]:
        """The ids of `messages`, published in one request; by default of one message."""
        said = list(messages) or [{"data": b"hello"}]
        return list(
            self.publisher.publish({"topic": topic, "messages": said}, retry=None).message_ids
        )

    def pull(self, subscription: str, limit: int = 10) -> list[Any]:
        """Messages that are due, after waiting for a first one."""
        answer = self.subscriber.pull(
            subscription=subscription, max_messages=limit, timeout=WAIT_S, retry=None
        )
        return list(answer.received_messages)

    def has_nothing_due(self, subscription: str) -> bool:
        request = {"subscription": subscription, "max_messages": 1, "return_immediately": True}
        with pytest.deprecated_call():
            return not self.subscriber.pull(request=request).received_messages

    def nack(self, subscription: str, *ack_ids: str) -> None:
        self.subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=list(ack_ids), ack_deadline_seconds=0
        )

    def moments(self, what: str, count: int = 1) -> list[Moment]:
        """The moments that begin with `what`, once there are `count` of them."""

        def seen(moments: list[Moment]) -> list[Moment]:
            return [each for each in moments if each.what.startswith(what)]

        assert self.timeline.wait(lambda moments: len(seen(moments)) >= count, WAIT_S), what
        return seen(self.timeline.moments)
