"""Dead letters: what was refused for good, with the reason, on a topic of its own."""

from collections.abc import Callable, Mapping
from typing import Protocol

from shared.attributes import cut
from subscriber.topic import Topic

ATTRIBUTES_LIMIT = 90  # Pub/Sub takes 100; ours come on top of those a message had
NAME_LIMIT_BYTES = 256

# Pub/Sub adds these by itself, and takes no message that brings a name with `goog`
_ADDED_BY_PUBSUB = ("CloudPubSubDeadLetter", "goog")


class DeadLetters(Protocol):
    """Where to leave what nobody can deal with."""

    def leave(self, data: bytes, attributes: Mapping[str, str], reason: str) -> None:
        """Keep `data`, saying why it is here.

        Raises TemporaryFailure if the topic cannot be reached now, PermanentFailure if there is
        none or we may not publish to it. A repeat leaves a second copy.
        """


class PubsubDeadLetters:
    """Dead letters on the Pub/Sub topic whose full name `topic` returns."""

    def __init__(self, topic: Callable[[], str]) -> None:
        self._topic = Topic("dead-letter topic", "DEAD_LETTER_TOPIC", topic)

    def leave(self, data: bytes, attributes: Mapping[str, str], reason: str) -> None:
        self._topic.publish(data, marked(attributes, reason))


def marked(attributes: Mapping[str, str], reason: str) -> dict[str, str]:
    """`attributes` within Pub/Sub's limits, with the reason; not those that Pub/Sub added."""
    kept = {
        cut(name, NAME_LIMIT_BYTES): cut(value)
        for name, value in unmarked(attributes).items()
        if name
    }
    return dict(list(kept.items())[:ATTRIBUTES_LIMIT]) | {"reason": cut(reason)}


def unmarked(attributes: Mapping[str, str]) -> dict[str, str]:
    """`attributes` as the message had them: not the reason, nor those that Pub/Sub added."""
    return {
        name: value
        for name, value in attributes.items()
        if name != "reason" and not name.startswith(_ADDED_BY_PUBSUB)
    }
