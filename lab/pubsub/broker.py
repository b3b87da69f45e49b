"""The broker: moves what is published into the backlogs, and from there on. No I/O."""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from lab.pubsub import limits, messages, names
from lab.pubsub.backlog import Lease
from lab.pubsub.messages import Content, Message
from lab.pubsub.resources import Resources, Subscription
from lab.timeline import Timeline

SIDE = "Pub/Sub"
TOLD = ("content", "event_id", "event_type", "run_id")
"""Attributes that a moment of the timeline repeats, where a message has them."""


class Broker:
    """What happens to messages. For one thread; times come from the clock that is handed in."""

    def __init__(
        self,
        resources: Resources,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeline: Timeline | None = None,
    ) -> None:
        self.resources = resources
        self.clock = clock
        self._wall = wall
        self._timeline = timeline
        # from the time, so that a server started later never gives an id anew
        self._ids = itertools.count(time.time_ns() // 1_000)

    def publish(self, topic: str, contents: Sequence[Content]) -> list[str]:
        """Take `contents` for every subscription that wants them; their ids, in order."""
        self.resources.topic(topic)
        limits.check_contents(contents)
        return self._take(topic, contents)

    def acknowledge(self, subscription: Subscription, ack_id: str) -> None:
        subscription.backlog.acknowledge(ack_id, self.clock())
        subscription.bell.ring()

    def refuse(self, subscription: Subscription, ack_id: str) -> None:
        subscription.backlog.refuse(ack_id, self.clock())
        self._forward(subscription)
        subscription.bell.ring()

    def extend(self, subscription: Subscription, ack_id: str, seconds: int) -> None:
        """Let a lease end `seconds` from now; 0 refuses the message."""
        if seconds == 0:
            self.refuse(subscription, ack_id)
            return
        subscription.backlog.extend(ack_id, self.clock(), lease_s=seconds)
        subscription.bell.ring()

    def lease(
        self,
        subscription: Subscription,
        limit: float,
        *,
        lease_s: float = math.inf,
        limit_bytes: float = math.inf,
    ) -> list[Lease]:
        """At most `limit` messages that are due now; see Backlog.take."""
        self.expire(subscription)
        leases = subscription.backlog.take(
            limit, self.clock(), lease_s=lease_s, limit_bytes=limit_bytes
        )
        for message in subscription.backlog.outlived():
            self.saw("dropped after its retention", message, subscription=subscription.name)
        if leases:
            subscription.bell.ring()
        return leases

    def expire(self, subscription: Subscription) -> None:
        """Refuse what was not settled in time."""
        subscription.backlog.expire(self.clock())
        self._forward(subscription)

    def saw(self, what: str, message: Message, **facts: str) -> None:
        """Tell the timeline, if there is one, what happened to `message`."""
        if self._timeline is None:
            return
        attributes = message.content.attributes
        told = {name: attributes[name] for name in TOLD if name in attributes}
        self._timeline.saw(SIDE, what, message_id=message.id, **facts, **told)

    def _take(self, topic: str, contents: Sequence[Content]) -> list[str]:
        now, at = self.clock(), self._wall()
        taken = [Message(str(next(self._ids)), at, content) for content in contents]
        for subscription in self.resources.of_topic(topic):
            wants, add = subscription.settings.wants, subscription.backlog.add
            for message in taken:
                if wants(message.content.attributes):
                    add(message, now)
            subscription.bell.ring()
        for message in taken:
            self.saw(f"published to {names.short(topic)}", message, topic=topic)
        return [message.id for message in taken]

    def _forward(self, subscription: Subscription) -> None:
        policy = subscription.settings.dead_letters
        for message, attempts in subscription.backlog.spent():
            if policy is None:
                continue
            facts = {"subscription": subscription.name, "topic": policy.topic}
            if policy.topic not in self.resources.topics:
                # never lost: it is sent again, and tried again after its next refusal
                self.saw("could not be dead-lettered", message, **facts)
                continue
            copy = messages.dead_letter(message, subscription.name, attempts)
            subscription.backlog.drop(message)
            self.saw("dead-lettered", message, **facts, attempts=str(attempts))
            self._take(policy.topic, [copy])
