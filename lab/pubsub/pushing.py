"""Delivering one subscription: pushes what is due, several at a time, and settles it by the answer.

Source: https://cloud.google.com/pubsub/docs/push#receive_push
"""

import asyncio
from collections.abc import Sequence

from lab.pubsub import names, push_request
from lab.pubsub.backlog import Lease
from lab.pubsub.broker import Broker
from lab.pubsub.posting import Endpoint
from lab.pubsub.resources import Subscription
from lab.pubsub.retries import PushBackoff
from lab.pubsub.settings import Push
from lab.pubsub.switches import PushSwitches
from lab.pubsub.tokens import Signer

ACKNOWLEDGING = frozenset({102, 200, 201, 202, 204})


class Delivery:
    """Runs for as long as its subscription exists; ends leases in time also where it is pulled."""

    def __init__(
        self,
        broker: Broker,
        subscription: Subscription,
        *,
        switches: PushSwitches,
        signer: Signer,
        in_flight: int,
        longest_pause_s: float,
    ) -> None:
        self._broker = broker
        self._subscription = subscription
        self._switches = switches
        self._signer = signer
        self._limit = in_flight
        self._backoff = PushBackoff(longest_pause_s)
        self._pushes: set[asyncio.Task[None]] = set()
        self._endpoint: Endpoint | None = None

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                await self._push_what_is_due(group)
        finally:
            if self._endpoint is not None:
                self._endpoint.close()

    async def _push_what_is_due(self, group: asyncio.TaskGroup) -> None:
        while not self._subscription.is_deleted:
            self._begin(group)
            await self._subscription.bell.wait(self._next_at() - self._broker.clock())

    def _begin(self, group: asyncio.TaskGroup) -> None:
        self._broker.expire(self._subscription)
        push = self._subscription.settings.push
        if push is None or self._is_paused():
            return
        free = self._limit - len(self._pushes)
        for lease in self._broker.lease(self._subscription, free):
            task = group.create_task(self._push(lease, push))
            self._pushes.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, push: asyncio.Task[None]) -> None:
        self._pushes.discard(push)
        self._subscription.bell.ring()

    def _is_paused(self) -> bool:
        return self._switches.is_held or self._broker.clock() < self._backoff.paused_until

    def _next_at(self) -> float:
        """When to look again, if nothing changes before."""
        backlog = self._subscription.backlog
        ends_at = backlog.next_end_at()
        can_push = self._subscription.settings.push is not None and not self._switches.is_held
        if not can_push or len(self._pushes) >= self._limit:
            return ends_at
        return min(ends_at, max(backlog.next_due_at(), self._backoff.paused_until))

    async def _push(self, lease: Lease, push: Push) -> None:
        begun_at = self._broker.clock()
        copies = 2 if self._switches.take_twice() else 1
        statuses = await asyncio.gather(*[self._post(lease, push) for _ in range(copies)])
        # a success is settled before it is seen; a refusal is seen before it becomes a dead letter
        if statuses[0] in ACKNOWLEDGING:
            self._backoff.acknowledged()
            self._broker.acknowledge(self._subscription, lease.ack_id)
            self._saw(lease, statuses)
        else:
            self._saw(lease, statuses)
            self._backoff.refused(begun_at, self._broker.clock())
            self._broker.refuse(self._subscription, lease.ack_id)

    async def _post(self, lease: Lease, push: Push) -> int | None:
        return await self._endpoint_of(push).post(
            push_request.headers(push, self._signer),
            push_request.body(lease, self._subscription.name),
            self._subscription.settings.ack_deadline_s,
        )

    def _saw(self, lease: Lease, statuses: Sequence[int | None]) -> None:
        name = self._subscription.name
        for status in statuses:
            answer = "no answer" if status is None else str(status)
            what = f"pushed to {names.short(name)}: {answer}"
            self._broker.saw(what, lease.message, subscription=name, status=answer)

    def _endpoint_of(self, push: Push) -> Endpoint:
        if self._endpoint is None or self._endpoint.url != push.endpoint:
            if self._endpoint is not None:
                self._endpoint.close()
            self._endpoint = Endpoint(push.endpoint)
        return self._endpoint
