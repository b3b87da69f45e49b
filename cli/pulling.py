"""Pulling: the messages of a subscription, handed over as they come, by Google's own client.

Its leases are extended for as long as a message is being taken. A stream that breaks is opened
again by the client, for ever; what Pub/Sub refuses ends it.

Sources: https://cloud.google.com/pubsub/docs/pull#streamingpull,
https://cloud.google.com/pubsub/docs/lease-management
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from shared import log
from shared.errors import Failure, Mistake, PermanentFailure, TemporaryFailure

THREADS = 16  # messages that are taken at once; none further is leased, others may have it
BYTES_LIMIT = 20_000_000  # of all that are being taken; one has 10 MB at most
EXTENSION_S = 60  # a lease is never longer: what a process that dies was taking comes again then
CALL_S = 10.0
TROUBLE_SAID_EVERY_S = 60.0

_DELETED_TOPIC = "_deleted-topic_"
_CHANNEL = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    # without these, a connection that was refused for a while is tried again only minutes later
    ("grpc.initial_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 10_000),
)


class Pulled(Protocol):
    """A message as the client hands it over. It is one of the two, once."""

    message_id: str
    data: bytes
    attributes: Any
    delivery_attempt: int | None

    def ack(self) -> None: ...

    def nack(self) -> None: ...


class Stream(Protocol):
    """Messages coming in."""

    def failure(self) -> Failure | Mistake | None:
        """Why it ended; None while it goes on."""

    def close(self, within_s: float) -> bool:
        """Let no more come in, and wait for what is being taken; False if that takes longer."""


class Pulls(Protocol):
    """Where messages are pulled from."""

    def open(self, taken: Callable[[Pulled], None], ended: Callable[[], None]) -> Stream:
        """Have `taken` called with each message, in threads; `ended` once no more will come."""


@dataclass(frozen=True)
class Subscription:
    """`name` and `topic` are full names, `host` the host:port of an emulator, None for Google's."""

    name: str
    topic: str
    host: str | None = None

    def check(self) -> None:
        """Raise unless it can be pulled from, as far as this account may look at it.

        Mistake says what to create or change; PermanentFailure: no credentials; TemporaryFailure:
        Pub/Sub does not answer.
        """
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        try:
            found = self._client.get_subscription(
                subscription=self.name, retry=_retry(), timeout=CALL_S
            )
        except exceptions.PermissionDenied:
            return  # whoever may only pull may not look; the stream will tell
        except (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError) as error:
            raise self._failure(error) from None
        push = found.push_config.push_endpoint
        if push or found.bigquery_config.table or found.cloud_storage_config.bucket:
            raise self._delivered_elsewhere()
        if found.topic == _DELETED_TOPIC or found.detached:
            raise Mistake(
                f"the subscription {self.name} has lost its topic and gets nothing any more; "
                f"delete it and create it anew: {self._creating}"
            )
        if found.topic != self.topic:
            raise Mistake(
                f"the subscription {self.name} is one of {found.topic}, not of {self.topic}: "
                "set PUBSUB_SUBSCRIPTION and PUBSUB_TOPIC to what belongs together"
            )

    def open(self, taken: Callable[[Pulled], None], ended: Callable[[], None]) -> Stream:
        """As Pulls'. Raises PermanentFailure where there are no credentials."""
        from google.cloud.pubsub_v1.subscriber.scheduler import ThreadScheduler
        from google.cloud.pubsub_v1.types import FlowControl

        future = self._client.subscribe(
            self.name,
            taken,
            flow_control=FlowControl(
                max_messages=THREADS,
                max_bytes=BYTES_LIMIT,
                max_duration_per_lease_extension=EXTENSION_S,
            ),
            scheduler=ThreadScheduler(ThreadPoolExecutor(THREADS, thread_name_prefix="take")),
            await_callbacks_on_shutdown=True,
        )
        future.add_done_callback(lambda _: ended())
        return _Stream(future, self._failure)

    @cached_property
    def _client(self) -> Any:
        import google.auth
        import grpc
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.pubsub_v1 import SubscriberClient
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

        _hear_of_broken_streams()
        if self.host is not None:
            channel = grpc.insecure_channel(self.host, options=_CHANNEL)
        else:
            try:
                credentials, _ = google.auth.default(scopes=SubscriberGrpcTransport.AUTH_SCOPES)
            except GoogleAuthError:
                raise _no_credentials() from None
            channel = SubscriberGrpcTransport.create_channel(
                credentials=credentials, options=_CHANNEL
            )
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))

    def _failure(self, error: BaseException) -> Failure | Mistake:
        """What Pub/Sub refused or could not do, in our words, with what mends it."""
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        match error:
            case exceptions.NotFound():
                return Mistake(
                    f"the subscription {self.name} does not exist; create it: {self._creating}; "
                    "or name another: --subscription, PUBSUB_SUBSCRIPTION"
                )
            case exceptions.PermissionDenied() | exceptions.Unauthenticated():
                return PermanentFailure(
                    f"the subscription {self.name} may not be pulled from; give this account the "
                    f"role: gcloud pubsub subscriptions add-iam-policy-binding {self.name} "
                    "--role=roles/pubsub.subscriber --member=serviceAccount:ACCOUNT"
                )
            case exceptions.FailedPrecondition():
                return self._delivered_elsewhere()
            case exceptions.InvalidArgument():
                return PermanentFailure(f"the subscription {self.name}: not a call it takes")
            case GoogleAuthError():
                return _no_credentials()
            case exceptions.RetryError(cause=Exception() as last):
                return self._failure(last)
        if "metadata from plugin" in str(error):
            return TemporaryFailure(
                "Google took no credentials of this machine, or could not be asked; see which "
                "these are: gcloud auth application-default print-access-token"
            )
        where = self.host or "pubsub.googleapis.com"
        return TemporaryFailure(
            f"Pub/Sub does not answer at {where} ({type(error).__name__}); is the network there?"
        )

    def _delivered_elsewhere(self) -> Mistake:
        return Mistake(
            f"the subscription {self.name} is pushed, or exported, by Pub/Sub and cannot be pulled "
            f"from; create one that can be: gcloud pubsub subscriptions create {self._short}-pull "
            f"{self._settings}, and name it: --subscription {self._short}-pull"
        )

    @property
    def _short(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def _creating(self) -> str:
        return f"gcloud pubsub subscriptions create {self.name} {self._settings}"

    @property
    def _settings(self) -> str:
        return f"--topic={self.topic} --ack-deadline=60 --expiration-period=never"


@dataclass(frozen=True)
class _Stream:
    future: Any
    explained: Callable[[BaseException], Failure | Mistake]

    def failure(self) -> Failure | Mistake | None:
        if not self.future.done():
            return None
        error = self.future.exception()
        return self.explained(error) if error else TemporaryFailure("the stream has ended")

    def close(self, within_s: float) -> bool:
        self.future.cancel()
        try:
            self.future.exception(timeout=within_s)
        except TimeoutError:
            return False
        return True


class _Trouble(logging.Handler):
    """The client says nothing of streams that break but to this logger of its; so do we, seldom."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at = -TROUBLE_SAID_EVERY_S

    def emit(self, record: logging.LogRecord) -> None:
        from google.api_core.exceptions import ServerError

        error = record.args[0] if isinstance(record.args, tuple) and record.args else None
        # a refusal ends the stream and is heard of there, as is that we have closed it ourselves
        is_due = time.monotonic() - self._said_at >= TROUBLE_SAID_EVERY_S
        if is_due and isinstance(error, ServerError):
            self._said_at = time.monotonic()
            log.warning(
                "the stream of Pub/Sub broke; it is opened again", reason=type(error).__name__
            )


def _hear_of_broken_streams() -> None:
    # documented: https://github.com/googleapis/python-pubsub#logging
    logger = logging.getLogger("subscriber-streams")
    logger.handlers[:] = [_Trouble()]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


def _no_credentials() -> PermanentFailure:
    return PermanentFailure(
        "there are no Google credentials here; on your own machine: gcloud auth "
        "application-default login; on a server: set GOOGLE_APPLICATION_CREDENTIALS to the key "
        "file of a service account"
    )


def _retry() -> Any:
    from google.api_core import exceptions
    from google.api_core.retry import Retry, if_exception_type

    return Retry(
        predicate=if_exception_type(
            exceptions.ServiceUnavailable, exceptions.Aborted, exceptions.InternalServerError
        ),
        initial=0.1,
        maximum=1.0,
        timeout=CALL_S,
    )
