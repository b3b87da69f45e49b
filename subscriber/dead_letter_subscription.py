"""The subscription that keeps the dead letters: leasing messages of it for a while.

Source: https://cloud.google.com/pubsub/docs/pull
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from shared.errors import Mistake, PermanentFailure, TemporaryFailure
from shared.settings import NO_CREDENTIALS
from subscriber.dead_letter import Message

LEASE_S = 180
"""How long a letter is hidden from others, unless it is given back before."""

WAIT_S = 4.0  # for a message that may be there; Pub/Sub does not say that there is none
CALL_S = 10.0  # every other call, its repetitions included
PAGE = 20  # messages a pull: they hold some kilobytes, or almost a megabyte, and WAIT_S is short
LEASES_LIMIT = 500  # a request has room for some 2,500

_DELETED_TOPIC = "_deleted-topic_"


class Letters(Protocol):
    """Who keeps the dead letters. Every call raises a Failure where it cannot be made."""

    def check(self) -> None:
        """Raise Mistake unless letters can be looked at and put back as they were."""

    def pull(self, limit: int) -> Sequence[Message]:
        """At most `limit` messages, in no order, hidden from others for LEASE_S; none if there is
        none that others do not hold. Waits a few seconds for a first one."""

    def give_back(self, leases: Sequence[str]) -> None:
        """Let others have these messages at once. Safe to repeat."""

    def take_away(self, lease: str) -> None:
        """Never see this message again. Safe to repeat; too late once its lease has run out."""


class DeadLetterSubscription:
    """`name` and `topic` return full names. Google's client is made on first use."""

    def __init__(
        self,
        name: Callable[[], str],
        topic: Callable[[], str],
        *,
        wait_s: float = WAIT_S,
        call_s: float = CALL_S,
    ) -> None:
        self._name = name
        self._topic = topic
        self._wait_s = wait_s
        self._call_s = call_s
        self._making = threading.Lock()
        self._client: Any = None

    def check(self) -> None:
        """Raises Mistake with the fix, PermanentFailure if we may not, TemporaryFailure."""
        with self._answering() as client:
            found = client.get_subscription(
                subscription=self._name(), retry=_retry(self._call_s), timeout=self._call_s
            )
        if found.topic not in (self._topic(), _DELETED_TOPIC):
            raise Mistake(
                f"the subscription {found.name} is one of {found.topic}, not of the dead letters: "
                "set DEAD_LETTER_SUBSCRIPTION and DEAD_LETTER_TOPIC to what belongs together"
            )
        if found.push_config.push_endpoint:
            raise Mistake(
                f"the subscription {found.name} pushes what it gets, so nothing is kept to be "
                "looked at: set DEAD_LETTER_SUBSCRIPTION to one that is pulled"
            )
        if found.dead_letter_policy.dead_letter_topic:
            raise Mistake(
                f"the subscription {found.name} gives letters away after a number of looks at "
                "them; let it keep them: gcloud pubsub subscriptions update "
                f"{found.name} --clear-dead-letter-policy"
            )

    def pull(self, limit: int) -> Sequence[Message]:
        from google.api_core import exceptions

        with self._answering() as client:
            try:
                pulled = client.pull(
                    subscription=self._name(),
                    max_messages=min(limit, PAGE),
                    retry=_retry(self._wait_s),
                    timeout=self._wait_s,
                ).received_messages
            except exceptions.DeadlineExceeded:
                return ()
            leases = [each.ack_id for each in pulled]
            if leases:
                # the subscription's own deadline may be no more than ten seconds
                self._deadline(client, leases, LEASE_S)
        return [
            Message(
                id=each.message.message_id,
                published_at=each.message.publish_time,
                data=each.message.data,
                attributes=dict(each.message.attributes),
                lease=each.ack_id,
            )
            for each in pulled
        ]

    def give_back(self, leases: Sequence[str]) -> None:
        with self._answering() as client:
            for first in range(0, len(leases), LEASES_LIMIT):
                self._deadline(client, leases[first : first + LEASES_LIMIT], 0)

    def take_away(self, lease: str) -> None:
        with self._answering() as client:
            client.acknowledge(
                subscription=self._name(),
                ack_ids=[lease],
                retry=_retry(self._call_s),
                timeout=self._call_s,
            )

    def _deadline(self, client: Any, leases: Sequence[str], seconds: int) -> None:
        client.modify_ack_deadline(
            subscription=self._name(),
            ack_ids=leases,
            ack_deadline_seconds=seconds,
            retry=_retry(self._call_s),
            timeout=self._call_s,
        )

    @contextmanager
    def _answering(self) -> Iterator[Any]:
        """The client, while the block lasts; what it raises becomes ours."""
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        name = self._name()
        try:
            yield self._connected()
        except exceptions.NotFound:
            raise Mistake(
                f"the subscription {name} does not exist, so nothing keeps the dead letters; those "
                f"left so far are lost. Create it: gcloud pubsub subscriptions create {name} "
                f"--topic={self._topic()} --message-retention-duration=31d "
                "--expiration-period=never --ack-deadline=60; or name another in "
                "DEAD_LETTER_SUBSCRIPTION"
            ) from None
        except exceptions.PermissionDenied:
            raise PermanentFailure(
                f"the subscription {name} may not be read: give this account "
                "roles/pubsub.subscriber and roles/pubsub.viewer on it: gcloud pubsub "
                f"subscriptions add-iam-policy-binding {name} --member=user:YOU "
                "--role=roles/pubsub.subscriber, and the same with --role=roles/pubsub.viewer"
            ) from None
        except GoogleAuthError:
            raise PermanentFailure(NO_CREDENTIALS) from None
        except exceptions.InvalidArgument:
            raise PermanentFailure(f"the subscription {name}: Pub/Sub takes no such call") from None
        except exceptions.RetryError:
            raise TemporaryFailure(f"the subscription {name}: Pub/Sub does not answer") from None
        except exceptions.GoogleAPICallError as error:
            raise TemporaryFailure(f"the subscription {name}: {type(error).__name__}") from None

    def _connected(self) -> Any:
        from google.pubsub_v1 import SubscriberClient

        with self._making:
            if self._client is None:
                self._client = SubscriberClient()
            return self._client


def _retry(timeout_s: float) -> Any:
    from google.api_core import exceptions
    from google.api_core.retry import Retry, if_exception_type

    return Retry(
        predicate=if_exception_type(
            exceptions.ServiceUnavailable,
            exceptions.Aborted,
            exceptions.InternalServerError,
            exceptions.Unknown,
        ),
        initial=0.1,
        maximum=1.0,
        timeout=timeout_s,
    )
