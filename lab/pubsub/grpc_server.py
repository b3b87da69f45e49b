"""The gRPC side of the server: one event loop, on a thread that the caller gives it."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import grpc
import grpc.aio
from google.pubsub_v1.types import StreamingPullRequest

from lab.faults import Faults
from lab.pubsub import publisher, rpc, streaming, subscriber
from lab.pubsub.broker import Broker
from lab.pubsub.limits import Limits
from lab.pubsub.publisher import Publisher
from lab.pubsub.resources import Subscription
from lab.pubsub.subscriber import Subscriber

OPTIONS = (
    ("grpc.so_reuseport", 0),  # else two servers may share a port in silence
    ("grpc.max_receive_message_length", -1),  # so that our own limit answers
)


class GrpcServer:
    """Serves `broker`, and runs what `deliver` makes for each subscription as long as it exists."""

    def __init__(
        self,
        broker: Broker,
        bounds: Limits,
        faults: Faults,
        deliver: Callable[[Subscription], Coroutine[Any, Any, None]],
    ) -> None:
        self.port: Future[int] = Future()
        self._broker = broker
        self._bounds = bounds
        self._faults = faults
        self._deliver = deliver
        self._deliveries: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._group: asyncio.TaskGroup

    async def run(self) -> None:
        """Serve until `stop`; `port` is known once it serves. What is under way then is cut off."""
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        async with asyncio.TaskGroup() as self._group:
            server = grpc.aio.server(options=OPTIONS)
            server.add_generic_rpc_handlers(self._handlers())
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            self.port.set_result(port)
            try:
                await self._stopping.wait()
            finally:
                await server.stop(grace=None)
                for delivery in self._deliveries:
                    delivery.cancel()

    def stop(self) -> None:
        """From any thread, while it serves."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def ring(self) -> None:
        """From any thread, while it serves: have every subscription look again at what is due."""
        self._loop.call_soon_threadsafe(self._ring_all)

    def _handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        broker, bounds, faults = self._broker, self._bounds, self._faults
        subscribing = Subscriber(broker, bounds, self._begin)

        async def stream(requests: rpc.Requests, context: streaming.Context) -> None:
            await streaming.StreamingPull(broker, bounds).run(requests, context)

        return (
            rpc.unary(publisher.SERVICE, Publisher(broker).methods(), faults),
            rpc.unary(subscriber.SERVICE, subscribing.methods(), faults),
            rpc.stream(subscriber.SERVICE, streaming.METHOD, StreamingPullRequest, stream, faults),
        )

    def _begin(self, subscription: Subscription) -> None:
        task = self._group.create_task(self._deliver(subscription))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    def _ring_all(self) -> None:
        for subscription in self._broker.resources.subscriptions.values():
            subscription.bell.ring()
