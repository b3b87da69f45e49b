"""One small story told to the lab's Pub/Sub and to Google's emulator, and where they differ.

They differ on purpose: the real service tells the attempt, and the emulator does not.
"""

import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient

from tests.emulators import ON_PUBSUB
from tests.lab.pubsub.clients import Clients
from tests.lab.pubsub.endpoint import Endpoint, Pushed

PROJECT = "projects/lab-scenario"


def refused_once(host: str, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> list[Pushed]:
    """Publish, push, refuse, push again: the two pushes."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    topic, dead = f"{PROJECT}/topics/events", f"{PROJECT}/topics/dead"
    endpoint.will_answer(503)
    with PublisherClient() as publisher, SubscriberClient() as subscriber:
        for name in (topic, dead):
            publisher.create_topic(name=name)
        subscription = subscriber.create_subscription(
            {
                "name": f"{PROJECT}/subscriptions/work",
                "topic": topic,
                "push_config": {"push_endpoint": endpoint.url},
                "dead_letter_policy": {"dead_letter_topic": dead, "max_delivery_attempts": 5},
            }
        )
        said = {"data": b"{}", "attributes": {"content": "event"}}
        publisher.publish({"topic": topic, "messages": [said]})
        pushes = endpoint.pushes(2)
        subscriber.delete_subscription(subscription=subscription.name)
        for name in (topic, dead):
            publisher.delete_topic(topic=name)
        return pushes


def check(first: Pushed, second: Pushed) -> None:
    message = first.body["message"]
    assert message == second.body["message"]
    assert message["data"] == "e30="
    assert message["attributes"] == {"content": "event"}
    assert message["messageId"] == message["message_id"]
    assert message["publishTime"] == message["publish_time"]
    assert first.body["subscription"] == f"{PROJECT}/subscriptions/work"
    assert first.headers["content-type"] == "application/json"


def test_what_is_refused_is_pushed_again(
    clients: Clients, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = refused_once(clients.server.host, endpoint, monkeypatch)

    check(first, second)
    assert [first.body["deliveryAttempt"], second.body["deliveryAttempt"]] == [1, 2]


@ON_PUBSUB
def test_google_s_emulator_does_the_same_but_for_the_attempt(
    pubsub_emulator: str, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = refused_once(pubsub_emulator, endpoint, monkeypatch)

    check(first, second)
    assert "deliveryAttempt" not in first.body
