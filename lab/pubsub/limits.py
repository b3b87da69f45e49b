"""Limits of the real service, and which of its times a test may shorten.

Source: https://cloud.google.com/pubsub/quotas#resource_limits
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.pubsub.messages import Content
from lab.pubsub.refusals import invalid

PUBLISH_LIMIT = 1_000  # messages in a request
PUBLISH_LIMIT_BYTES = 10_000_000  # a request, and so the data of a message
ATTRIBUTES_LIMIT = 100
KEY_LIMIT_BYTES = 256
VALUE_LIMIT_BYTES = 1_024
ORDERING_KEY_LIMIT_BYTES = 1_024
LONGEST_ACK_DEADLINE_S = 600
LONGEST_RETENTION_S = 31 * 86_400
SHORTEST_EXPIRATION_S = 86_400
LONGEST_RETRY_DELAY_S = 600
MOST_DELIVERY_ATTEMPTS = 100


@dataclass(frozen=True)
class Limits:
    """The lower ends, as in the real service unless a test that cannot wait lowers them."""

    shortest_ack_deadline_s: int = 10
    shortest_retention_s: float = 600
    fewest_delivery_attempts: int = 5
    longest_push_pause_s: float = 60
    """How long refusals can make the pushes of a whole subscription pause (push backoff)."""


def check_request(size_bytes: int, count: int) -> None:
    """Raise Refused if a publish request of this size with `count` messages is not accepted."""
    if size_bytes > PUBLISH_LIMIT_BYTES:
        raise invalid(f"Request payload size exceeds the limit: {PUBLISH_LIMIT_BYTES} bytes.")
    if not 1 <= count <= PUBLISH_LIMIT:
        raise invalid(f"A request holds 1 to {PUBLISH_LIMIT} messages; this one has {count}.")


def check_contents(contents: Sequence[Content]) -> None:
    """Raise Refused if one of `contents` breaks a limit; the whole request fails with it."""
    for content in contents:
        if not content.data and not content.attributes:
            raise invalid("Some messages are empty: data or an attribute is required.")
        if content.attributes:
            _check_attributes(content.attributes)
        if content.ordering_key and _exceeds(content.ordering_key, ORDERING_KEY_LIMIT_BYTES):
            raise invalid(f"An ordering key exceeds {ORDERING_KEY_LIMIT_BYTES} bytes.")


def _check_attributes(attributes: Mapping[str, str]) -> None:
    if len(attributes) > ATTRIBUTES_LIMIT:
        raise invalid(f"A message has more than {ATTRIBUTES_LIMIT} attributes.")
    for key, value in attributes.items():
        if _exceeds(key, KEY_LIMIT_BYTES):
            raise invalid(f"An attribute's key exceeds {KEY_LIMIT_BYTES} bytes.")
        if key.startswith("goog"):
            raise invalid('An attribute\'s key begins with "goog".')
        if _exceeds(value, VALUE_LIMIT_BYTES):
            raise invalid(f"The value of attribute {key} exceeds {VALUE_LIMIT_BYTES} bytes.")


def _exceeds(text: str, limit_bytes: int) -> bool:
    # a character takes at most four bytes, so short texts need not be encoded
    return len(text) * 4 > limit_bytes and len(text.encode()) > limit_bytes
