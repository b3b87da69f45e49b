"""The box on a real subscription: the lab's Pub/Sub, and Google's emulator."""

import socket
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import queue
from lab.faults import Fault
from lab.pubsub.server import PubSub, Running
from lab.queue import Queue
from shared.errors import Mistake, PermanentFailure, TemporaryFailure
from subscriber.dead_letter import Sort
from subscriber.dead_letter_box import DeadLetterBox
from subscriber.dead_letter_replay import SETTLING, Outcome
from subscriber.dead_letter_subscription import LEASE_S, LEASES_LIMIT, DeadLetterSubscription
from subscriber.dead_letters import PubsubDeadLetters
from subscriber.ledger.memory import MemoryLedger
from subscriber.push import Delivered
from subscriber.topic import Topic
from subscriber.tried import is_refused
from tests.builders import Clock, a_body
from tests.emulators import ON_PUBSUB
from tests.fakes import FakeDeadLetters
from tests.lab.pubsub.clients import QUICK
from tests.subscriber.story import Story

NAME = "dbt-cloud-events-dead-letters"
QUIET_S = 1.0  # the emulator's first answer takes a while
PATIENCE_S = 30.0


@dataclass
class OnPubsub(FakeDeadLetters):
    """Leaves letters on the topic of `queue`."""

    queue: Queue = field(kw_only=True)

    def leave(self, data: bytes, attributes: Mapping[str, str], reason: str) -> None:
        PubsubDeadLetters(lambda: self.queue.dead_letters).leave(data, attributes, reason)


@dataclass
class Post:
    """The queue of a deployment, a subscriber that leaves its dead letters there, and the box.

    Minutes pass between what is left and who looks.
    """

    queue: Queue
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    def box(self, name: str = NAME) -> DeadLetterBox:
        letters = DeadLetterSubscription(
            lambda: self.queue.subscription(name),
            lambda: self.queue.dead_letters,
            wait_s=QUIET_S,
        )
        events = Topic("topic of events", "PUBSUB_TOPIC", lambda: self.queue.events)
        later = Clock(datetime.now(UTC) + SETTLING)
        return DeadLetterBox(letters, self.ledger, events, later)

    def story(self) -> Story:
        # Pub/Sub's time is the real one
        return Story(
            ledger=self.ledger,
            clock=Clock(datetime.now(UTC)),
            dead_letters=OnPubsub(queue=self.queue),
        )

    def subscribed(self, topic: str, name: str, **settings: Any) -> str:
        request = {"name": self.queue.subscription(name), "topic": topic, **settings}
        return str(self.queue.subscriber.create_subscription(request=request).name)

    def pull(self, subscription: str) -> list[Any]:
        answer = self.queue.subscriber.pull(
            subscription=subscription, max_messages=10, timeout=PATIENCE_S
        )
        return list(answer.received_messages)

    def publish(self, topic: str, data: bytes, *many: dict[str, str]) -> None:
        sent = [self.queue.publisher.publish(topic, data, **attributes) for attributes in many]
        for each in sent:
            each.result(PATIENCE_S)

    def leave(self, count: int) -> None:
        many = [{"colour": str(number), "reason": "not ours"} for number in range(count)]
        self.publish(self.queue.dead_letters, b"x", *many)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with PubSub(limits=QUICK).running() as running:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", running.host)
        yield running


@pytest.fixture
def lab(server: Running) -> Iterator[Post]:
    with queue.connected(server.host, "lab", signed=False) as made:
        made.create_topics()
        yield Post(made)


@pytest.fixture(params=["lab", pytest.param("emulator", marks=ON_PUBSUB)])
def post(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    if request.param == "lab":
        yield request.getfixturevalue("lab")
        return
    host = request.getfixturevalue("pubsub_emulator")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    with queue.connected(host, f"letters-{uuid.uuid4().hex[:12]}", signed=False) as made:
        made.create_topics()
        yield Post(made)


def test_an_action_refused_for_good_is_listed_with_its_reason_and_replayed(post: Post) -> None:
    story = post.story()
    story.alerts.failures = [PermanentFailure("events.pagerduty.com answered 400")]
    story.comes(a_body(run_id=100))

    (letter,) = post.box().listed().letters
    (result,) = post.box().replay([letter.id]).results
    story.clock.now = datetime.now(UTC) + SETTLING
    story.ticks()

    assert (letter.sort, letter.reason) == (Sort.ACTION, "events.pagerduty.com answered 400")
    assert letter.attributes["destination"] == "oncall"
    assert letter.attributes["verb"] == "open"
    assert result.outcome is Outcome.REOPENED
    assert [action.key for action in story.alerts.actions] == [letter.key]
    assert not post.box().listed().letters


def test_an_event_that_could_not_be_decided_on_is_listed_and_replayed(post: Post) -> None:
    class Unsure(MemoryLedger):
        """Has no place for what is decided, at first."""

        refuses = True

        def decide(self, *decision: Any) -> bool:
            if self.refuses:
                raise PermanentFailure("too big for the ledger")
            return super().decide(*decision)

    post.ledger = ledger = Unsure()
    story = post.story()
    story.comes(a_body(run_id=100))

    (letter,) = post.box().listed().letters
    ledger.refuses = False
    (result,) = post.box().replay([letter.id]).results
    story.clock.now = datetime.now(UTC) + SETTLING
    story.ticks()

    assert (letter.sort, letter.reason) == (Sort.EVENT, "too big for the ledger")
    assert result.outcome is Outcome.REOPENED
    assert len(story.alerts.actions) == 1


def test_a_message_that_is_not_ours_is_listed_and_published_again_as_it_came(post: Post) -> None:
    events = post.subscribed(post.queue.events, "events")
    story = post.story()
    story.processor.take(Delivered("1", b"hello", {"colour": "blue"}))

    (letter,) = post.box().listed().letters
    data = post.box().data(letter.id)
    (result,) = post.box().replay([letter.id]).results

    assert (letter.sort, letter.reason) == (Sort.UNREADABLE, "not a JSON object")
    assert data == b"hello"
    assert result.outcome is Outcome.PUBLISHED
    (again,) = post.pull(events)
    assert (again.message.data, dict(again.message.attributes)) == (b"hello", {"colour": "blue"})
    assert not post.box().listed().letters


def test_what_no_subscriber_took_is_listed_and_published_again_as_it_came(lab: Post) -> None:
    policy = {"dead_letter_topic": lab.queue.dead_letters, "max_delivery_attempts": 2}
    refused = lab.subscribed(lab.queue.events, "refused", dead_letter_policy=policy)
    own = {"content": "event", "event_id": "wev_1"}
    lab.publish(lab.queue.events, b"{}", own)
    for _ in range(2):
        (pulled,) = lab.pull(refused)
        lab.queue.subscriber.modify_ack_deadline(
            subscription=refused, ack_ids=[pulled.ack_id], ack_deadline_seconds=0
        )

    (letter,) = lab.box().listed().letters
    lab.box().replay([letter.id])

    assert (letter.sort, letter.key) == (Sort.UNDELIVERED, "wev_1")
    assert letter.reason == "refused gave up after 2 deliveries: no subscriber took it"
    (again,) = lab.pull(refused)
    assert (again.message.data, dict(again.message.attributes)) == (b"{}", own)


def test_many_letters_are_all_listed_and_to_look_at_them_changes_nothing(post: Post) -> None:
    count = LEASES_LIMIT + 50
    post.leave(count)

    first, second = post.box().listed(1_000), post.box().listed(1_000)

    assert {letter.attributes["colour"] for letter in first.letters} == set(map(str, range(count)))
    assert len(first.letters) == count
    assert not first.more
    assert [letter.id for letter in second.letters] == [letter.id for letter in first.letters]
    ages = [letter.published_at for letter in first.letters]
    assert ages == sorted(ages)


def test_two_who_look_at_once_do_no_harm(post: Post) -> None:
    post.leave(250)

    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(post.box().listed, 1_000) for _ in range(2)]
        seen = [letter.id for look in looks for letter in look.result().letters]

    # each sees what the other does not hold just then
    assert len(set(seen)) == 250
    assert len(post.box().listed(1_000).letters) == 250


def test_two_who_replay_at_once_reopen_an_action_once(post: Post) -> None:
    story = post.story()
    story.alerts.failures = [PermanentFailure("answered 400")]
    story.comes(a_body(run_id=100))

    with ThreadPoolExecutor(2) as pool:
        for replay in [pool.submit(post.box().replay_all) for _ in range(2)]:
            replay.result()
    story.clock.now = datetime.now(UTC) + SETTLING
    story.ticks()
    story.ticks()

    assert len(story.alerts.actions) == 1
    assert not post.box().listed().letters


def test_to_replay_one_letter_disturbs_no_other(post: Post) -> None:
    post.leave(3)
    letters = post.box().listed().letters

    post.box().replay([letters[1].id])

    left = [letter.id for letter in post.box().listed().letters]
    assert left == [letters[0].id, letters[2].id]


def test_a_letter_is_hidden_for_longer_than_its_subscription_would(lab: Post) -> None:
    lab.subscribed(lab.queue.dead_letters, "quick", ack_deadline_seconds=1)
    lab.leave(1)
    box = lab.box("quick")

    (message,) = box.letters.pull(10)
    assert not box.letters.pull(10)  # waits for as long as the subscription's own deadline
    assert not box.letters.pull(10)
    box.letters.give_back([message.lease])

    assert LEASE_S > 60
    assert len(box.letters.pull(10)) == 1


def test_a_missing_subscription_is_a_mistake_and_the_fix_is_said(post: Post) -> None:
    with pytest.raises(Mistake) as raised:
        post.box("nowhere").listed()

    project = f"projects/{post.queue.project}"
    assert str(raised.value) == (
        f"the subscription {project}/subscriptions/nowhere does not exist, so nothing keeps the "
        "dead letters; those left so far are lost. Create it: gcloud pubsub subscriptions create "
        f"{project}/subscriptions/nowhere --topic={project}/topics/{NAME} "
        "--message-retention-duration=31d --expiration-period=never --ack-deadline=60; "
        "or name another in DEAD_LETTER_SUBSCRIPTION"
    )


def test_a_subscription_of_another_topic_is_not_touched(post: Post) -> None:
    post.subscribed(post.queue.events, "events")

    with pytest.raises(Mistake, match=r"is one of .*dbt-cloud-events, not of the dead letters"):
        post.box("events").replay_all()


def test_a_subscription_that_pushes_keeps_nothing_to_look_at(post: Post) -> None:
    push = {"push_endpoint": "http://127.0.0.1:9/"}
    post.subscribed(post.queue.dead_letters, "pushed", push_config=push)

    with pytest.raises(Mistake, match="pushes what it gets"):
        post.box("pushed").listed()


def test_looking_never_makes_dead_letters_of_dead_letters(post: Post) -> None:
    policy = {"dead_letter_topic": post.queue.events, "max_delivery_attempts": 5}
    post.subscribed(post.queue.dead_letters, "giving", dead_letter_policy=policy)

    with pytest.raises(Mistake, match=r"after a number of looks.*--clear-dead-letter-policy$"):
        post.box("giving").listed()


def test_letters_are_still_there_when_their_topic_is_gone(lab: Post) -> None:
    lab.leave(1)
    lab.queue.publisher.delete_topic(topic=lab.queue.dead_letters)

    assert len(lab.box().listed().letters) == 1


@pytest.mark.parametrize("call", ["/GetSubscription", "/Pull", "/ModifyAckDeadline"])
def test_who_may_not_read_is_told_what_is_lacking(call: str, lab: Post, server: Running) -> None:
    lab.leave(1)
    server.faults.next(Fault("answer", status=403, path=call))

    with pytest.raises(PermanentFailure) as raised:
        lab.box().listed()

    name = f"projects/lab/subscriptions/{NAME}"
    assert str(raised.value) == (
        f"the subscription {name} may not be read: give this account "
        "roles/pubsub.subscriber and roles/pubsub.viewer on it: gcloud pubsub "
        f"subscriptions add-iam-policy-binding {name} --member=user:YOU "
        "--role=roles/pubsub.subscriber, and the same with --role=roles/pubsub.viewer"
    )


def test_a_pubsub_that_is_overloaded_is_a_temporary_failure(lab: Post, server: Running) -> None:
    server.faults.next(Fault("answer", status=429, path="/GetSubscription"))

    with pytest.raises(TemporaryFailure, match=r"dead-letters: ResourceExhausted$"):
        lab.box().listed()


def test_a_short_absence_is_waited_for(lab: Post, server: Running) -> None:
    lab.leave(1)
    for call in ("/GetSubscription", "/Pull", "/ModifyAckDeadline"):
        server.faults.next(Fault("answer", status=503, path=call), times=2)

    assert len(lab.box().listed().letters) == 1


def test_a_pubsub_that_cannot_be_reached_is_a_temporary_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    letters = DeadLetterSubscription(
        lambda: "projects/p/subscriptions/s", lambda: "projects/p/topics/t", call_s=0.5
    )

    with pytest.raises(TemporaryFailure, match=r"^the subscription projects/p/subscriptions/s: "):
        letters.check()


def test_a_letter_that_cannot_be_taken_away_stays_and_the_next_replay_ends_it(
    lab: Post, server: Running
) -> None:
    story = lab.story()
    story.alerts.failures = [PermanentFailure("answered 400")]
    story.comes(a_body(run_id=100))
    (letter,) = lab.box().listed().letters
    server.faults.next(Fault("answer", status=403, path="/Acknowledge"))

    (first,) = lab.box().replay([letter.id]).results
    (second,) = lab.box().replay([letter.id]).results

    assert first.outcome is Outcome.REOPENED
    assert "the letter stays" in first.reason
    assert (second.outcome, second.reason) == (Outcome.TAKEN, "it is due already")


def test_what_is_refused_again_after_a_replay_is_a_letter_again(lab: Post) -> None:
    story = lab.story()
    story.alerts.failures = [PermanentFailure("answered 400"), PermanentFailure("answered 401")]
    story.comes(a_body(run_id=100))
    (letter,) = lab.box().listed().letters

    lab.box().replay_all()
    story.clock.now = datetime.now(UTC) + timedelta(hours=1)
    story.ticks()

    work = lab.ledger.work(letter.key)
    assert work is not None
    assert is_refused(work)
    (again,) = lab.box().listed().letters
    assert (again.key, again.reason) == (letter.key, "answered 401")


def test_a_deployment_keeps_dead_letters_for_a_week_and_longer(post: Post) -> None:
    kept = post.queue.subscriber.get_subscription(subscription=post.queue.subscription(NAME))

    assert kept.message_retention_duration >= timedelta(days=7)
    assert kept.ack_deadline_seconds == 60
    assert not kept.expiration_policy.ttl


def test_a_message_that_cannot_be_published_again_stays_and_the_fix_is_said(lab: Post) -> None:
    lab.leave(1)
    lab.queue.publisher.delete_topic(topic=lab.queue.events)

    (result,) = lab.box().replay_all().results

    assert result.outcome is Outcome.KEPT
    assert result.reason == (
        "the topic of events projects/lab/topics/dbt-cloud-events takes nothing (NotFound): "
        "create it and give this account roles/pubsub.publisher on it, or set PUBSUB_TOPIC"
    )
    assert len(lab.box().listed().letters) == 1
