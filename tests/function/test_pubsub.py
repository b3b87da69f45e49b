"""Sending to Pub/Sub: what it refuses, and what that means for the events of the request."""

import asyncio
import itertools
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc
import pytest

from function.publisher import RefusedMessages
from function.pubsub import PubSubTopic
from function.webhook import Message, message
from shared.errors import Failure, PermanentFailure, TemporaryFailure
from shared.settings import GoogleProject
from tests.builders import NOW, a_body
from tests.function.door import Door, in_front_of
from tests.function.scripted import Answering, publishing
from tests.function.served import Topic, free_port

T = TypeVar("T")

FULL_NAME = "projects/lab/topics/dbt-cloud-events"


def a_topic(host: str, name: str = "dbt-cloud-events") -> PubSubTopic:
    return PubSubTopic(name, GoogleProject("lab"), host)


def messages(count: int = 1) -> list[Message]:
    return [message(a_body(event_id=f"wev_{number}"), NOW) for number in range(count)]


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def refusing(code: grpc.StatusCode) -> Answering:
    def answer(request: Any, context: grpc.ServicerContext) -> list[str]:
        context.abort(code, "as the test asked")

    return answer


def test_messages_are_sent_with_data_and_attributes_and_their_ids_are_in_order(topic: Topic):
    sent = messages(3)

    ids = run(a_topic(topic.server.host).send(sent))

    received = topic.take(3)
    assert [one.message_id for one in received] == ids
    assert [one.data for one in received] == [one.data for one in sent]
    assert [dict(one.attributes) for one in received] == [one.attributes for one in sent]


def test_a_topic_may_be_given_by_its_full_name(topic: Topic):
    assert run(a_topic(topic.server.host, FULL_NAME).send(messages()))


def test_an_attribute_over_the_limit_is_called_a_refused_message(topic: Topic):
    too_long = Message(b"{}", {"event_id": "x" * 1025})

    with pytest.raises(RefusedMessages):
        run(a_topic(topic.server.host).send([*messages(), too_long]))
    assert topic.is_empty


def test_a_topic_that_does_not_exist_is_named_together_with_the_fix(topic: Topic):
    with pytest.raises(PermanentFailure, match=r"projects/lab/topics/another.*PUBSUB_TOPIC"):
        run(a_topic(topic.server.host, "another").send(messages()))


def test_a_missing_permission_is_named_together_with_the_fix():
    with (
        publishing(refusing(grpc.StatusCode.PERMISSION_DENIED)) as host,
        pytest.raises(PermanentFailure, match=f"{FULL_NAME}.*roles/pubsub.publisher"),
    ):
        run(a_topic(host).send(messages()))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, RefusedMessages),
        (grpc.StatusCode.UNAUTHENTICATED, PermanentFailure),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, TemporaryFailure),
        (grpc.StatusCode.DEADLINE_EXCEEDED, TemporaryFailure),
        (grpc.StatusCode.FAILED_PRECONDITION, TemporaryFailure),
        (grpc.StatusCode.CANCELLED, TemporaryFailure),
    ],
)
def test_other_refusals_are_failures_that_quote_nothing(code: grpc.StatusCode, kind: type[Failure]):
    with publishing(refusing(code)) as host, pytest.raises(kind) as failure:
        run(a_topic(host).send(messages()))

    assert "as the test asked" not in str(failure.value)


def test_what_passes_by_itself_is_tried_again():
    refusals = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL]

    def answer(request: Any, context: grpc.ServicerContext) -> list[str]:
        if refusals:
            context.abort(refusals.pop(0), "for now")
        return ["1"]

    with publishing(answer) as host:
        assert run(a_topic(host).send(messages())) == ["1"]


def test_its_time_is_for_all_tries_together():
    calls, release = itertools.count(), threading.Event()

    def answer(request: Any, context: grpc.ServicerContext) -> list[str]:
        release.wait(3.5 if next(calls) == 0 else 20)
        context.abort(grpc.StatusCode.UNAVAILABLE, "for now")

    with publishing(answer) as host:
        began = time.monotonic()
        with pytest.raises(TemporaryFailure):
            run(a_topic(host).send(messages()))
        took_s = time.monotonic() - began
        release.set()

    assert next(calls) == 2
    assert 4 < took_s < 6


def test_an_answer_that_does_not_name_every_message_is_not_believed():
    with (
        publishing(lambda request, context: ["1"]) as host,
        pytest.raises(TemporaryFailure, match="every message"),
    ):
        run(a_topic(host).send(messages(2)))


def test_it_is_ready_once_it_is_connected(topic: Topic):
    run(a_topic(topic.server.host).ready(5.0))


def test_it_is_not_ready_while_nobody_listens():
    with pytest.raises(TemporaryFailure, match="no connection"):
        run(a_topic(f"127.0.0.1:{free_port()}").ready(0.05))


def test_after_an_outage_the_next_event_is_stored(topic: Topic):
    async def meet(door: Door) -> list[str]:
        client = a_topic(door.host)
        # each takes all the time there is: the library's pauses between connections grow meanwhile
        for _ in range(4):
            with pytest.raises(TemporaryFailure):
                await client.send(messages())
        door.is_open.set()
        return await client.send(messages())

    with in_front_of(topic.server.host) as door:
        ids = run(meet(door))

    assert len(ids) == 1
