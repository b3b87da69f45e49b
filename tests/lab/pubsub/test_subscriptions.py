"""Subscriptions, as Google's client makes and changes them."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1 import PublisherClient, SubscriberClient

from lab.pubsub.server import PubSub
from tests.lab.pubsub.clients import PROJECT, Clients

ENDPOINT = "http://127.0.0.1:9/push"
DEAD = f"{PROJECT}/topics/dead"


def seconds(duration: Any) -> float:
    """The library hands out durations as timedeltas, though it says otherwise."""
    return float(duration.total_seconds())


def test_what_is_not_said_is_as_in_the_real_service(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(
        topic, retry_policy={}, dead_letter_policy={"dead_letter_topic": clients.a_topic("dead")}
    )

    described = clients.subscriber.get_subscription(subscription=subscription)

    assert described.topic == topic
    assert described.ack_deadline_seconds == 10
    assert seconds(described.message_retention_duration) == 7 * 86_400
    assert seconds(described.expiration_policy.ttl) == 31 * 86_400
    assert seconds(described.retry_policy.minimum_backoff) == 10
    assert seconds(described.retry_policy.maximum_backoff) == 600
    assert described.dead_letter_policy.max_delivery_attempts == 5


def test_an_expiration_of_never_stays_so(clients: Clients) -> None:
    subscription = clients.a_subscription(clients.a_topic(), expiration_policy={})

    described = clients.subscriber.get_subscription(subscription=subscription)

    assert not described.expiration_policy.ttl


def test_a_subscription_is_made_once_and_for_a_topic_that_exists(clients: Clients) -> None:
    topic = clients.a_topic()
    clients.a_subscription(topic)

    with pytest.raises(exceptions.AlreadyExists):
        clients.a_subscription(topic)
    with pytest.raises(exceptions.NotFound):
        clients.a_subscription(f"{PROJECT}/topics/missing", "other")


@pytest.mark.parametrize(
    "settings",
    [
        {"filter": "bogus("},
        {"filter": f'attributes.a = "{"b" * 256}"'},
        {"ack_deadline_seconds": -1},
        {"ack_deadline_seconds": 601},
        {"message_retention_duration": Duration(seconds=0, nanos=1)},
        {"message_retention_duration": Duration(seconds=31 * 86_400 + 1)},
        {"expiration_policy": {"ttl": Duration(seconds=86_399)}},
        {"retry_policy": {"minimum_backoff": Duration(seconds=601)}},
        {"retry_policy": {"maximum_backoff": Duration(seconds=601)}},
        {"retry_policy": {"minimum_backoff": Duration(seconds=-1)}},
        {
            "retry_policy": {
                "minimum_backoff": Duration(seconds=20),
                "maximum_backoff": Duration(seconds=19),
            }
        },
        {"dead_letter_policy": {"dead_letter_topic": "dead"}},
        {"push_config": {"push_endpoint": "https://example.com/push"}},
        {"push_config": {"push_endpoint": "no url"}},
        {"push_config": {"push_endpoint": "http://[127.0.0.1/"}},
        {"push_config": {"push_endpoint": ENDPOINT, "oidc_token": {"audience": "a"}}},
    ],
)
def test_what_the_real_service_refuses_is_refused(
    clients: Clients, settings: dict[str, Any]
) -> None:
    topic = clients.a_topic()
    clients.a_topic("dead")

    with pytest.raises(exceptions.InvalidArgument):
        clients.a_subscription(topic, **settings)


@pytest.mark.parametrize("attempts", [-1, 1, 101])
def test_a_number_of_attempts_that_is_out_of_range_is_refused(
    clients: Clients, attempts: int
) -> None:
    policy = {"dead_letter_topic": clients.a_topic("dead"), "max_delivery_attempts": attempts}

    with pytest.raises(exceptions.OutOfRange):
        clients.a_subscription(clients.a_topic(), dead_letter_policy=policy)


@pytest.mark.parametrize("name", ["ab", "1work", "googwork", "w" * 256, "wo/rk"])
def test_an_id_that_is_not_one_is_refused(clients: Clients, name: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        clients.a_subscription(clients.a_topic(), name)


@pytest.mark.parametrize(
    "settings",
    [
        {"enable_message_ordering": True},
        {"enable_exactly_once_delivery": True},
        {"bigquery_config": {"table": "t"}},
        {"push_config": {"push_endpoint": ENDPOINT, "no_wrapper": {"write_metadata": True}}},
    ],
)
def test_what_the_lab_does_not_do_is_refused_and_not_left_without_effect(
    clients: Clients, settings: dict[str, Any]
) -> None:
    with pytest.raises(exceptions.MethodNotImplemented):
        clients.a_subscription(clients.a_topic(), **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"ack_deadline_seconds": 9},
        {"message_retention_duration": Duration(seconds=599)},
        {"dead_letter_policy": {"dead_letter_topic": DEAD, "max_delivery_attempts": 4}},
    ],
)
def test_short_times_are_refused_unless_a_test_asks_for_them(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    with PubSub().running() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
        with PublisherClient() as publisher, SubscriberClient() as subscriber:
            publisher.create_topic(name=DEAD)
            request = {"name": f"{PROJECT}/subscriptions/work", "topic": DEAD, **settings}

            with pytest.raises((exceptions.InvalidArgument, exceptions.OutOfRange)):
                subscriber.create_subscription(request=request)


def test_an_unknown_dead_letter_topic_is_not_found(clients: Clients) -> None:
    with pytest.raises(exceptions.NotFound, match="resource=dead"):
        clients.a_subscription(clients.a_topic(), dead_letter_policy={"dead_letter_topic": DEAD})


def test_settings_change_where_the_mask_says_so(clients: Clients) -> None:
    subscription = clients.a_subscription(clients.a_topic(), retry_policy={}, labels={"a": "b"})

    answered = clients.subscriber.update_subscription(
        {
            "subscription": {
                "name": subscription,
                "ack_deadline_seconds": 60,
                "labels": {"c": "d"},
            },
            "update_mask": {"paths": ["ack_deadline_seconds", "retry_policy"]},
        }
    )

    assert answered == clients.subscriber.get_subscription(subscription=subscription)
    assert answered.ack_deadline_seconds == 60
    assert not answered.retry_policy, "named by the mask and not given"
    assert dict(answered.labels) == {"a": "b"}, "given and not named"


@pytest.mark.parametrize("paths", [[], ["filter"], ["topic"], ["enable_message_ordering"], ["x"]])
def test_topic_filter_and_ordering_never_change(clients: Clients, paths: list[str]) -> None:
    subscription = clients.a_subscription(clients.a_topic(), filter="attributes:a")

    with pytest.raises(exceptions.InvalidArgument):
        clients.subscriber.update_subscription(
            {
                "subscription": {"name": subscription, "filter": "attributes:b"},
                "update_mask": {"paths": paths},
            }
        )

    described = clients.subscriber.get_subscription(subscription=subscription)
    assert described.filter == "attributes:a"


def test_a_change_that_is_refused_changes_nothing(clients: Clients) -> None:
    subscription = clients.a_subscription(clients.a_topic())
    before = clients.subscriber.get_subscription(subscription=subscription)

    with pytest.raises(exceptions.InvalidArgument):
        clients.subscriber.update_subscription(
            {
                "subscription": {"name": subscription, "ack_deadline_seconds": 601},
                "update_mask": {"paths": ["ack_deadline_seconds"]},
            }
        )
    with pytest.raises(exceptions.NotFound):
        clients.subscriber.update_subscription(
            {
                "subscription": {
                    "name": subscription,
                    "dead_letter_policy": {"dead_letter_topic": DEAD},
                },
                "update_mask": {"paths": ["dead_letter_policy"]},
            }
        )

    assert clients.subscriber.get_subscription(subscription=subscription) == before


def test_subscriptions_are_listed_by_project_in_pages(clients: Clients) -> None:
    topic = clients.a_topic()
    ours = [clients.a_subscription(topic, f"work-{number}") for number in range(3)]

    pager = clients.subscriber.list_subscriptions(request={"project": PROJECT, "page_size": 2})

    assert [[each.name for each in page.subscriptions] for page in pager.pages] == [
        ours[:2],
        ours[2:],
    ]
    assert not list(clients.subscriber.list_subscriptions(project="projects/other"))


def test_a_deleted_subscription_is_gone_with_what_it_held(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    clients.publish(topic)

    clients.subscriber.delete_subscription(subscription=subscription)

    with pytest.raises(exceptions.NotFound):
        clients.subscriber.get_subscription(subscription=subscription)
    with pytest.raises(exceptions.NotFound):
        clients.pull(subscription)
    clients.a_subscription(topic)
    assert clients.has_nothing_due(subscription)


def test_what_a_filter_holds_back_is_acknowledged_by_the_service(clients: Clients) -> None:
    topic = clients.a_topic()
    events = clients.a_subscription(topic, "only-events", filter='attributes.content = "event"')

    clients.publish(
        topic,
        {"data": b"1", "attributes": {"content": "event"}},
        {"data": b"2", "attributes": {"content": "tick"}},
        {"data": b"3"},
    )

    assert [each.message.data for each in clients.pull(events)] == [b"1"]
    assert clients.server.undelivered(events) == 1


def test_seeking_is_not_done_and_says_so(clients: Clients) -> None:
    subscription = clients.a_subscription(clients.a_topic())

    with pytest.raises(exceptions.MethodNotImplemented):
        clients.subscriber.seek(request={"subscription": subscription, "snapshot": "s"}, retry=None)
