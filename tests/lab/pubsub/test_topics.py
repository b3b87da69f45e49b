"""Topics, as Google's client sees them."""

import pytest
from google.api_core import exceptions
from google.protobuf.duration_pb2 import Duration

from tests.lab.pubsub.clients import PROJECT, Clients


def test_a_topic_is_found_once_it_is_created(clients: Clients) -> None:
    topic = clients.a_topic("events")

    assert clients.publisher.get_topic(topic=topic).name == f"{PROJECT}/topics/events"


def test_a_topic_is_created_once(clients: Clients) -> None:
    topic = clients.a_topic()

    with pytest.raises(exceptions.AlreadyExists, match="resource=events"):
        clients.publisher.create_topic(name=topic)


@pytest.mark.parametrize(
    "name",
    [
        "events",
        f"{PROJECT}/topics/ab",
        f"{PROJECT}/topics/1events",
        f"{PROJECT}/topics/google",
        f"{PROJECT}/topics/with space",
        f"{PROJECT}/topics/{'a' * 256}",
        f"{PROJECT}/subscriptions/events",
        "projects//topics/events",
    ],
)
def test_a_name_that_is_not_one_is_refused(clients: Clients, name: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        clients.publisher.create_topic(name=name)


def test_what_does_not_exist_is_not_found(clients: Clients) -> None:
    missing = f"{PROJECT}/topics/missing"

    for call in (
        clients.publisher.get_topic,
        clients.publisher.delete_topic,
        clients.publisher.list_topic_subscriptions,
    ):
        with pytest.raises(exceptions.NotFound, match="resource=missing"):
            call(topic=missing)
    with pytest.raises(exceptions.NotFound):
        clients.publish(missing)


def test_topics_are_listed_by_project_in_pages(clients: Clients) -> None:
    ours = [clients.a_topic(f"topic-{number}") for number in range(5)]
    clients.publisher.create_topic(name="projects/other/topics/elsewhere")

    pager = clients.publisher.list_topics(request={"project": PROJECT, "page_size": 2})
    pages = [[topic.name for topic in page.topics] for page in pager.pages]

    assert pages == [ours[:2], ours[2:4], ours[4:]]


def test_labels_and_retention_can_be_changed(clients: Clients) -> None:
    topic = clients.a_topic()

    wanted = {
        "name": topic,
        "labels": {"team": "data"},
        "message_retention_duration": Duration(seconds=3_600),
    }
    clients.publisher.update_topic({"topic": wanted, "update_mask": {"paths": ["labels"]}})

    changed = clients.publisher.get_topic(topic=topic)
    assert dict(changed.labels) == {"team": "data"}
    assert not changed.message_retention_duration


@pytest.mark.parametrize("paths", [[], ["name"], ["bogus"]])
def test_nothing_else_of_a_topic_can_be_changed(clients: Clients, paths: list[str]) -> None:
    topic = clients.a_topic()

    with pytest.raises(exceptions.InvalidArgument):
        clients.publisher.update_topic({"topic": {"name": topic}, "update_mask": {"paths": paths}})


def test_what_the_lab_does_not_do_is_refused(clients: Clients) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match="kms_key_name"):
        clients.publisher.create_topic(
            request={"name": f"{PROJECT}/topics/events", "kms_key_name": "key"}
        )


def test_subscriptions_outlive_their_topic_with_what_they_hold(clients: Clients) -> None:
    topic = clients.a_topic()
    subscription = clients.a_subscription(topic)
    listed = list(clients.publisher.list_topic_subscriptions(topic=topic))
    (message_id,) = clients.publish(topic)

    clients.publisher.delete_topic(topic=topic)

    assert listed == [subscription]
    described = clients.subscriber.get_subscription(subscription=subscription)
    assert described.topic == "_deleted-topic_"
    assert [each.message.message_id for each in clients.pull(subscription)] == [message_id]
    with pytest.raises(exceptions.NotFound):
        clients.publish(topic)
