"""The queue: the topics and subscriptions of a deployment, made as `README.md` makes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import ExpirationPolicy

AUDIENCE = "https://afterrun-subscriber.lab"


@dataclass(frozen=True)
class Queue:
    """Topics and subscriptions of `project`; with `signed`, pushes carry a token."""

    project: str
    publisher: PublisherClient
    subscriber: SubscriberClient
    signed: bool = True

    @property
    def events(self) -> str:
        return f"projects/{self.project}/topics/dbt-cloud-events"

    @property
    def ticks(self) -> str:
        return f"projects/{self.project}/topics/dbt-cloud-ticks"

    @property
    def dead_letters(self) -> str:
        return f"projects/{self.project}/topics/dbt-cloud-events-dead-letters"

    @property
    def pusher(self) -> str:
        """The account in whose name events and ticks are pushed."""
        return f"afterrun-push@{self.project}.iam.gserviceaccount.com"

    def subscription(self, name: str) -> str:
        """The full name of a subscription."""
        return f"projects/{self.project}/subscriptions/{name}"

    def create_topics(self) -> None:
        """The three topics, and the subscription that keeps the dead letters."""
        for topic in (self.events, self.ticks, self.dead_letters):
            self.publisher.create_topic(name=topic)
        name = self.subscription("dbt-cloud-events-dead-letters")
        self.subscriber.create_subscription(
            request={
                "name": name,
                "topic": self.dead_letters,
                "ack_deadline_seconds": 60,
                # a deployment keeps them for 31 days; Google's emulator takes no more than 7
                "message_retention_duration": timedelta(days=7),
                "expiration_policy": ExpirationPolicy(),  # never
            }
        )

    def push_to(self, endpoint: str, number: int = 1) -> None:
        """Push events and ticks to `endpoint`; another `number` is another copy of all of them."""
        suffix = "" if number == 1 else f"-{number}"
        self._push(
            f"dbt-cloud-events{suffix}",
            self.events,
            endpoint,
            retry_policy={
                "minimum_backoff": {"seconds": 1},
                "maximum_backoff": {"seconds": 600},
            },
            dead_letter_policy={
                "dead_letter_topic": self.dead_letters,
                "max_delivery_attempts": 100,
            },
        )
        self._push(
            f"dbt-cloud-ticks{suffix}",
            self.ticks,
            endpoint,
            message_retention_duration={"seconds": 600},
        )

    def _push(self, name: str, topic: str, endpoint: str, **settings: Any) -> None:
        push: dict[str, Any] = {"push_endpoint": endpoint}
        if self.signed:
            push["oidc_token"] = {"service_account_email": self.pusher, "audience": AUDIENCE}
        self.subscriber.create_subscription(
            request={
                "name": self.subscription(name),
                "topic": topic,
                "push_config": push,
                "ack_deadline_seconds": 300,
                "expiration_policy": ExpirationPolicy(),  # never
                **settings,
            }
        )


@contextmanager
def connected(host: str, project: str, *, signed: bool = True) -> Iterator[Queue]:
    """A queue on the Pub/Sub at `host`, the lab's or Google's emulator, while the block lasts."""
    with grpc.insecure_channel(host) as channel:
        yield Queue(
            project,
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
            SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
            signed,
        )
