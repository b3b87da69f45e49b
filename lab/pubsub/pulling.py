"""What pulling one call at a time and pulling over a stream have in common."""

from datetime import UTC
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.pubsub_v1.types import pubsub

from lab.pubsub.backlog import Lease
from lab.pubsub.broker import Broker
from lab.pubsub.names import short
from lab.pubsub.refusals import not_for_push, not_found
from lab.pubsub.resources import Subscription

ANSWER_LIMIT = 1_000  # messages
ANSWER_LIMIT_BYTES = 1_000_000
"""An answer ends with the message that reaches it: clients by default take 4 MB in all."""

ReceivedMessage = pubsub.ReceivedMessage.pb()
PubsubMessage = pubsub.PubsubMessage.pb()


def check(subscription: Subscription) -> None:
    """Raise Refused if it has been deleted, or has become one that is pushed."""
    if subscription.is_deleted:
        raise not_found(short(subscription.name))
    if subscription.settings.push is not None:
        raise not_for_push(short(subscription.name))


async def wait(broker: Broker, subscription: Subscription, until: float) -> None:
    """Until something may have become due, at the latest `until`."""
    backlog = subscription.backlog
    at = min(backlog.next_due_at(), backlog.next_end_at(), until)
    await subscription.bell.wait(at - broker.clock())


def received(lease: Lease) -> Any:
    """The lease as who pulls it receives it."""
    message = lease.message
    published_at = Timestamp()
    published_at.FromDatetime(message.published_at.astimezone(UTC))
    return ReceivedMessage(
        ack_id=lease.ack_id,
        message=PubsubMessage(
            data=message.content.data,
            attributes=message.content.attributes,
            message_id=message.id,
            publish_time=published_at,
            ordering_key=message.content.ordering_key,
        ),
        delivery_attempt=lease.attempt,
    )
