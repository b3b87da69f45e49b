"""Dead letters: what was refused for good, with the reason, on a topic of its own."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.attributes import cut
from shared.errors import PermanentFailure, TemporaryFailure

PUBLISH_TIMEOUT_S = 5.0
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


@dataclass(frozen=True)
class PubsubDeadLetters:
    """Dead letters on the Pub/Sub topic whose full name `topic` returns.

    Source: https://cloud.google.com/pubsub/docs/publisher
    """

    topic: Callable[[], str]
    _publisher: "_Publisher" = field(default_factory=lambda: _Publisher(), repr=False)

    def leave(self, data: bytes, attributes: Mapping[str, str], reason: str) -> None:
        # imported here: half a second that is paid only when something has gone wrong
        from google.api_core import exceptions
        from google.api_core.retry import Retry, if_exception_type
        from google.auth.exceptions import GoogleAuthError

        topic = self.topic()
        message = {"data": data, "attributes": marked(attributes, reason)}
        try:
            self._publisher.client().publish(
                request={"topic": topic, "messages": [message]},
                timeout=PUBLISH_TIMEOUT_S,
                retry=Retry(
                    predicate=if_exception_type(exceptions.ServiceUnavailable, exceptions.Aborted),
                    initial=0.1,
                    maximum=1.0,
                    timeout=PUBLISH_TIMEOUT_S,
                ),
            )
        except (exceptions.NotFound, exceptions.PermissionDenied) as refusal:
            raise PermanentFailure(
                f"the dead-letter topic {topic} takes nothing ({type(refusal).__name__}): create "
                "it and give this account roles/pubsub.publisher on it, or set DEAD_LETTER_TOPIC"
            ) from None
        except exceptions.InvalidArgument:
            raise PermanentFailure(
                f"the dead-letter topic {topic}: not valid, or too large"
            ) from None
        except GoogleAuthError:
            raise PermanentFailure("there are no Google credentials here") from None
        except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
            raise TemporaryFailure(f"the dead-letter topic: {type(error).__name__}") from None


class _Publisher:
    """Google's client, made once on first use: after the fork, by whichever thread comes first."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._client: Any = None

    def client(self) -> Any:
        # not the client of google.cloud.pubsub: attributes are keyword arguments of its publish,
        # and a message whose attribute is named `topic` or `timeout` could never be published
        from google.pubsub_v1 import PublisherClient

        with self._making:
            if self._client is None:
                self._client = PublisherClient()
            return self._client


def marked(attributes: Mapping[str, str], reason: str) -> dict[str, str]:
    """`attributes` within Pub/Sub's limits, with the reason; not those that Pub/Sub added."""
    kept = {
        cut(name, NAME_LIMIT_BYTES): cut(value)
        for name, value in attributes.items()
        if name and name != "reason" and not name.startswith(_ADDED_BY_PUBSUB)
    }
    return dict(list(kept.items())[:ATTRIBUTES_LIMIT]) | {"reason": cut(reason)}
