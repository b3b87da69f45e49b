"""Pushing: what an endpoint is sent, which answers acknowledge, and what happens to the rest."""

import base64
import threading
from datetime import datetime
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from starlette.responses import RedirectResponse

from lab.pubsub.server import PubSub
from tests.lab.pubsub.clients import PROJECT, QUICK, WAIT_S, Clients
from tests.lab.pubsub.endpoint import Endpoint

SOON = {"minimum_backoff": Duration(nanos=20_000_000), "maximum_backoff": Duration(seconds=1)}


def a_push(clients: Clients, topic: str, endpoint: Endpoint, **settings: Any) -> str:
    return clients.a_subscription(
        topic, push_config={"push_endpoint": endpoint.url}, **{"retry_policy": SOON, **settings}
    )


def test_a_push_is_the_message_wrapped_in_json(clients: Clients, endpoint: Endpoint) -> None:
    topic = clients.a_topic()
    subscription = a_push(clients, topic, endpoint)

    (message_id,) = clients.publish(
        topic, {"data": b"\xff{}", "attributes": {"content": "event"}, "ordering_key": "k"}
    )

    (push,) = endpoint.pushes(1)
    message = push.body["message"]
    published_at = message.pop("publishTime")
    assert push.path == "/push"
    assert push.headers["content-type"] == "application/json"
    assert "authorization" not in push.headers
    assert push.body == {"message": message, "subscription": subscription}
    assert message == {
        "attributes": {"content": "event"},
        "data": base64.b64encode(b"\xff{}").decode(),
        "messageId": message_id,
        "message_id": message_id,
        "publish_time": published_at,
        "orderingKey": "k",
    }
    assert published_at.endswith("Z")
    assert datetime.fromisoformat(published_at).tzinfo is not None


def test_what_is_empty_is_left_out(clients: Clients, endpoint: Endpoint) -> None:
    topic = clients.a_topic()
    a_push(clients, topic, endpoint)

    clients.publish(topic, {"data": b"x"}, {"attributes": {"k": "v"}})

    bodies = sorted((set(push.body["message"]) for push in endpoint.pushes(2)), key=sorted)
    usual = {"messageId", "message_id", "publishTime", "publish_time"}
    assert bodies == [usual | {"attributes"}, usual | {"data"}]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_an_answer_that_acknowledges_ends_it(
    clients: Clients, endpoint: Endpoint, status: int
) -> None:
    topic = clients.a_topic()
    subscription = a_push(clients, topic, endpoint)
    endpoint.will_answer(status)

    (message_id,) = clients.publish(topic)

    (moment,) = clients.moments("pushed to work")
    assert moment.facts["message_id"] == message_id
    assert moment.facts["subscription"] == subscription
    assert moment.facts["status"] == str(status)
    assert clients.server.undelivered(subscription) == 0


@pytest.mark.parametrize("status", [203, 205, 206, 304, 400, 404, 429, 500, 503])
def test_any_other_answer_refuses_and_the_message_comes_back(
    clients: Clients, endpoint: Endpoint, status: int
) -> None:
    topic = clients.a_topic()
    a_push(clients, topic, endpoint)
    endpoint.will_answer(status)

    (message_id,) = clients.publish(topic)

    assert [push.message_id for push in endpoint.pushes(2)] == [message_id] * 2
    moments = clients.moments("pushed to work", count=2)
    assert [moment.facts["status"] for moment in moments] == [str(status), "204"]


def test_a_redirect_is_a_refusal_and_not_followed(clients: Clients, endpoint: Endpoint) -> None:
    topic = clients.a_topic()
    a_push(clients, topic, endpoint)
    endpoint.answers.append(RedirectResponse("/elsewhere", 307))

    clients.publish(topic)

    assert [push.path for push in endpoint.pushes(2)] == ["/push", "/push"]


def test_no_answer_within_the_ack_deadline_is_a_refusal(
    clients: Clients, endpoint: Endpoint
) -> None:
    topic = clients.a_topic()
    a_push(clients, topic, endpoint, ack_deadline_seconds=1)
    is_first, answer = threading.Lock(), threading.Event()
    endpoint.before = lambda: is_first.acquire(blocking=False) and answer.wait(WAIT_S)

    clients.publish(topic)

    moments = clients.moments("pushed to work", count=2)
    answer.set()
    assert [moment.facts["status"] for moment in moments] == ["no answer", "204"]


def test_nobody_listening_is_a_refusal(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(
        topic, push_config={"push_endpoint": "http://127.0.0.1:9/push"}
    )

    clients.publish(topic)

    moments = clients.moments("pushed to work: no answer", count=2)
    assert {moment.facts["status"] for moment in moments} == {"no answer"}
    assert clients.server.undelivered(subscription) == 1


def test_sixteen_pushes_of_a_subscription_are_under_way_at_once(
    clients: Clients, endpoint: Endpoint
) -> None:
    topic = clients.a_topic()
    a_push(clients, topic, endpoint)
    everybody = threading.Barrier(16)
    endpoint.before = lambda: everybody.wait(WAIT_S)

    clients.publish(topic, *[{"data": b"x"}] * 16)

    moments = clients.moments("pushed to work", count=16)
    assert {moment.facts["status"] for moment in moments} == {"204"}


def test_no_more_than_asked_for_are_under_way_at_once(
    monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint
) -> None:
    busy = threading.Semaphore(1)
    overlaps: list[bool] = []

    def alone() -> None:
        is_alone = busy.acquire(blocking=False)
        overlaps.append(not is_alone)
        if is_alone:
            busy.release()

    endpoint.before = alone
    with PubSub(limits=QUICK, pushes_in_flight=1).running() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
        with Clients.on(server) as clients:
            topic = clients.a_topic()
            a_push(clients, topic, endpoint)
            clients.publish(topic, *[{"data": b"x"}] * 10)
            endpoint.pushes(10)

    assert not any(overlaps)


def test_the_attempt_is_told_with_a_dead_letter_policy_only(
    clients: Clients, endpoint: Endpoint
) -> None:
    topic = clients.a_topic()
    policy = {"dead_letter_topic": clients.a_topic("dead"), "max_delivery_attempts": 100}
    a_push(clients, topic, endpoint, dead_letter_policy=policy)
    endpoint.will_answer(503, 503)

    clients.publish(topic)

    assert [push.body["deliveryAttempt"] for push in endpoint.pushes(3)] == [1, 2, 3]


def test_only_what_the_filter_wants_is_pushed(clients: Clients, endpoint: Endpoint) -> None:
    topic = clients.a_topic()
    subscription = a_push(clients, topic, endpoint, filter='attributes.content = "tick"')

    _, wanted = clients.publish(
        topic,
        {"data": b"x", "attributes": {"content": "event"}},
        {"data": b"x", "attributes": {"content": "tick"}},
    )

    assert [push.message_id for push in endpoint.pushes(1)] == [wanted]
    clients.moments("pushed to work")
    assert clients.server.undelivered(subscription) == 0


def test_a_message_that_outlives_its_retention_is_dropped(
    clients: Clients, endpoint: Endpoint
) -> None:
    topic = clients.a_topic()
    policy = {"minimum_backoff": Duration(seconds=1), "maximum_backoff": Duration(seconds=1)}
    subscription = a_push(
        clients,
        topic,
        endpoint,
        message_retention_duration=Duration(seconds=1),
        retry_policy=policy,
    )
    endpoint.will_answer(503)

    (old,) = clients.publish(topic)
    clients.moments("dropped")
    (new,) = clients.publish(topic)

    assert [push.message_id for push in endpoint.pushes(2)] == [old, new]
    clients.moments("pushed to work", count=2)
    assert clients.server.undelivered(subscription) == 0


def test_pulled_becomes_pushed_and_pushed_becomes_pulled(
    clients: Clients, endpoint: Endpoint
) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    (first,) = clients.publish(topic)

    clients.subscriber.modify_push_config(
        {"subscription": subscription, "push_config": {"push_endpoint": endpoint.url}}
    )
    pushed = endpoint.pushes(1)
    clients.moments("pushed to work")
    clients.subscriber.modify_push_config({"subscription": subscription, "push_config": {}})
    (second,) = clients.publish(topic)
    pulled = clients.pull(subscription)

    assert [push.message_id for push in pushed] == [first]
    assert [each.message.message_id for each in pulled] == [second]


def test_held_pushes_wait_until_they_are_resumed(clients: Clients, endpoint: Endpoint) -> None:
    topic = clients.a_topic()
    subscription = a_push(clients, topic, endpoint)

    clients.server.pushes.hold()
    (message_id,) = clients.publish(topic)
    held = clients.server.undelivered(subscription), endpoint.count
    clients.server.pushes.resume()

    assert held == (1, 0)
    assert [push.message_id for push in endpoint.pushes(1)] == [message_id]


def test_a_push_can_be_made_twice_at_the_same_time(clients: Clients, endpoint: Endpoint) -> None:
    topic = clients.a_topic()
    subscription = a_push(clients, topic, endpoint)
    both = threading.Barrier(2)
    endpoint.before = lambda: both.wait(WAIT_S)

    clients.server.pushes.twice()
    (doubled,) = clients.publish(topic)
    clients.moments("pushed to work", count=2)
    endpoint.before = lambda: None
    (single,) = clients.publish(topic)
    clients.moments("pushed to work", count=3)

    assert [push.message_id for push in endpoint.pushes(3)] == [doubled, doubled, single]
    assert clients.server.undelivered(subscription) == 0


def test_a_deleted_subscription_is_pushed_no_more(clients: Clients, endpoint: Endpoint) -> None:
    topic = clients.a_topic()
    clients.server.pushes.hold()
    subscription = a_push(clients, topic, endpoint)
    other = clients.a_subscription(topic, "other", push_config={"push_endpoint": endpoint.url})
    clients.publish(topic)

    clients.subscriber.delete_subscription(subscription=subscription)
    clients.server.pushes.resume()

    clients.moments("pushed to other")
    assert {push.body["subscription"] for push in endpoint.pushes(1)} == {other}
    assert f"{PROJECT}/subscriptions/work" == subscription
