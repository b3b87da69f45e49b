"""Pulling from a real subscription: the lab's Pub/Sub, and Google's emulator."""

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cli.work.pulling import Subscription
from cli.work.streaming import THREADS
from lab import queue
from lab.faults import Fault
from lab.pubsub.server import PubSub, Running
from lab.queue import Queue
from shared.errors import Mistake, PermanentFailure, TemporaryFailure
from subscriber.push import Delivered
from tests.emulators import ON_PUBSUB
from tests.lab.pubsub.clients import QUICK

PATIENCE_S = 30.0


@dataclass
class Heard:
    """What came, and whether the stream has ended. `answer` is given to each message."""

    answer: Callable[[], bool] = lambda: True
    messages: list[Delivered] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, delivered: Delivered) -> bool:
        with self._changed:
            self.messages.append(delivered)
            self._changed.notify_all()
        return self.answer()

    def count(self, wanted: int, within_s: float = PATIENCE_S) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.messages) >= wanted, within_s)


@dataclass(frozen=True)
class Post:
    queue: Queue
    host: str

    def subscription(self, name: str = "dbt-cloud-events") -> Subscription:
        return Subscription(self.queue.subscription(name), self.queue.events, self.host)

    def subscribed(self, name: str = "dbt-cloud-events", **settings: Any) -> str:
        request = {
            "name": self.queue.subscription(name),
            "topic": self.queue.events,
            "ack_deadline_seconds": 10,
            **settings,
        }
        return str(self.queue.subscriber.create_subscription(request=request).name)

    def publish(self, *texts: str) -> None:
        for text in texts:
            sent = self.queue.publisher.publish(self.queue.events, text.encode(), content="event")
            sent.result(PATIENCE_S)


@pytest.fixture
def server() -> Iterator[Running]:
    with PubSub(limits=QUICK).running() as running:
        yield running


@pytest.fixture
def lab(server: Running) -> Iterator[Post]:
    with queue.connected(server.host, "lab", signed=False) as made:
        made.create_topics()
        yield Post(made, server.host)


@pytest.fixture(params=["lab", pytest.param("emulator", marks=ON_PUBSUB)])
def post(request: pytest.FixtureRequest) -> Iterator[Post]:
    if request.param == "lab":
        yield request.getfixturevalue("lab")
        return
    host = request.getfixturevalue("pubsub_emulator")
    with queue.connected(host, f"pull-{uuid.uuid4().hex[:12]}", signed=False) as made:
        made.create_topics()
        yield Post(made, host)


def test_messages_come_with_all_that_they_hold(post: Post) -> None:
    post.subscribed()
    post.publish("hello")
    heard = Heard()

    stream = post.subscription().open(heard, heard.ended.set)

    assert heard.count(1)
    (message,) = heard.messages
    assert (message.data, message.attributes) == (b"hello", {"content": "event"})
    assert message.id
    assert stream.failure() is None
    assert stream.close(PATIENCE_S)


def test_what_is_given_back_comes_again(post: Post) -> None:
    post.subscribed()
    post.publish("hello")
    heard = Heard(lambda: False)

    stream = post.subscription().open(heard, heard.ended.set)

    assert heard.count(2)
    assert {message.data for message in heard.messages} == {b"hello"}
    assert stream.close(PATIENCE_S)


def test_what_is_acknowledged_does_not_come_again(lab: Post, server: Running) -> None:
    lab.subscribed()
    lab.publish("hello", "another")
    heard = Heard()

    stream = lab.subscription().open(heard, heard.ended.set)
    assert heard.count(2)

    assert stream.close(PATIENCE_S)
    assert server.undelivered(lab.queue.subscription("dbt-cloud-events")) == 0


def test_no_more_are_taken_at_once_than_there_are_threads(lab: Post) -> None:
    lab.subscribed()
    lab.publish(*(str(number) for number in range(THREADS + 5)))
    goes_on = threading.Event()

    mine, others = Heard(goes_on.wait), Heard()
    stream = lab.subscription().open(mine, mine.ended.set)
    assert mine.count(THREADS)

    # what is beyond is free for others
    second = lab.subscription().open(others, others.ended.set)
    assert others.count(5)
    assert len(mine.messages) == THREADS
    goes_on.set()
    assert stream.close(PATIENCE_S)
    assert second.close(PATIENCE_S)


def test_a_message_stays_leased_for_as_long_as_it_is_being_taken(
    lab: Post, server: Running
) -> None:
    lab.subscribed()
    lab.publish("slow")
    goes_on = threading.Event()
    heard = Heard(goes_on.wait)
    quick = replace(lab.subscription(), lease_s=1, extend_every_s=0.2)
    stream = quick.open(heard, heard.ended.set)
    assert heard.count(1)

    # for twice the lease, nobody is given it again
    assert not heard.count(2, within_s=2.0)
    goes_on.set()
    assert stream.close(PATIENCE_S)
    assert server.undelivered(lab.queue.subscription("dbt-cloud-events")) == 0


def test_what_is_no_longer_extended_comes_again(lab: Post) -> None:
    lab.subscribed()
    lab.publish("slow")
    goes_on = threading.Event()
    heard = Heard(goes_on.wait)
    never = replace(lab.subscription(), lease_s=1, extend_every_s=3_600)
    stream = never.open(heard, heard.ended.set)

    assert heard.count(2)
    goes_on.set()
    assert stream.close(PATIENCE_S)


def test_closing_waits_for_what_is_being_taken_and_acknowledges_it(
    lab: Post, server: Running
) -> None:
    lab.subscribed()
    lab.publish("slow", "another")
    goes_on = threading.Event()
    heard = Heard(goes_on.wait)
    stream = lab.subscription().open(heard, heard.ended.set)
    assert heard.count(2)

    is_closed: list[bool] = []
    closing = threading.Thread(target=lambda: is_closed.append(stream.close(PATIENCE_S)))
    closing.start()
    goes_on.set()
    closing.join(PATIENCE_S)

    assert is_closed == [True]
    assert server.undelivered(lab.queue.subscription("dbt-cloud-events")) == 0


def test_closing_says_when_something_does_not_end_in_time(lab: Post) -> None:
    lab.subscribed()
    lab.publish("slow")
    goes_on = threading.Event()
    heard = Heard(goes_on.wait)
    stream = lab.subscription().open(heard, heard.ended.set)
    assert heard.count(1)

    in_time = stream.close(0.01)
    goes_on.set()

    assert in_time is False


def test_a_stream_that_breaks_has_ended_and_leaves_nothing_behind(
    lab: Post, server: Running
) -> None:
    lab.subscribed()
    server.faults.next(Fault("answer", 503, path="/StreamingPull"))
    broken, heard = Heard(), Heard()

    stream = lab.subscription().open(broken, broken.ended.set)
    assert broken.ended.wait(PATIENCE_S)
    failure = stream.failure()
    stream.close(PATIENCE_S)

    another = lab.subscription().open(heard, heard.ended.set)
    lab.publish("hello")
    assert heard.count(1)
    assert another.close(PATIENCE_S)
    assert isinstance(failure, TemporaryFailure)
    assert broken.messages == []


def test_a_subscription_that_can_be_pulled_from_is_all_right(post: Post) -> None:
    post.subscribed()

    post.subscription().check()


def test_one_that_does_not_exist_is_a_mistake_with_the_command_that_creates_it(post: Post) -> None:
    subscription = post.subscription()

    with pytest.raises(Mistake) as mistake:
        subscription.check()

    assert str(mistake.value) == (
        f"the subscription {subscription.name} does not exist; create it: gcloud pubsub "
        f"subscriptions create {subscription.name} --topic={subscription.topic} "
        "--ack-deadline=60 --expiration-period=never; or name another: --subscription, "
        "PUBSUB_SUBSCRIPTION"
    )


def test_one_that_is_pushed_is_a_mistake_with_the_way_out(post: Post) -> None:
    post.subscribed(push_config={"push_endpoint": "http://127.0.0.1:9/"})

    with pytest.raises(Mistake, match="is pushed, or exported, by Pub/Sub") as mistake:
        post.subscription().check()
    assert "--subscription dbt-cloud-events-pull" in str(mistake.value)


def test_one_of_another_topic_is_a_mistake(post: Post) -> None:
    name = "dbt-cloud-events-dead-letters"

    with pytest.raises(Mistake, match=r"is one of .*dead-letters, not of .*/dbt-cloud-events:"):
        post.subscription(name).check()


def test_one_whose_topic_was_deleted_is_a_mistake(post: Post) -> None:
    post.subscribed()
    post.queue.publisher.delete_topic(topic=post.queue.events)

    with pytest.raises(Mistake, match="has lost its topic"):
        post.subscription().check()


def test_whoever_may_pull_but_not_look_can_work(lab: Post, server: Running) -> None:
    lab.subscribed()
    server.faults.next(Fault("answer", 403, path="/GetSubscription"))

    lab.subscription().check()


@pytest.mark.parametrize(
    ("status", "failure", "says"),
    [
        (403, PermanentFailure, "--role=roles/pubsub.subscriber"),
        (404, Mistake, "gcloud pubsub subscriptions create"),
        (400, PermanentFailure, "not a call it takes"),
    ],
)
def test_a_stream_that_is_refused_ends_and_says_why(
    lab: Post, server: Running, status: int, failure: type[Exception], says: str
) -> None:
    lab.subscribed()
    server.faults.next(Fault("answer", status, path="/StreamingPull"))
    heard = Heard()

    stream = lab.subscription().open(heard, heard.ended.set)

    assert heard.ended.wait(PATIENCE_S)
    why = stream.failure()
    assert isinstance(why, failure)
    assert says in str(why)
    assert stream.close(PATIENCE_S)


def test_a_stream_of_a_subscription_that_is_pushed_ends_and_says_so(post: Post) -> None:
    post.subscribed(push_config={"push_endpoint": "http://127.0.0.1:9/"})
    heard = Heard()

    stream = post.subscription().open(heard, heard.ended.set)

    assert heard.ended.wait(PATIENCE_S)
    assert "is pushed, or exported, by Pub/Sub" in str(stream.failure())


def test_a_pubsub_that_cannot_be_reached_is_a_temporary_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
    subscription = Subscription("projects/p/subscriptions/s", "projects/p/topics/t", host)

    with pytest.raises(TemporaryFailure, match=f"Pub/Sub does not answer at {host}"):
        subscription.check()


def test_without_credentials_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))

    with pytest.raises(PermanentFailure, match="gcloud auth application-default login"):
        Subscription("projects/p/subscriptions/s", "projects/p/topics/t").check()


def test_credentials_that_google_does_not_take_are_not_taken_for_a_network_that_is_away(
    lab: Post, server: Running
) -> None:
    lab.subscribed()
    refused = "Getting metadata from plugin failed with error: invalid_grant"
    server.faults.next(Fault("answer", 503, body=refused, path="/GetSubscription"), times=100)

    with pytest.raises(TemporaryFailure, match="print-access-token"):
        lab.subscription().check()
