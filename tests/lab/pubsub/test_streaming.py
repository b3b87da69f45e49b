"""Pulling over a stream, with Google's own subscriber."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1 import SubscriberClient as StreamingSubscriber
from google.cloud.pubsub_v1.subscriber.message import Message
from google.cloud.pubsub_v1.types import FlowControl
from google.pubsub_v1.types import StreamingPullRequest

from tests.lab.pubsub.clients import WAIT_S, Clients


@contextmanager
def streaming(
    subscription: str, callback: Callable[[Message], None], **settings: Any
) -> Iterator[Any]:
    with StreamingSubscriber() as subscriber:
        future = subscriber.subscribe(subscription, callback=callback, **settings)
        try:
            yield future
        finally:
            future.cancel()
            future.exception(timeout=WAIT_S)


def test_messages_arrive_as_they_are_published(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    arrived: queue.Queue[str] = queue.Queue()

    def take(message: Message) -> None:
        arrived.put(message.message_id)
        message.ack_with_response().result(WAIT_S)

    before = clients.publish(topic, *[{"data": b"x"}] * 3)
    with streaming(subscription, take):
        first = [arrived.get(timeout=WAIT_S) for _ in range(3)]
        after = clients.publish(topic, *[{"data": b"x"}] * 3)
        second = [arrived.get(timeout=WAIT_S) for _ in range(3)]

    assert sorted(first) == before
    assert sorted(second) == after
    assert clients.server.undelivered(subscription) == 0


def test_what_is_refused_arrives_again(clients: Clients) -> None:
    topic = clients.a_topic()
    policy = {"dead_letter_topic": clients.a_topic("dead"), "max_delivery_attempts": 100}
    subscription = clients.a_subscription(topic, dead_letter_policy=policy)
    attempts: queue.Queue[int] = queue.Queue()

    def refuse_twice(message: Message) -> None:
        attempts.put(message.delivery_attempt)
        if message.delivery_attempt < 3:
            message.nack()
        else:
            message.ack()

    with streaming(subscription, refuse_twice):
        clients.publish(topic)
        seen = [attempts.get(timeout=WAIT_S) for _ in range(3)]

    assert seen == [1, 2, 3]


def test_no_more_is_sent_than_the_client_has_room_for(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    arrived: queue.Queue[Message] = queue.Queue()
    clients.publish(topic, *[{"data": b"x"}] * 5)

    with streaming(subscription, arrived.put, flow_control=FlowControl(max_messages=2)):
        two = [arrived.get(timeout=WAIT_S) for _ in range(2)]
        elsewhere = clients.pull(subscription)
        two[0].ack_with_response().result(WAIT_S)
        two[1].ack_with_response().result(WAIT_S)

    assert len(elsewhere) == 3


def test_many_streams_leave_room_for_other_calls(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    everybody_opened = threading.Barrier(21)
    opening = StreamingPullRequest(subscription=subscription, stream_ack_deadline_seconds=10)

    def open_stream() -> None:
        done = threading.Event()

        def said() -> Iterator[StreamingPullRequest]:
            yield opening
            done.wait(WAIT_S)

        answers: Any = clients.subscriber.streaming_pull(requests=said())
        next(iter(answers))
        everybody_opened.wait(WAIT_S)
        answers.cancel()
        done.set()

    threads = [threading.Thread(target=open_stream) for _ in range(20)]
    for thread in threads:
        thread.start()
    published = clients.publish(topic)
    everybody_opened.wait(WAIT_S)
    for thread in threads:
        thread.join(WAIT_S)

    assert len(published) == 1


def test_the_room_is_counted_in_bytes_as_well(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    arrived: queue.Queue[Message] = queue.Queue()
    clients.publish(topic, *[{"data": b"x" * 1_000}] * 5)

    with streaming(subscription, arrived.put, flow_control=FlowControl(max_bytes=1_500)):
        two = [arrived.get(timeout=WAIT_S) for _ in range(2)]
        elsewhere = clients.pull(subscription)

    assert len(two) == 2
    assert len(elsewhere) == 3


@pytest.mark.parametrize(
    ("first", "refusal"),
    [
        ({"subscription": "projects/lab/subscriptions/missing"}, exceptions.NotFound),
        ({"stream_ack_deadline_seconds": 0}, exceptions.InvalidArgument),
        ({"stream_ack_deadline_seconds": 601}, exceptions.InvalidArgument),
        ({"modify_deadline_ack_ids": ["1-1"]}, exceptions.InvalidArgument),
        ({"ack_ids": ["bogus"]}, exceptions.InvalidArgument),
    ],
)
def test_a_stream_that_begins_wrongly_is_refused(
    clients: Clients, first: dict[str, Any], refusal: type[Exception]
) -> None:
    subscription = clients.a_subscription(clients.a_topic())
    usual = {"subscription": subscription, "stream_ack_deadline_seconds": 10}
    request = StreamingPullRequest(usual | first)

    with pytest.raises(refusal):
        list(clients.subscriber.streaming_pull(requests=iter([request])))


def test_a_stream_can_acknowledge_and_refuse_by_itself(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.publish(topic, {"data": b"1"}, {"data": b"2"})
    one, two = clients.pull(subscription)

    request = StreamingPullRequest(
        subscription=subscription,
        stream_ack_deadline_seconds=10,
        ack_ids=[one.ack_id],
        modify_deadline_ack_ids=[two.ack_id],
        modify_deadline_seconds=[0],
    )
    list(clients.subscriber.streaming_pull(requests=iter([request])))

    assert clients.server.undelivered(subscription) == 1


def test_a_stream_learns_that_its_subscription_is_gone(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    arrived: queue.Queue[Message] = queue.Queue()

    with streaming(subscription, arrived.put) as future:
        clients.publish(topic)
        arrived.get(timeout=WAIT_S)
        clients.subscriber.delete_subscription(subscription=subscription)

        with pytest.raises(exceptions.NotFound):
            future.result(WAIT_S)
