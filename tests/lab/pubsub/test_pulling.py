"""Pulling one call at a time: leases, deadlines, refusals."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core import exceptions
from google.protobuf.duration_pb2 import Duration

from tests.lab.pubsub.clients import WAIT_S, Clients


def test_a_pulled_message_is_hidden_until_it_is_acknowledged(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.publish(topic)

    (received,) = clients.pull(subscription)
    is_hidden = clients.has_nothing_due(subscription)
    clients.subscriber.acknowledge(subscription=subscription, ack_ids=[received.ack_id])

    assert is_hidden
    assert clients.server.undelivered(subscription) == 0


def test_a_pull_takes_no_more_than_it_asks_for(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.publish(topic, *[{"data": b"x"}] * 5)

    assert [len(clients.pull(subscription, limit=3)) for _ in range(2)] == [3, 2]


def test_a_pull_takes_no_more_than_a_client_can_receive(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    for _ in range(2):
        clients.publish(topic, *[{"data": b"x" * 900_000}] * 3)

    assert [len(clients.pull(subscription)) for _ in range(3)] == [2, 2, 2]


def test_a_pull_waits_for_a_message(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)

    with ThreadPoolExecutor(1) as thread:
        pulling = thread.submit(clients.pull, subscription)
        (message_id,) = clients.publish(topic)
        (received,) = pulling.result(WAIT_S)

    assert received.message.message_id == message_id


def test_what_is_refused_comes_back_at_once_without_a_policy(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.publish(topic)

    (first,) = clients.pull(subscription)
    clients.nack(subscription, first.ack_id)
    (second,) = clients.pull(subscription)

    assert second.message == first.message
    assert second.ack_id != first.ack_id
    assert (first.delivery_attempt, second.delivery_attempt) == (0, 0)


def test_what_is_refused_stays_away_for_as_long_as_the_policy_says(clients: Clients) -> None:
    topic = clients.a_topic()
    policy = {"minimum_backoff": Duration(seconds=600)}
    subscription = clients.a_subscription(topic, retry_policy=policy)
    clients.publish(topic)

    (received,) = clients.pull(subscription)
    clients.nack(subscription, received.ack_id)

    assert clients.has_nothing_due(subscription)
    assert clients.server.undelivered(subscription) == 1


def test_what_is_not_acknowledged_in_time_comes_back(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic, ack_deadline_seconds=1)
    clients.publish(topic)

    (first,) = clients.pull(subscription)
    (second,) = clients.pull(subscription)
    clients.subscriber.acknowledge(subscription=subscription, ack_ids=[first.ack_id])

    assert second.message == first.message
    assert clients.server.undelivered(subscription) == 1, "the first lease had run out"


def test_attempts_are_counted_with_a_dead_letter_policy(clients: Clients) -> None:
    topic = clients.a_topic()
    policy = {"dead_letter_topic": clients.a_topic("dead"), "max_delivery_attempts": 100}
    subscription = clients.a_subscription(topic, dead_letter_policy=policy)
    clients.publish(topic)

    attempts = []
    for _ in range(3):
        (received,) = clients.pull(subscription)
        attempts.append(received.delivery_attempt)
        clients.nack(subscription, received.ack_id)

    assert attempts == [1, 2, 3]


def test_a_push_subscription_is_not_pulled(clients: Clients) -> None:
    subscription = clients.a_subscription(
        clients.a_topic(), push_config={"push_endpoint": "http://127.0.0.1:9/"}
    )

    with pytest.raises(exceptions.FailedPrecondition):
        clients.pull(subscription)


def test_a_pull_that_waits_learns_that_its_subscription_is_gone(clients: Clients) -> None:
    subscription = clients.a_subscription(clients.a_topic())
    began = threading.Event()

    def pull() -> None:
        began.set()
        clients.pull(subscription)

    with ThreadPoolExecutor(1) as thread:
        pulling = thread.submit(pull)
        assert began.wait(WAIT_S)
        clients.subscriber.delete_subscription(subscription=subscription)
        with pytest.raises(exceptions.NotFound):
            pulling.result(WAIT_S)


def test_calls_that_make_no_sense_are_refused(clients: Clients) -> None:
    subscription = clients.a_subscription(clients.a_topic())

    with pytest.raises(exceptions.InvalidArgument):
        clients.pull(subscription, limit=0)
    for ack_ids in ([], ["bogus"]):
        with pytest.raises(exceptions.InvalidArgument):
            clients.subscriber.acknowledge(subscription=subscription, ack_ids=ack_ids)
    with pytest.raises(exceptions.InvalidArgument):
        clients.subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=["1-1"], ack_deadline_seconds=601
        )


def test_an_unknown_ack_id_is_no_error(clients: Clients) -> None:
    subscription = clients.a_subscription(clients.a_topic())

    clients.subscriber.acknowledge(subscription=subscription, ack_ids=["1-1"])
