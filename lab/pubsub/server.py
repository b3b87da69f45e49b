"""The lab's Pub/Sub: a server on a free loopback port, for as long as a block lasts.

Google's own clients reach it through PUBSUB_EMULATOR_HOST. It behaves as the real service where
Google's emulator does not: filters, limits of attributes, dead letters with `deliveryAttempt`,
202 as an acknowledgement, signed push tokens, many pushes at a time. What it does not have, it
refuses with UNIMPLEMENTED: ordered and exactly-once delivery, pushes without wrapper, seeking.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.pubsub_v1.types import StreamingPullRequest

from lab.faults import Faults
from lab.pubsub import publisher, rpc, streaming, subscriber, tokens
from lab.pubsub.broker import Broker
from lab.pubsub.limits import Limits
from lab.pubsub.publisher import Publisher
from lab.pubsub.pushing import Delivery
from lab.pubsub.resources import Resources, Subscription
from lab.pubsub.subscriber import Subscriber
from lab.pubsub.switches import PushSwitches
from lab.pubsub.tokens import Signer
from lab.serve import serve
from lab.timeline import Timeline

STOP_TIMEOUT_S = 5.0

OPTIONS = (
    ("grpc.so_reuseport", 0),  # else two servers may share a port in silence
    ("grpc.max_receive_message_length", -1),  # so that our own limit answers
)


@dataclass(frozen=True)
class Running:
    """A server that runs. `host` is what PUBSUB_EMULATOR_HOST is set to.

    `certs_url` serves the certificates that push tokens are verified with. `faults` are faults of
    gRPC calls, in order; one for `path="/Publish"` waits for the next publish. Their status is
    HTTP's: 503 becomes UNAVAILABLE, 429 RESOURCE_EXHAUSTED, 403 PERMISSION_DENIED. `lost` stores
    what was published and answers UNAVAILABLE. `pushes` holds pushes, or doubles them.
    """

    host: str
    certs_url: str
    faults: Faults
    pushes: PushSwitches
    resources: Resources

    def undelivered(self, subscription: str) -> int:
        """How many messages `subscription` holds that are not acknowledged; 0 if there is none."""
        found = self.resources.subscriptions.get(subscription)
        return 0 if found is None else len(found.backlog)


@dataclass(frozen=True)
class PubSub:
    """What a server is started with; `limits` may be lowered by tests that cannot wait."""

    timeline: Timeline | None = None
    limits: Limits = field(default_factory=Limits)
    pushes_in_flight: int = 16
    """How many pushes of one subscription are under way at a time."""

    @contextmanager
    def running(self) -> Iterator[Running]:
        """Serve within the block. At its end calls and pushes that are under way are cut off."""
        signer, faults, switches = Signer(), Faults(), PushSwitches()
        resources = Resources()
        server = _Server(self, resources, faults, switches, signer)
        with (
            serve(tokens.certificates_app(signer)) as base_url,
            ThreadPoolExecutor(1, thread_name_prefix="pubsub") as thread,
        ):
            ended = thread.submit(asyncio.run, server.run())
            first: list[Future[Any]] = [server.started, ended]
            wait(first, return_when=FIRST_COMPLETED)
            if ended.done():
                ended.result()
            host = f"127.0.0.1:{server.started.result()}"
            certs_url = base_url + tokens.CERTS_PATH
            try:
                yield Running(host, certs_url, faults, switches, resources)
            finally:
                if not ended.done():
                    server.stop()
                ended.result(STOP_TIMEOUT_S)


class _Server:
    """The event loop's side of it."""

    def __init__(
        self,
        made: PubSub,
        resources: Resources,
        faults: Faults,
        switches: PushSwitches,
        signer: Signer,
    ) -> None:
        self.started: Future[int] = Future()
        self._made = made
        self._broker = Broker(resources, timeline=made.timeline)
        self._faults = faults
        self._switches = switches
        self._signer = signer
        self._deliveries: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._group: asyncio.TaskGroup

    def stop(self) -> None:
        """From any thread, while it runs."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._switches.on_change(self._ring_all)
        async with asyncio.TaskGroup() as group:
            self._group = group
            server = grpc.aio.server(options=OPTIONS)
            server.add_generic_rpc_handlers(self._handlers())
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            self.started.set_result(port)
            try:
                await self._stopping.wait()
            finally:
                self._switches.on_change(lambda: None)
                await server.stop(grace=None)
                for delivery in self._deliveries:
                    delivery.cancel()

    def _handlers(self) -> tuple["grpc.GenericRpcHandler[Any, Any]", ...]:
        broker, bounds, faults = self._broker, self._made.limits, self._faults
        subscribing = Subscriber(broker, bounds, self._deliver)

        async def stream(requests: rpc.Requests, context: streaming.Context) -> None:
            await streaming.StreamingPull(broker, bounds).run(requests, context)

        return (
            rpc.unary(publisher.SERVICE, Publisher(broker).methods(), faults),
            rpc.unary(subscriber.SERVICE, subscribing.methods(), faults),
            rpc.stream(subscriber.SERVICE, streaming.METHOD, StreamingPullRequest, stream, faults),
        )

    def _deliver(self, subscription: Subscription) -> None:
        delivery = Delivery(
            self._broker,
            subscription,
            switches=self._switches,
            signer=self._signer,
            in_flight=self._made.pushes_in_flight,
            longest_pause_s=self._made.limits.longest_push_pause_s,
        )
        task = self._group.create_task(delivery.run())
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    def _ring_all(self) -> None:
        self._loop.call_soon_threadsafe(self._ring_each)

    def _ring_each(self) -> None:
        for subscription in self._broker.resources.subscriptions.values():
            subscription.bell.ring()
