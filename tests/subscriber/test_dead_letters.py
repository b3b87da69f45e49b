"""Dead letters: within Pub/Sub's limits, and on its topic with all that came with them."""

from collections.abc import Iterator

import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient
from hypothesis import given
from hypothesis import strategies as st

from lab.faults import Fault
from lab.pubsub import limits
from lab.pubsub.messages import Content
from lab.pubsub.server import PubSub
from shared.attributes import cut
from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.dead_letters import ATTRIBUTES_LIMIT, PubsubDeadLetters, marked
from tests.emulators import ON_PUBSUB
from tests.lab.pubsub.clients import PROJECT, QUICK, Clients

TOPIC = f"{PROJECT}/topics/letters"


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    with PubSub(limits=QUICK).running() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
        with Clients.on(server) as made:
            yield made


def a_letterbox(topic: str = TOPIC) -> PubsubDeadLetters:
    return PubsubDeadLetters(lambda: topic)


def test_a_dead_letter_arrives_with_its_attributes_and_the_reason(clients: Clients) -> None:
    letters = clients.a_subscription(clients.a_topic("letters"))

    a_letterbox().leave(b'{"a": 1}', {"content": "action"}, "events.pagerduty.com answered 400")

    (letter,) = clients.pull(letters)
    assert letter.message.data == b'{"a": 1}'
    assert dict(letter.message.attributes) == {
        "content": "action",
        "reason": "events.pagerduty.com answered 400",
    }


@ON_PUBSUB
def test_it_does_so_on_googles_emulator_too(
    pubsub_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator)
    topic, read = (
        f"projects/dead-letters/{name}" for name in ("topics/left", "subscriptions/read")
    )
    with PublisherClient() as publisher, SubscriberClient() as subscriber:
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=read, topic=topic)

        a_letterbox(topic).leave(b"x", {"colour": "blue"}, "why")

        pulled = subscriber.pull(subscription=read, max_messages=1, timeout=30).received_messages
    assert dict(pulled[0].message.attributes) == {"colour": "blue", "reason": "why"}


@pytest.mark.parametrize("name", ["topic", "data", "timeout", "retry", "ordering_key", "self"])
def test_an_attribute_may_have_any_name(name: str, clients: Clients) -> None:
    letters = clients.a_subscription(clients.a_topic("letters"))

    a_letterbox().leave(b"x", {name: "blue"}, "why")

    (letter,) = clients.pull(letters)
    assert letter.message.attributes[name] == "blue"


def test_an_empty_message_can_be_left(clients: Clients) -> None:
    letters = clients.a_subscription(clients.a_topic("letters"))

    a_letterbox().leave(b"", {}, "not a JSON object")

    (letter,) = clients.pull(letters)
    assert letter.message.attributes["reason"] == "not a JSON object"


def test_a_missing_topic_is_permanent_and_the_fix_is_said(clients: Clients) -> None:
    with pytest.raises(PermanentFailure) as raised:
        a_letterbox().leave(b"x", {}, "why")

    assert str(raised.value) == (
        f"the dead-letter topic {TOPIC} takes nothing (NotFound): create it and give this "
        "account roles/pubsub.publisher on it, or set DEAD_LETTER_TOPIC"
    )


def test_a_missing_permission_is_permanent(clients: Clients) -> None:
    clients.a_topic("letters")
    clients.server.faults.next(Fault("answer", status=403, path="/Publish"))

    with pytest.raises(PermanentFailure, match=r"PermissionDenied.*roles/pubsub\.publisher"):
        a_letterbox().leave(b"x", {}, "why")


def test_what_pubsub_takes_from_nobody_is_permanent(clients: Clients) -> None:
    clients.a_topic("letters")

    with pytest.raises(PermanentFailure, match="not valid, or too large"):
        a_letterbox().leave(b"x" * 10_000_001, {}, "why")


def test_a_topic_that_is_not_known_is_permanent() -> None:
    def unknown() -> str:
        raise PermanentFailure("no Google Cloud project is known")

    with pytest.raises(PermanentFailure, match="no Google Cloud project"):
        PubsubDeadLetters(unknown).leave(b"x", {}, "why")


def test_a_short_absence_is_waited_for(clients: Clients) -> None:
    letters = clients.a_subscription(clients.a_topic("letters"))
    clients.server.faults.next(Fault("answer", status=503, path="/Publish"), times=2)

    a_letterbox().leave(b"x", {}, "why")

    assert clients.pull(letters)


def test_being_told_to_slow_down_is_temporary(clients: Clients) -> None:
    clients.a_topic("letters")
    clients.server.faults.next(Fault("answer", status=429, path="/Publish"))

    with pytest.raises(TemporaryFailure, match=r"^the dead-letter topic: ResourceExhausted$"):
        a_letterbox().leave(b"x", {}, "why")


def test_the_reason_takes_the_place_of_an_older_one() -> None:
    assert marked({"reason": "old"}, "new") == {"reason": "new"}


@pytest.mark.parametrize(
    "name",
    [
        "CloudPubSubDeadLetterSourceSubscription",
        "CloudPubSubDeadLetterSourceDeliveryCount",
        "googclient_schemaencoding",
        "goog",
        "",
    ],
)
def test_what_pubsub_added_is_left_out(name: str) -> None:
    assert marked({name: "x", "colour": "blue"}, "why") == {"colour": "blue", "reason": "why"}


def test_more_attributes_than_pubsub_takes_are_left_out() -> None:
    kept = marked({f"name {i}": "x" for i in range(150)}, "why")

    assert len(kept) == ATTRIBUTES_LIMIT + 1
    assert kept["reason"] == "why"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * 1_024, "x" * 1_024),
        ("x" * 1_025, "x" * 1_024),
        ("é" * 600, "é" * 512),
        ("x" + "🙂" * 300, "x" + "🙂" * 255),
        ("half \ud83d", "half ?"),
    ],
)
def test_values_are_cut_by_bytes_and_between_characters(text: str, kept: str) -> None:
    assert cut(text) == kept
    assert marked({"a": text}, text) == {"a": kept, "reason": kept}


@given(st.dictionaries(st.text(max_size=300), st.text(max_size=600), max_size=12), st.text())
def test_whatever_a_message_had_its_dead_letter_is_taken(
    attributes: dict[str, str], reason: str
) -> None:
    limits.check_contents([Content(b"x", marked(attributes, reason), "")])
