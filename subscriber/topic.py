"""A Pub/Sub topic that takes one message at a time: dead letters, and what is published again.

Source: https://cloud.google.com/pubsub/docs/publisher
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import PermanentFailure, TemporaryFailure
from shared.settings import NO_CREDENTIALS

PUBLISH_TIMEOUT_S = 5.0


class Topic:
    """The topic whose full name `name` returns; `called` and `setting` are for people.

    Google's client is made once on first use: after the fork, by whichever thread comes first.
    """

    def __init__(self, called: str, setting: str, name: Callable[[], str]) -> None:
        self._called = called
        self._setting = setting
        self._name = name
        self._making = threading.Lock()
        self._client: Any = None

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> None:
        """Return once Pub/Sub has the message.

        Raises TemporaryFailure if the topic cannot be reached now, PermanentFailure if there is
        none or we may not publish to it. A repeat publishes a second copy.
        """
        # imported here: half a second that is paid only when something has gone wrong
        from google.api_core import exceptions
        from google.api_core.retry import Retry, if_exception_type
        from google.auth.exceptions import GoogleAuthError

        topic = self._name()
        message = {"data": data, "attributes": dict(attributes)}
        try:
            self._connected().publish(
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
                f"the {self._called} {topic} takes nothing ({type(refusal).__name__}): create "
                f"it and give this account roles/pubsub.publisher on it, or set {self._setting}"
            ) from None
        except exceptions.InvalidArgument:
            raise PermanentFailure(f"the {self._called} {topic}: not valid, or too large") from None
        except GoogleAuthError:
            raise PermanentFailure(NO_CREDENTIALS) from None
        except (exceptions.RetryError, exceptions.ServiceUnavailable, exceptions.DeadlineExceeded):
            raise TemporaryFailure(f"the {self._called}: Pub/Sub does not answer") from None
        except exceptions.GoogleAPICallError as error:
            raise TemporaryFailure(f"the {self._called}: {type(error).__name__}") from None

    def _connected(self) -> Any:
        # not the client of google.cloud.pubsub: attributes are keyword arguments of its publish,
        # and a message whose attribute is named `topic` or `timeout` could never be published
        from google.pubsub_v1 import PublisherClient

        with self._making:
            if self._client is None:
                self._client = PublisherClient()
            return self._client
