"""The lab's Pub/Sub: a server on a free loopback port, for as long as a block lasts.

Google's own clients reach it through PUBSUB_EMULATOR_HOST. It behaves as the real service where
Google's emulator does not: filters, limits of attributes, dead letters with `deliveryAttempt`,
202 as an acknowledgement, signed push tokens, many pushes at a time. What it does not have, it
refuses with UNIMPLEMENTED: ordered and exactly-once delivery, pushes without wrapper, seeking.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lab.faults import Faults
from lab.pubsub import tokens
from lab.pubsub.broker import Broker
from lab.pubsub.grpc_server import GrpcServer
from lab.pubsub.limits import Limits
from lab.pubsub.pushing import Delivery
from lab.pubsub.resources import Resources, Subscription
from lab.pubsub.switches import PushSwitches
from lab.pubsub.tokens import Signer
from lab.serve import serve
from lab.timeline import Timeline


@dataclass(frozen=True)
class Running:
    """A server that runs. `host` is what PUBSUB_EMULATOR_HOST is set to.

    `faults` are faults of gRPC calls, each once and in order: one with `path="/Publish"` waits for
    the next publish, and `lost` stores what was published and then answers UNAVAILABLE. Their
    status is HTTP's: 503 becomes UNAVAILABLE, 429 RESOURCE_EXHAUSTED, 403 PERMISSION_DENIED.
    """

    host: str
    faults: Faults
    pushes: PushSwitches
    _resources: Resources
    _signer: Signer
    _served: ExitStack

    @cached_property
    def certs_url(self) -> str:
        """Where the certificates are that verify push tokens; served from when it is asked for."""
        base_url = self._served.enter_context(serve(tokens.certificates_app(self._signer)))
        return base_url + tokens.CERTS_PATH

    def undelivered(self, subscription: str) -> int:
        """How many messages `subscription` holds that are not acknowledged; 0 if there is none."""
        found = self._resources.subscriptions.get(subscription)
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
        resources, faults, switches, signer = Resources(), Faults(), PushSwitches(), Signer()
        broker = Broker(resources, timeline=self.timeline)

        async def deliver(subscription: Subscription) -> None:
            await Delivery(
                broker,
                subscription,
                switches=switches,
                signer=signer,
                in_flight=self.pushes_in_flight,
                longest_pause_s=self.limits.longest_push_pause_s,
            ).run()

        server = GrpcServer(broker, self.limits, faults, deliver)
        with _in_thread(server) as port, ExitStack() as served:
            switches.on_change(server.ring)
            try:
                yield Running(f"127.0.0.1:{port}", faults, switches, resources, signer, served)
            finally:
                switches.on_change(None)


@contextmanager
def _in_thread(server: GrpcServer) -> Iterator[int]:
    """Run `server` in a thread of its own; the value is its port. What it raises is raised here."""
    with ThreadPoolExecutor(1, thread_name_prefix="pubsub") as thread:
        ended = thread.submit(asyncio.run, server.run())
        first: list[Future[Any]] = [server.port, ended]
        wait(first, return_when=FIRST_COMPLETED)
        if ended.done():
            ended.result()
        try:
            yield server.port.result()
        finally:
            if not ended.done():
                server.stop()
            ended.result()
