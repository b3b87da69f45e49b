"""Messages: what is published, and the copy of it that goes to the dead letters."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from lab.pubsub import names

SOURCE = "CloudPubSubDeadLetterSource"


class Content(NamedTuple):
    """What a publisher says."""

    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str = ""


class Message(NamedTuple):
    """A content that the service has taken. `id` is decimal digits, unique in this server."""

    id: str
    published_at: datetime
    content: Content


def dead_letter(message: Message, subscription: str, attempts: int) -> Content:
    """What is forwarded once `subscription` has refused `message` `attempts` times.

    Source: https://cloud.google.com/pubsub/docs/handling-failures#dead_letter_topic
    """
    data, attributes, ordering_key = message.content
    told = {
        f"{SOURCE}Subscription": names.short(subscription),
        f"{SOURCE}SubscriptionProject": names.project(subscription),
        f"{SOURCE}DeliveryCount": str(attempts),
        f"{SOURCE}TopicPublishTime": message.published_at.isoformat(timespec="milliseconds"),
    }
    return Content(data, {**attributes, **told}, ordering_key)
