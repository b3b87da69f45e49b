"""One topic of Google Cloud Pub/Sub, as the publisher needs it.

Source: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#publisher
"""

import asyncio
from collections.abc import Sequence
from typing import cast

import google.auth
import grpc
from google.api_core import exceptions
from google.api_core.retry import AsyncRetry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherAsyncClient, PublishRequest
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.types import PubsubMessage

from function.publisher import RefusedMessages
from function.webhook import Message
from shared.errors import Failure, PermanentFailure, TemporaryFailure
from shared.settings import GoogleProject, topic_path

SEND_LIMIT_S = 4.5
SCOPE = "https://www.googleapis.com/auth/pubsub"

# without these, a connection that was refused for a minute is tried again only after another
CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

_Message = PubsubMessage.pb()
_Request = PublishRequest.pb()

_RETRY = AsyncRetry(
    predicate=if_exception_type(
        exceptions.ServiceUnavailable,
        exceptions.Aborted,
        exceptions.InternalServerError,
        exceptions.Unknown,
    ),
    initial=0.1,
    maximum=0.5,
    multiplier=2.0,
    timeout=SEND_LIMIT_S,
)


class PubSubTopic:
    """The topic `name`, short or full. Its client is made on first use, in the loop that uses it.

    `host` is the host:port of an emulator, None for Google's service and its credentials.
    """

    def __init__(self, name: str, project: GoogleProject, host: str | None) -> None:
        self._name = name  # the full one, once there is a client
        self._project = project
        self._host = host
        self._client: PublisherAsyncClient | None = None
        self._connecting: asyncio.Task[PublisherAsyncClient] | None = None

    async def send(self, messages: Sequence[Message]) -> list[str]:
        """As function.publisher.Topic's, within 4.5 s, retries included."""
        try:
            # bounded from outside: the library's own limits bound an attempt, or overrun by one
            async with asyncio.timeout(SEND_LIMIT_S):
                client = await self._connected()
                answer = await client.publish(
                    request=self._request(messages), retry=_RETRY, timeout=SEND_LIMIT_S
                )
        except TimeoutError:
            raise TemporaryFailure(f"no answer from Pub/Sub within {SEND_LIMIT_S} s") from None
        except (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError) as error:
            raise self._failure(error) from None
        ids = list(answer.message_ids)
        if len(ids) != len(messages):
            raise TemporaryFailure("Pub/Sub's answer does not name every message")
        return ids

    async def ready(self, limit_s: float) -> None:
        """As a Publisher's: return once there is a connection."""
        try:
            async with asyncio.timeout(limit_s):
                transport = (await self._connected()).transport
                await cast(PublisherGrpcAsyncIOTransport, transport).grpc_channel.channel_ready()
        except TimeoutError:
            raise TemporaryFailure("no connection to Pub/Sub") from None

    def _request(self, messages: Sequence[Message]) -> PublishRequest:
        # the plain protobuf classes inside: the library's wrappers take several times as long
        plain = _Request(
            topic=self._name,
            messages=[_Message(data=one.data, attributes=one.attributes) for one in messages],
        )
        return cast(PublishRequest, PublishRequest.wrap(plain))

    def _failure(self, error: Exception) -> Failure:
        match error:
            case exceptions.InvalidArgument():
                return RefusedMessages(f"Pub/Sub calls a message for {self._name} invalid")
            case exceptions.NotFound():
                return PermanentFailure(
                    f"there is no topic {self._name}: create it, or set PUBSUB_TOPIC to another"
                )
            case exceptions.PermissionDenied() | exceptions.Unauthenticated():
                return PermanentFailure(
                    f"this account may not publish to {self._name}: it needs roles/pubsub.publisher"
                )
            case exceptions.RetryError(cause=Exception() as last):
                return TemporaryFailure(f"Pub/Sub, tried again until now: {type(last).__name__}")
        return TemporaryFailure(f"Pub/Sub: {type(error).__name__}")

    async def _connected(self) -> PublisherAsyncClient:
        if self._client is None:
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.create_task(self._connect())
            # who gives up waiting leaves it to the others, and to the next request
            self._client = await asyncio.shield(self._connecting)
        return self._client

    async def _connect(self) -> PublisherAsyncClient:
        # threads: to find out project and credentials may mean to ask the metadata server
        self._name = await asyncio.to_thread(topic_path, self._name, self._project)
        if self._host is not None:
            channel = grpc.aio.insecure_channel(self._host, options=CHANNEL_OPTIONS)
            return PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        try:
            credentials, _ = await asyncio.to_thread(google.auth.default, scopes=[SCOPE])
        except GoogleAuthError:
            raise PermanentFailure(
                "there are no Google credentials here: run as a service account, "
                "or set GOOGLE_APPLICATION_CREDENTIALS"
            ) from None
        channel = PublisherGrpcAsyncIOTransport.create_channel(
            credentials=credentials, options=CHANNEL_OPTIONS
        )
        return PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
