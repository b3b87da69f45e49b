"""Faults that a test asks for."""

import pytest
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type

from lab.faults import Fault
from tests.lab.pubsub.clients import Clients

PUBLISH = "/Publish"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (503, exceptions.ServiceUnavailable),
        (429, exceptions.ResourceExhausted),
        (403, exceptions.PermissionDenied),
        (500, exceptions.InternalServerError),
        (504, exceptions.DeadlineExceeded),
    ],
)
def test_the_next_publishes_are_refused_as_asked(
    clients: Clients, status: int, refusal: type[Exception]
) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.server.faults.next(Fault("answer", status=status, path=PUBLISH), times=2)

    for _ in range(2):
        with pytest.raises(refusal):
            clients.publish(topic)
    clients.publish(topic)

    assert clients.server.undelivered(subscription) == 1


def test_an_answer_can_be_lost_after_the_work_was_done(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.server.faults.next(Fault("lost", path=PUBLISH))

    with pytest.raises(exceptions.ServiceUnavailable):
        clients.publish(topic)

    assert clients.server.undelivered(subscription) == 1


def test_a_client_that_tries_again_after_a_lost_answer_publishes_twice(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.server.faults.next(Fault("lost", path=PUBLISH))

    clients.publisher.publish(
        {"topic": topic, "messages": [{"data": b"x"}]},
        retry=Retry(if_exception_type(exceptions.ServiceUnavailable), initial=0.01, timeout=10),
    )

    first, second = clients.pull(subscription)
    assert first.message.data == second.message.data
    assert first.message.message_id != second.message.message_id


def test_a_connection_can_break_before_anything_was_done(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.server.faults.next(Fault("cut", path=PUBLISH))

    with pytest.raises(exceptions.ServiceUnavailable):
        clients.publish(topic)

    assert clients.server.undelivered(subscription) == 0


def test_an_answer_can_come_too_late(clients: Clients) -> None:
    topic = clients.a_topic()
    clients.server.faults.next(Fault("slow", seconds=60, path=PUBLISH))

    with pytest.raises(exceptions.DeadlineExceeded):
        clients.publisher.publish(
            {"topic": topic, "messages": [{"data": b"x"}]}, retry=None, timeout=0.1
        )


def test_other_calls_can_fail_as_well(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.server.faults.next(Fault("answer", status=503, path="/Acknowledge"))
    clients.publish(topic)
    (received,) = clients.pull(subscription)

    with pytest.raises(exceptions.ServiceUnavailable):
        clients.subscriber.acknowledge(
            subscription=subscription, ack_ids=[received.ack_id], retry=None
        )

    assert clients.server.undelivered(subscription) == 1
