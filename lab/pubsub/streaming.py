"""Pulling over a stream: messages go out as they become due, as many as the client has room for.

Source: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#streamingpullrequest
"""

import asyncio
import math
from typing import Any

from google.pubsub_v1.types import pubsub

from lab.pubsub import pulling, settings
from lab.pubsub.backlog import Lease
from lab.pubsub.broker import Broker
from lab.pubsub.limits import Limits
from lab.pubsub.refusals import Refused, invalid
from lab.pubsub.resources import Subscription
from lab.pubsub.rpc import Requests

METHOD = "StreamingPull"

StreamingPullResponse = pubsub.StreamingPullResponse.pb()

Context = Any
"""A grpc.aio.ServicerContext."""


class StreamingPull:
    """One call; made anew for each."""

    def __init__(self, broker: Broker, bounds: Limits) -> None:
        self._broker = broker
        self._bounds = bounds
        self._subscription: Subscription
        self._lease_s = 0.0
        self._limit = math.inf
        self._limit_bytes = math.inf
        self._outstanding: dict[str, int] = {}
        self._refused: Refused | None = None
        self._is_over = False

    async def run(self, requests: Requests, context: Context) -> None:
        """Until the client has nothing more to say, or the subscription is gone."""
        first = await anext(requests, None)
        if first is None:
            raise invalid("A stream begins with a request that names a subscription.")
        self._open(first)
        listening = asyncio.create_task(self._listen(requests))
        try:
            await self._send(context)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def _open(self, first: Any) -> None:
        self._subscription = self._broker.resources.subscription(first.subscription)
        pulling.check(self._subscription)
        settings.check_ack_deadline(first.stream_ack_deadline_seconds, self._bounds)
        if first.max_outstanding_messages > 0:
            self._limit = first.max_outstanding_messages
        if first.max_outstanding_bytes > 0:
            self._limit_bytes = first.max_outstanding_bytes
        self._apply(first)

    async def _listen(self, requests: Requests) -> None:
        try:
            async for request in requests:
                self._apply(request)
        except Refused as refused:
            self._refused = refused
        finally:
            self._is_over = True
            self._subscription.bell.ring()

    def _apply(self, request: Any) -> None:
        if request.stream_ack_deadline_seconds:
            settings.check_ack_deadline(request.stream_ack_deadline_seconds, self._bounds)
            self._lease_s = request.stream_ack_deadline_seconds
        if len(request.modify_deadline_ack_ids) != len(request.modify_deadline_seconds):
            raise invalid("There must be as many deadlines as ack ids to modify.")
        for ack_id in request.ack_ids:
            self._broker.acknowledge(self._subscription, ack_id)
        modified = zip(
            request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True
        )
        for ack_id, seconds in modified:
            self._broker.extend(self._subscription, ack_id, seconds)

    async def _send(self, context: Context) -> None:
        properties = StreamingPullResponse.SubscriptionProperties()
        await context.write(StreamingPullResponse(subscription_properties=properties))
        while not self._is_over:
            pulling.check(self._subscription)
            batch = self._batch()
            if batch:
                messages = [pulling.received(lease) for lease in batch]
                await context.write(StreamingPullResponse(received_messages=messages))
            else:
                await self._wait()
        if self._refused is not None:
            raise self._refused

    async def _wait(self) -> None:
        if self._room() > 0 and self._room_bytes() > 0:
            await pulling.wait(self._broker, self._subscription, math.inf)
        else:
            ends_at = self._subscription.backlog.next_end_at()
            await self._subscription.bell.wait(ends_at - self._broker.clock())

    def _batch(self) -> list[Lease]:
        self._forget_settled()
        batch = self._broker.lease(
            self._subscription,
            min(self._room(), pulling.ANSWER_LIMIT),
            lease_s=self._lease_s,
            limit_bytes=min(self._room_bytes(), pulling.ANSWER_LIMIT_BYTES),
        )
        sizes = {lease.ack_id: len(lease.message.content.data) for lease in batch}
        self._outstanding |= sizes
        return batch

    def _room(self) -> float:
        return self._limit - len(self._outstanding)

    def _room_bytes(self) -> float:
        return self._limit_bytes - sum(self._outstanding.values())

    def _forget_settled(self) -> None:
        is_leased, now = self._subscription.backlog.is_leased, self._broker.clock()
        self._outstanding = {
            ack_id: size for ack_id, size in self._outstanding.items() if is_leased(ack_id, now)
        }
