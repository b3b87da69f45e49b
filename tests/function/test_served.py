"""The receiver as a process: every row of its table, over loopback, with a real Pub/Sub."""

import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.faults import Fault
from tests.builders import a_body, signed
from tests.function.served import SECRET, Receiver, Topic, read_answer

HEAD = b"POST / HTTP/1.1\r\nHost: afterrun\r\n"


def test_an_authentic_webhook_is_in_pubsub_when_it_is_accepted(receiver: Receiver, topic: Topic):
    body = a_body(event_id="wev_7")

    answer = receiver.post(body)

    [message] = topic.take()
    assert answer.status == 202
    assert answer.told == {"eventId": "wev_7", "messageId": message.message_id}
    assert message.data == body
    assert message.attributes["event_id"] == "wev_7"
    assert message.attributes["content"] == "event"


@pytest.mark.parametrize("body", [b"", b"not JSON", a_body(event_type="job.run.paused")])
def test_an_authentic_body_that_is_unreadable_is_published_as_it_is(
    receiver: Receiver, topic: Topic, body: bytes
):
    answer = receiver.post(body)

    [message] = topic.take()
    assert answer.status == 202
    assert message.data == body
    assert message.attributes["content"] == "unreadable"


def test_odd_values_do_not_exceed_what_pubsub_accepts(receiver: Receiver, topic: Topic):
    body = a_body(event_id="é" * 5000).replace(b": 20,", b": " + b"9" * 4000 + b",")

    answer = receiver.post(body)

    assert answer.status == 202
    assert topic.take()[0].data == body


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Authorization: \r\n",
        b"Authorization: " + b"0" * 64 + b"\r\n",
        b"Authorization: " + b"\xe9" * 64 + b"\r\n",
        b"Authorization: Bearer " + b"0" * 64 + b"\r\n",
        (b"Authorization: " + signed(b"{}", SECRET).encode() + b"\r\n") * 2,
    ],
)
def test_whatever_is_wrong_with_a_signature_the_answer_is_the_same(
    receiver: Receiver, topic: Topic, authorization: bytes
):
    request = HEAD + authorization + b"Content-Length: 2\r\n\r\n{}"

    with receiver.connected(request) as connection:
        answer = read_answer(connection)

    assert answer.status == 401
    assert answer.body == b'{"error": "invalid signature"}'
    assert topic.is_empty


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 262145\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n"
        b"20000\r\n"
        + b"x" * 0x20000
        + b"\r\n20001\r\n"
        # one chunk within the limit, and of the next all but its end
        + b"x" * 0x20001,
    ],
    ids=["announced", "chunked"],
)
def test_a_body_over_the_limit_is_refused_without_the_rest_of_it(
    receiver: Receiver, topic: Topic, rest: bytes
):
    with receiver.connected(HEAD + rest) as connection:
        answer = read_answer(connection)

        assert answer.status == 413
        assert answer.headers["connection"] == "close"
        assert connection.recv(1) == b""
    assert topic.is_empty


def test_a_body_of_exactly_the_limit_is_accepted(receiver: Receiver, topic: Topic):
    body = b"x" * 256 * 1024

    assert receiver.post(body).status == 202
    assert topic.take()[0].data == body


def test_a_body_that_dribbles_is_given_up(receiver: Receiver, topic: Topic):
    began = time.monotonic()

    with receiver.connected(HEAD + b"Content-Length: 1000\r\n\r\n{") as connection:
        connection.settimeout(0.2)
        while not _has_answered(connection):
            connection.sendall(b" ")
        connection.settimeout(5)
        answer = read_answer(connection)

    assert answer.status == 408
    assert answer.headers["connection"] == "close"
    assert 4.9 < time.monotonic() - began < 8
    assert topic.is_empty


def test_a_client_that_leaves_while_sending_leaves_one_warning(receiver: Receiver, topic: Topic):
    before = len(receiver.lines)
    with receiver.connected(HEAD + b"Content-Length: 1000\r\n\r\n{") as connection:
        # a reset, as from a client that was killed
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    [line] = receiver.next_lines(before, 1)
    assert line["severity"] == "WARNING"
    assert line["reason"] == "client left while it was sending"
    assert topic.is_empty


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_not_allowed(receiver: Receiver, method: str):
    answer = receiver.ask(method)

    assert answer.status == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_is_healthy_when_it_can_verify_and_publish(receiver: Receiver, method: str):
    assert receiver.ask(method, "/health").status == 200


@pytest.mark.parametrize("status", [404, 504])
def test_what_pubsub_refuses_is_to_be_sent_again(receiver: Receiver, topic: Topic, status: int):
    topic.server.faults.next(Fault("answer", status=status, path="/Publish"))

    answer = receiver.post(a_body())

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert topic.is_empty


def test_a_passing_fault_of_pubsub_is_not_noticed(receiver: Receiver, topic: Topic):
    topic.server.faults.next(Fault("answer", status=503, path="/Publish"), times=2)
    body = a_body()

    assert receiver.post(body).status == 202
    assert topic.take()[0].data == body


def test_pubsub_being_slow_is_waited_for(receiver: Receiver, topic: Topic):
    topic.server.faults.next(Fault("slow", seconds=2.5, path="/Publish"))
    body = a_body()

    assert receiver.post(body).status == 202
    assert topic.take()[0].data == body


def test_pubsub_being_too_slow_is_answered_while_dbt_still_waits(receiver: Receiver, topic: Topic):
    topic.server.faults.next(Fault("slow", seconds=15, path="/Publish"))
    began = time.monotonic()

    answer = receiver.post(a_body())

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert 4 < time.monotonic() - began < 6


def test_many_at_once_are_each_published_once(receiver: Receiver, topic: Topic):
    ids = [f"wev_{number}" for number in range(300)]

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda each: receiver.post(a_body(event_id=each)), ids))

    assert {answer.status for answer in answers} == {202}
    published = [message.attributes["event_id"] for message in topic.take(len(ids))]
    assert sorted(published) == sorted(ids)
    assert topic.is_empty


def test_its_log_is_json_and_holds_no_secret_body_or_signature(receiver: Receiver):
    before = len(receiver.lines)
    private = b'{"runReason": "in-the-body"}'
    receiver.post(private)
    receiver.post(private, secret="in-the-digest")
    receiver.ask("POST", "/in-the-path?in-the-query", private, Authorization="in-the-header")

    published, wrong, malformed = receiver.next_lines(before, 3)

    assert published["secret"] == "env:DBT_CLOUD_AUTH_TOKEN"
    assert wrong["reason"] == "wrong signature"
    assert malformed["reason"] == "malformed signature"
    assert SECRET not in receiver.output.read_text()
    assert "in-the-" not in receiver.output.read_text()


def _has_answered(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
