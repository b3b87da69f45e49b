"""Publishing: events that arrive while requests are under way travel together in the next one.

A lone event leaves at once, without waiting for company. All of it happens in the event loop that
serves the webhooks, so no thread stands between an event and its request.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from function.webhook import Message
from shared.errors import Failure, PermanentFailure, TemporaryFailure

BATCH_LIMIT = 100  # messages in a request; Pub/Sub takes 1,000
BATCH_LIMIT_BYTES = 4_000_000  # in a request; Pub/Sub takes 10 MB
REQUESTS_LIMIT = 4  # under way at a time; more would mean smaller ones, which cost more together
WAITING_LIMIT = 5_000  # messages; what is beyond is better sent again by dbt Cloud
WAITING_LIMIT_BYTES = 64_000_000


class Publisher(Protocol):
    """Where events go."""

    async def publish(self, message: Message, timeout_s: float) -> str:
        """The id of the message, once it is stored durably; raises Failure.

        May be repeated: the same event then has two messages, which the subscriber knows as one.
        """

    async def ready(self, limit_s: float) -> None:
        """Return once it could publish; raises Failure if that takes longer than `limit_s`."""


class RefusedMessages(PermanentFailure):
    """Something in this request is not valid; without it, the rest of it might be taken."""


class Topic(Protocol):
    """Takes several messages in one request."""

    async def send(self, messages: Sequence[Message]) -> Sequence[str]:
        """Their ids, in their order, once all of them are stored. It bounds its own time.

        Raises RefusedMessages or another Failure; then none of them may be counted as stored.
        """

    async def ready(self, limit_s: float) -> None:
        """As a Publisher's."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    message: Message
    size_bytes: int
    message_id: asyncio.Future[str]


class BatchingPublisher:
    """A Publisher that sends to `topic` what arrives, together where that costs no time."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._requests: set[asyncio.Task[list[str | Failure]]] = set()
        self._is_woken = False

    async def publish(self, message: Message, timeout_s: float) -> str:
        """As Publisher's; raises TemporaryFailure when too much is waiting, or after `timeout_s`.

        To give up after `timeout_s` disturbs no other event. The message may still be stored then.
        """
        size_bytes = message.size_bytes
        if (
            len(self._waiting) >= WAITING_LIMIT
            or self._waiting_bytes + size_bytes > WAITING_LIMIT_BYTES
        ):
            raise TemporaryFailure("too many events are waiting for Pub/Sub")
        loop = asyncio.get_running_loop()
        message_id: asyncio.Future[str] = loop.create_future()
        self._waiting.append(_Waiting(message, size_bytes, message_id))
        self._waiting_bytes += size_bytes
        self._wake()
        end = loop.call_later(timeout_s, _give_up, message_id)
        try:
            return await message_id
        finally:
            end.cancel()

    async def ready(self, limit_s: float) -> None:
        await self._topic.ready(limit_s)

    def _wake(self) -> None:
        # not at once: events that were received in the same turn of the loop share a request
        if not self._is_woken:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._start_requests)

    def _start_requests(self) -> None:
        self._is_woken = False
        while len(self._requests) < REQUESTS_LIMIT and (batch := self._next_batch()):
            request = asyncio.create_task(self._send([each.message for each in batch]))
            self._requests.add(request)
            request.add_done_callback(partial(self._finish, batch))

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size_bytes = 0
        while self._waiting and len(batch) < BATCH_LIMIT:
            following = self._waiting[0]
            if batch and size_bytes + following.size_bytes > BATCH_LIMIT_BYTES:
                break
            self._waiting.popleft()
            self._waiting_bytes -= following.size_bytes
            if following.message_id.done():
                continue  # nobody waits for it any more, and dbt Cloud will send it again
            batch.append(following)
            size_bytes += following.size_bytes
        return batch

    async def _send(self, messages: Sequence[Message]) -> list[str | Failure]:
        """For each of `messages` its id, or why it was not stored."""
        try:
            return list(await self._topic.send(messages))
        except RefusedMessages as refusal:
            if len(messages) == 1:
                return [refusal]
        except Failure as failure:
            return [failure] * len(messages)
        # halving finds the bad ones in fewer requests than one for each message
        middle = len(messages) // 2
        first, second = await asyncio.gather(
            self._send(messages[:middle]), self._send(messages[middle:])
        )
        return first + second

    def _finish(self, batch: list[_Waiting], done: asyncio.Task[list[str | Failure]]) -> None:
        self._requests.discard(done)
        self._wake()
        for position, each in enumerate(batch):
            if each.message_id.done():
                continue
            if done.cancelled():
                each.message_id.cancel()
            elif (bug := done.exception()) is not None:
                each.message_id.set_exception(bug)
            elif isinstance(outcome := done.result()[position], Failure):
                each.message_id.set_exception(outcome)
            else:
                each.message_id.set_result(outcome)


def _give_up(message_id: asyncio.Future[str]) -> None:
    if not message_id.done():
        message_id.set_exception(TemporaryFailure("no answer from Pub/Sub in time"))
