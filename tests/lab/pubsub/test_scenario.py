"""One small story told to any Pub/Sub: to be compared with what Google's emulator makes of it.

`scenario` needs a host only, so that it can be run against the emulator as well. There the second
push comes after 1.0 s, and `deliveryAttempt` is missing.
"""

import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient

from tests.lab.pubsub.clients import PROJECT, Clients
from tests.lab.pubsub.endpoint import Endpoint, Pushed


def scenario(host: str, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> list[Pushed]:
    """Publish, push, refuse, push again: the two pushes."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    topic = f"{PROJECT}/topics/scenario"
    dead = f"{PROJECT}/topics/scenario-dead"
    endpoint.will_answer(503)
    with PublisherClient() as publisher, SubscriberClient() as subscriber:
        for name in (topic, dead):
            publisher.create_topic(name=name)
        subscriber.create_subscription(
            {
                "name": f"{PROJECT}/subscriptions/scenario",
                "topic": topic,
                "push_config": {"push_endpoint": endpoint.url},
                "dead_letter_policy": {"dead_letter_topic": dead, "max_delivery_attempts": 5},
            }
        )
        publisher.publish(
            {"topic": topic, "messages": [{"data": b"{}", "attributes": {"content": "event"}}]}
        )
        return endpoint.pushes(2)


def test_what_is_refused_is_pushed_again(
    clients: Clients, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = scenario(clients.server.host, endpoint, monkeypatch)

    assert first.body["message"] == second.body["message"]
    assert first.body["message"]["data"] == "e30="
    assert first.body["message"]["attributes"] == {"content": "event"}
    assert first.body["subscription"] == f"{PROJECT}/subscriptions/scenario"
    assert [first.body["deliveryAttempt"], second.body["deliveryAttempt"]] == [1, 2]
