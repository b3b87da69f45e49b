"""Batching: a lone event does not wait, company travels together, and nobody suffers for others."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from function.publisher import (
    BATCH_LIMIT,
    BATCH_LIMIT_BYTES,
    REQUESTS_LIMIT,
    WAITING_LIMIT,
    WAITING_LIMIT_BYTES,
    BatchingPublisher,
    RefusedMessages,
)
from function.webhook import Message
from shared.errors import PermanentFailure, TemporaryFailure

LONG_S = 10.0


class HeldTopic:
    """Keeps each request until it is let go; refuses those that hold a message `bad`."""

    def __init__(self, *, held: bool = True) -> None:
        self.requests: list[Sequence[Message]] = []
        self.arrived = asyncio.Condition()
        self.gate = asyncio.Event()
        if not held:
            self.gate.set()

    async def send(self, messages: Sequence[Message]) -> list[str]:
        self.requests.append(messages)
        async with self.arrived:
            self.arrived.notify_all()
        await self.gate.wait()
        if any(one.data == b"bad" for one in messages):
            raise RefusedMessages("invalid")
        return [f"id of {one.data.decode()}" for one in messages]

    async def ready(self, limit_s: float) -> None:
        raise TemporaryFailure("not yet")

    async def has_requests(self, count: int) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)


def a_message(data: str, size_bytes: int = 0) -> Message:
    return Message(data.encode().ljust(size_bytes, b"."), {"event_id": "wev_1"})


def publish(
    publisher: BatchingPublisher, *data: str, timeout_s: float = LONG_S
) -> list[asyncio.Task[str]]:
    return [
        asyncio.create_task(publisher.publish(a_message(each), timeout_s=timeout_s))
        for each in data
    ]


def run(story: Callable[[HeldTopic, BatchingPublisher], Awaitable[None]], **topic: bool) -> None:
    async def told() -> None:
        held = HeldTopic(**topic)
        await story(held, BatchingPublisher(held))

    asyncio.run(told())


def test_a_lone_event_leaves_at_once():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        publishing = publish(publisher, "one")
        await topic.has_requests(1)

        topic.gate.set()
        assert await asyncio.gather(*publishing) == ["id of one"]

    run(story)


def test_events_of_the_same_moment_share_a_request_and_each_gets_its_own_id():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        ids = await asyncio.gather(*publish(publisher, "one", "two", "three"))

        assert ids == ["id of one", "id of two", "id of three"]
        assert len(topic.requests) == 1

    run(story, held=False)


def test_while_all_requests_are_under_way_events_wait_and_then_travel_together():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        publishing = []
        for number in range(REQUESTS_LIMIT):
            publishing += publish(publisher, f"first {number}")
            await topic.has_requests(number + 1)
        publishing += publish(publisher, *(f"later {number}" for number in range(10)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(topic.requests) == REQUESTS_LIMIT

        topic.gate.set()
        await asyncio.gather(*publishing)
        assert [len(request) for request in topic.requests] == [1] * REQUESTS_LIMIT + [10]

    run(story)


def test_no_more_requests_are_under_way_than_the_limit():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        count = (REQUESTS_LIMIT + 2) * BATCH_LIMIT
        publishing = publish(publisher, *(str(number) for number in range(count)))
        await topic.has_requests(REQUESTS_LIMIT)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(topic.requests) == REQUESTS_LIMIT

        topic.gate.set()
        await asyncio.gather(*publishing)
        assert len(topic.requests) == REQUESTS_LIMIT + 2

    run(story)


def test_no_request_holds_more_messages_than_the_limit():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        data = [str(number) for number in range(2 * BATCH_LIMIT + 5)]

        assert await asyncio.gather(*publish(publisher, *data)) == [f"id of {n}" for n in data]
        assert [len(request) for request in topic.requests] == [BATCH_LIMIT, BATCH_LIMIT, 5]

    run(story, held=False)


def test_no_request_holds_more_bytes_than_the_limit():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        big = [a_message(str(number), BATCH_LIMIT_BYTES * 2 // 5) for number in range(6)]

        await asyncio.gather(*(publisher.publish(each, LONG_S) for each in big))

        assert [len(request) for request in topic.requests] == [2, 2, 2]

    run(story, held=False)


def test_when_too_many_wait_the_next_is_refused_and_there_is_room_again_later():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        under_way = REQUESTS_LIMIT * BATCH_LIMIT
        publishing = publish(publisher, *(str(n) for n in range(under_way)))
        await topic.has_requests(REQUESTS_LIMIT)
        publishing += publish(publisher, *(str(n) for n in range(WAITING_LIMIT)))
        await asyncio.sleep(0)

        with pytest.raises(TemporaryFailure, match="too many"):
            await publisher.publish(a_message("one more"), LONG_S)

        topic.gate.set()
        await asyncio.gather(*publishing)
        assert await publisher.publish(a_message("one more"), LONG_S) == "id of one more"

    run(story)


def test_when_too_many_bytes_wait_the_next_is_refused_and_there_is_room_again_later():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        big = a_message("big", BATCH_LIMIT_BYTES)  # each in a request of its own
        room = WAITING_LIMIT_BYTES // big.size_bytes
        publishing = [
            asyncio.create_task(publisher.publish(big, LONG_S)) for _ in range(REQUESTS_LIMIT)
        ]
        await topic.has_requests(REQUESTS_LIMIT)
        publishing += [asyncio.create_task(publisher.publish(big, LONG_S)) for _ in range(room)]
        await asyncio.sleep(0)

        with pytest.raises(TemporaryFailure, match="too many"):
            await publisher.publish(big, LONG_S)

        topic.gate.set()
        await asyncio.gather(*publishing)
        await asyncio.gather(*(publisher.publish(big, LONG_S) for _ in range(room)))

    run(story)


def test_one_event_s_time_out_leaves_the_others_of_its_request_alone():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        impatient = publish(publisher, "impatient", timeout_s=0.01)
        patient = publish(publisher, "patient")
        with pytest.raises(TemporaryFailure, match="in time"):
            await impatient[0]

        topic.gate.set()
        assert await asyncio.gather(*patient) == ["id of patient"]
        assert len(topic.requests) == 1

    run(story)


def test_an_event_given_up_while_it_waited_is_not_sent_any_more():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        first = publish(publisher, *(str(n) for n in range(REQUESTS_LIMIT * BATCH_LIMIT)))
        await topic.has_requests(REQUESTS_LIMIT)
        given_up = publish(publisher, "given up", timeout_s=0.01)
        with pytest.raises(TemporaryFailure):
            await given_up[0]

        topic.gate.set()
        await asyncio.gather(*first, *publish(publisher, "last"))
        assert [one.data for one in topic.requests[-1]] == [b"last"]

    run(story)


def test_an_event_whose_request_was_cancelled_leaves_the_others_alone():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        cancelled, stays = publish(publisher, "cancelled", "stays")
        await topic.has_requests(1)
        cancelled.cancel()

        topic.gate.set()
        assert await stays == "id of stays"

    run(story)


def test_a_bad_message_fails_alone():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        outcomes = await asyncio.gather(
            *publish(publisher, "one", "two", "bad", "four", "five"), return_exceptions=True
        )

        assert [str(each) for each in outcomes] == [
            "id of one",
            "id of two",
            "invalid",
            "id of four",
            "id of five",
        ]

    run(story, held=False)


def test_a_failure_of_the_topic_fails_every_event_of_the_request():
    class Failing(HeldTopic):
        async def send(self, messages: Sequence[Message]) -> list[str]:
            raise PermanentFailure("there is no topic")

    async def story() -> None:
        publisher = BatchingPublisher(Failing())
        outcomes = await asyncio.gather(*publish(publisher, "one", "two"), return_exceptions=True)

        assert [str(each) for each in outcomes] == ["there is no topic"] * 2

    asyncio.run(story())


def test_a_bug_reaches_whoever_published_instead_of_leaving_them_waiting():
    class Broken(HeldTopic):
        async def send(self, messages: Sequence[Message]) -> list[str]:
            raise KeyError("bug")

    async def story() -> None:
        with pytest.raises(KeyError, match="bug"):
            await BatchingPublisher(Broken()).publish(a_message("one"), LONG_S)

    asyncio.run(story())


def test_it_is_ready_when_its_topic_is():
    async def story(topic: HeldTopic, publisher: BatchingPublisher) -> None:
        with pytest.raises(TemporaryFailure, match="not yet"):
            await publisher.ready(LONG_S)

    run(story)
