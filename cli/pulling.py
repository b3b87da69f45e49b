"""Pulling: the messages of a subscription, handed over as they come, by Google's own client.

Their leases are extended for as long as they are being taken. A stream that breaks has ended: the
client would open it again by itself, but may then leave a second one open that leases messages and
that nobody reads, and says nothing of it.

Sources: https://cloud.google.com/pubsub/docs/pull#streamingpull,
https://cloud.google.com/pubsub/docs/lease-management
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shared.errors import Failure, Mistake, PermanentFailure, TemporaryFailure

if TYPE_CHECKING:
    from cli.breaks import Breaks

THREADS = 16  # messages that are taken at once; none further is leased, others may have it
BYTES_LIMIT = 20_000_000  # of all that are being taken; one has 10 MB at most
EXTENSION_S = (
    20  # a lease is no longer at a time: what a process that dies had taken comes again then
)
CALL_S = 10.0

_DELETED_TOPIC = "_deleted-topic_"
_CHANNEL = (("grpc.max_receive_message_length", -1), ("grpc.keepalive_time_ms", 30_000))


class Pulled(Protocol):
    """A message as the client hands it over. It is one of the two, once."""

    message_id: str
    data: bytes
    attributes: Any
    delivery_attempt: int | None

    def ack(self) -> None: ...

    def nack(self) -> None: ...


class Stream(Protocol):
    """Messages coming in. It is closed in any case, once it has ended or is to."""

    def failure(self) -> Failure | Mistake | None:
        """Why it ended; None while it goes on."""

    def close(self, within_s: float) -> bool:
        """Let no more come in, and wait for what is being taken; False if that takes longer."""


class Pulls(Protocol):
    """Where messages are pulled from."""

    def check(self) -> None:
        """Raise a Failure or a Mistake unless a stream can be opened, as far as can be seen."""

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
            with self._connected() as client:
                found = client.get_subscription(
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
        from cli.breaks import Breaks

        breaks = Breaks(ended)
        return _Stream(self._connected(breaks), self.name, breaks, self._failure, taken)

    def _connected(self, *interceptors: Any) -> Any:
        import google.auth
        import grpc
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.pubsub_v1 import SubscriberClient
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

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
        channel = grpc.intercept_channel(channel, *interceptors)
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))

    def _failure(self, error: BaseException) -> Failure | Mistake:
        """What Pub/Sub refused or could not do, in our words, with what mends it."""
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        match error:
            case Failure():
                return error
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


class _Stream:
    """A call to Pub/Sub, and all that the client does around it; `client` is its own."""

    def __init__(
        self,
        client: Any,
        name: str,
        breaks: "Breaks",
        explained: Callable[[BaseException], Failure | Mistake],
        taken: Callable[[Pulled], None],
    ) -> None:
        from google.cloud.pubsub_v1.subscriber.scheduler import ThreadScheduler
        from google.cloud.pubsub_v1.types import FlowControl

        self._client = client
        self._breaks = breaks
        self._explained = explained
        self._future = client.subscribe(
            name,
            taken,
            flow_control=FlowControl(
                max_messages=THREADS,
                max_bytes=BYTES_LIMIT,
                max_duration_per_lease_extension=EXTENSION_S,
            ),
            scheduler=ThreadScheduler(ThreadPoolExecutor(THREADS, thread_name_prefix="take")),
            await_callbacks_on_shutdown=True,
        )
        # without a call that ended, as when acknowledging has failed for ten minutes
        self._future.add_done_callback(lambda _: breaks.ended())

    def failure(self) -> Failure | Mistake | None:
        error = self._breaks.first
        if error is None and self._future.done():
            error = self._future.exception() or TemporaryFailure("the stream has ended")
        return self._explained(error) if error is not None else None

    def close(self, within_s: float) -> bool:
        self._future.cancel()
        try:
            self._future.exception(timeout=within_s)
        except TimeoutError:
            return False
        finally:
            # with the connection, whatever the client may have opened again
            self._client.close()
        return True


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
