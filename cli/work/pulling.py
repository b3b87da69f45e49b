"""Pulling: the subscription that events are pulled from, and what is wrong with it if it cannot be.

Source: https://cloud.google.com/pubsub/docs/pull
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cli.work.streaming import CALL_S, EXTEND_EVERY_S, LEASE_S, Stream, Taken, retry
from shared.errors import Failure, Mistake, PermanentFailure, TemporaryFailure

_DELETED_TOPIC = "_deleted-topic_"
_CHANNEL = (("grpc.max_receive_message_length", -1), ("grpc.keepalive_time_ms", 30_000))


class Opened(Protocol):
    """A stream, as `cli.work.streaming.Stream` is one."""

    def failure(self) -> Failure | Mistake | None: ...

    def close(self, within_s: float) -> bool: ...


class Pulls(Protocol):
    """Where messages are pulled from."""

    def check(self) -> None:
        """Raise a Failure or a Mistake unless a stream can be opened, as far as can be seen."""

    def open(self, taken: Taken, ended: Callable[[], None]) -> Opened:
        """Have `taken` called with each message; `ended` once no more will come."""


@dataclass(frozen=True)
class Subscription:
    """`name` and `topic` are full names, `host` the host:port of an emulator, None for Google's."""

    name: str
    topic: str
    host: str | None = None
    lease_s: int = LEASE_S
    extend_every_s: float = EXTEND_EVERY_S

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
                    subscription=self.name, retry=retry(CALL_S), timeout=CALL_S
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

    def open(self, taken: Taken, ended: Callable[[], None]) -> Stream:
        """As Pulls'. Raises PermanentFailure where there are no credentials."""
        return Stream(
            self._connected(),
            self.name,
            self._failure,
            taken,
            ended,
            lease_s=self.lease_s,
            extend_every_s=self.extend_every_s,
        )

    def _connected(self) -> Any:
        import google.auth
        import grpc
        from google.auth.exceptions import GoogleAuthError
        from google.pubsub_v1 import SubscriberClient
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


def _no_credentials() -> PermanentFailure:
    return PermanentFailure(
        "there are no Google credentials here that can be used; on your own machine: gcloud auth "
        "application-default login; on a server: set GOOGLE_APPLICATION_CREDENTIALS to the key "
        "file of a service account"
    )
