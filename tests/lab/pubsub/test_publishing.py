"""Publishing with each of Google's clients, up to the limits of the real service and beyond."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient as BatchingPublisher
from google.pubsub_v1 import PublisherAsyncClient

from tests.lab.pubsub.clients import WAIT_S, Clients


def test_ids_are_digits_and_in_the_order_of_the_messages(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)

    ids = clients.publish(topic, *({"data": str(number).encode()} for number in range(5)))

    assert all(each.isdecimal() for each in ids)
    assert len(set(ids)) == 5
    held = {each.message.message_id: each.message.data for each in clients.pull(subscription)}
    assert [held[each] for each in ids] == [b"0", b"1", b"2", b"3", b"4"]


def test_every_subscription_gets_what_is_published_after_it_was_made(clients: Clients) -> None:
    topic = clients.a_topic()
    early = clients.a_subscription(topic, "early")
    clients.publish(topic, {"data": b"first"})
    late = clients.a_subscription(topic, "late")

    clients.publish(topic, {"data": b"second"})

    assert [each.message.data for each in clients.pull(early)] == [b"first", b"second"]
    assert [each.message.data for each in clients.pull(late)] == [b"second"]


def test_a_message_keeps_what_was_said(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    data = bytes(range(256))

    clients.publish(topic, {"data": data, "attributes": {"ключ": "värde"}, "ordering_key": "k"})

    (received,) = clients.pull(subscription)
    assert received.message.data == data
    assert dict(received.message.attributes) == {"ключ": "värde"}
    assert received.message.ordering_key == "k"
    assert received.message.publish_time is not None


def test_the_batching_client_publishes_many(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)

    with BatchingPublisher() as publisher:
        futures = [publisher.publish(topic, b"x", number=str(number)) for number in range(250)]
        ids = [future.result(timeout=WAIT_S) for future in futures]
        publisher.stop()

    assert len(set(ids)) == 250
    assert clients.server.undelivered(subscription) == 250


def test_the_asynchronous_client_publishes_many(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)

    async def publish() -> None:
        publisher = PublisherAsyncClient()
        request = {"topic": topic, "messages": [{"data": b"x"}] * 10}
        calls = [publisher.publish(request) for _ in range(20)]
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(*calls)
        await publisher.transport.close()

    asyncio.run(publish())

    assert clients.server.undelivered(subscription) == 200


AT_THE_LIMIT: list[tuple[str, list[dict[str, Any]]]] = [
    ("1,000 messages", [{"data": b"x"}] * 1_000),
    ("almost 10 MB", [{"data": b"x" * 9_999_900}]),
    ("100 attributes", [{"attributes": {f"k{number}": "" for number in range(100)}}]),
    ("a key of 256 bytes", [{"attributes": {"é" * 128: "v"}}]),
    ("a value of 1,024 bytes", [{"attributes": {"k": "é" * 512}}]),
    ("an attribute and no data", [{"attributes": {"k": ""}}]),
    ("an ordering key of 1,024 bytes", [{"data": b"x", "ordering_key": "é" * 512}]),
]
BEYOND_THE_LIMIT: list[tuple[str, list[dict[str, Any]]]] = [
    ("no message", []),
    ("1,001 messages", [{"data": b"x"}] * 1_001),
    ("over 10 MB", [{"data": b"x" * 10_000_001}]),
    ("over 10 MB together", [{"data": b"x" * 5_000_000}] * 2),
    ("101 attributes", [{"attributes": {f"k{number}": "" for number in range(101)}}]),
    ("a key of 257 bytes", [{"attributes": {"é" * 128 + "k": "v"}}]),
    ("a value of 1,025 bytes", [{"attributes": {"k": "é" * 512 + "v"}}]),
    ("a key that Google keeps for itself", [{"attributes": {"googclient": "v"}}]),
    ("neither data nor attributes", [{"data": b""}]),
    ("an ordering key of 1,025 bytes", [{"data": b"x", "ordering_key": "é" * 512 + "k"}]),
]


def _named(cases: Iterable[tuple[str, list[dict[str, Any]]]]) -> Any:
    return pytest.mark.parametrize(
        "messages", [pytest.param(messages, id=name) for name, messages in cases]
    )


@_named(AT_THE_LIMIT)
def test_what_is_at_the_limit_is_taken(clients: Clients, messages: list[dict[str, Any]]) -> None:
    topic = clients.a_topic()

    ids = clients.publish(topic, *messages)

    assert len(ids) == len(messages)


@_named(BEYOND_THE_LIMIT)
def test_what_is_beyond_the_limit_is_refused(
    clients: Clients, messages: list[dict[str, Any]]
) -> None:
    topic = clients.a_topic()

    with pytest.raises(exceptions.InvalidArgument):
        clients.publisher.publish({"topic": topic, "messages": messages}, retry=None)


def test_one_bad_message_fails_the_whole_request(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)

    with pytest.raises(exceptions.InvalidArgument):
        clients.publish(topic, {"data": b"good"}, {"attributes": {"k": "v" * 1_025}})

    assert clients.server.undelivered(subscription) == 0


def test_the_timeline_shows_what_was_published(clients: Clients) -> None:
    topic = clients.a_topic()

    (message_id,) = clients.publish(
        topic, {"attributes": {"event_id": "wsu_1", "content": "event", "side": "effect"}}
    )

    (moment,) = clients.moments("published to events")
    assert moment.side == "Pub/Sub"
    assert moment.facts == {
        "message_id": message_id,
        "topic": topic,
        "event_id": "wsu_1",
        "content": "event",
    }
