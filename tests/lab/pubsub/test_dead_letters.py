"""Dead letters: where messages go that have been refused too often."""

from datetime import datetime

from google.protobuf.duration_pb2 import Duration

from tests.lab.pubsub.clients import Clients
from tests.lab.pubsub.endpoint import Endpoint

SOON = {"minimum_backoff": Duration(nanos=20_000_000), "maximum_backoff": Duration(seconds=1)}
SOURCE = "CloudPubSubDeadLetterSource"


def test_a_push_refused_too_often_is_forwarded_with_its_origin(
    clients: Clients, endpoint: Endpoint
) -> None:
    topic, dead = clients.a_topic(), clients.a_topic("dead")
    letters = clients.a_subscription(dead, "letters")
    subscription = clients.a_subscription(
        topic,
        push_config={"push_endpoint": endpoint.url},
        retry_policy=SOON,
        dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 3},
    )
    endpoint.will_answer(503, 500, 400)

    (message_id,) = clients.publish(
        topic, {"data": b"{}", "attributes": {"content": "event", "event_id": "wsu_1"}}
    )
    (letter,) = clients.pull(letters)

    attributes = dict(letter.message.attributes)
    published_at = datetime.fromisoformat(attributes.pop(f"{SOURCE}TopicPublishTime"))
    assert letter.message.data == b"{}"
    assert letter.message.message_id != message_id
    assert attributes == {
        "content": "event",
        "event_id": "wsu_1",
        f"{SOURCE}Subscription": "work",
        f"{SOURCE}SubscriptionProject": "lab",
        f"{SOURCE}DeliveryCount": "3",
    }
    assert published_at.tzinfo is not None
    assert endpoint.count == 3
    assert clients.server.undelivered(subscription) == 0
    (moment,) = clients.moments("dead-lettered")
    assert moment.facts["message_id"] == message_id
    assert moment.facts["event_id"] == "wsu_1"
    assert moment.facts["attempts"] == "3"


def test_a_pull_refused_or_left_too_often_is_forwarded(clients: Clients) -> None:
    topic, dead = clients.a_topic(), clients.a_topic("dead")
    letters = clients.a_subscription(dead, "letters")
    subscription = clients.a_subscription(
        topic,
        ack_deadline_seconds=1,
        dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 2},
    )
    clients.publish(topic)

    (first,) = clients.pull(subscription)
    clients.nack(subscription, first.ack_id)
    (second,) = clients.pull(subscription)
    (letter,) = clients.pull(letters)  # without a call: the second lease just runs out

    assert (first.delivery_attempt, second.delivery_attempt) == (1, 2)
    assert letter.message.data == first.message.data
    assert clients.server.undelivered(subscription) == 0


def test_what_cannot_be_forwarded_stays_and_is_sent_again(
    clients: Clients, endpoint: Endpoint
) -> None:
    topic, dead = clients.a_topic(), clients.a_topic("dead")
    subscription = clients.a_subscription(
        topic,
        push_config={"push_endpoint": endpoint.url},
        retry_policy=SOON,
        dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 2},
    )
    clients.publisher.delete_topic(topic=dead)
    endpoint.will_answer(*[503] * 4)

    clients.publish(topic)
    pushes = endpoint.pushes(5)
    clients.moments("pushed to work: 204")

    assert [push.body["deliveryAttempt"] for push in pushes] == [1, 2, 3, 4, 5]
    assert len(clients.moments("could not be dead-lettered", count=3)) == 3
    assert clients.server.undelivered(subscription) == 0


def test_what_could_not_be_forwarded_is_forwarded_once_it_can_be(
    clients: Clients, endpoint: Endpoint
) -> None:
    topic, dead = clients.a_topic(), clients.a_topic("dead")
    clients.a_subscription(
        topic,
        push_config={"push_endpoint": endpoint.url},
        retry_policy=SOON,
        dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 2},
    )
    clients.publisher.delete_topic(topic=dead)
    endpoint.will_answer(*[503] * 1_000)

    clients.publish(topic)
    clients.moments("could not be dead-lettered")
    clients.server.pushes.hold()
    clients.a_topic("dead")
    letters = clients.a_subscription(dead, "letters")
    clients.server.pushes.resume()

    (letter,) = clients.pull(letters)
    assert int(letter.message.attributes[f"{SOURCE}DeliveryCount"]) > 2
