"""A stream whose client does what nobody expects: messages come again, and somebody hears of it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from cli.work.streaming import Stream
from shared.errors import TemporaryFailure

PATIENCE_S = 10.0
MESSAGE = SimpleNamespace(
    ack_id="lease-1",
    delivery_attempt=1,
    message=SimpleNamespace(message_id="1", data=b"event", attributes={}),
)


@dataclass
class Client:
    """Streams what `answers` gives. `extended` is set once a lease was, `failing` is raised where
    a message is acknowledged.
    """

    answers: Callable[[], Iterator[Any]]
    failing: Exception | None = None
    acknowledged: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    extended: list[list[str]] = field(default_factory=list)

    @property
    def transport(self) -> Any:
        return SimpleNamespace(close=self.closed.set)

    def streaming_pull(self, said: Iterator[Any], **_: Any) -> Any:
        next(said)
        return _Call(self.answers())

    def acknowledge(self, **_: Any) -> None:
        self.acknowledged.set()
        if self.failing:
            raise self.failing

    def modify_ack_deadline(self, ack_ids: list[str], **_: Any) -> None:
        self.extended.append(ack_ids)


@dataclass
class _Call:
    answers: Iterator[Any]

    def __iter__(self) -> Iterator[Any]:
        return self.answers

    def cancel(self) -> None:
        pass


def a_stream(client: Client, ended: threading.Event) -> Stream:
    return Stream(
        client,
        "projects/p/subscriptions/s",
        lambda error: TemporaryFailure(str(error)),
        lambda _: True,
        ended.set,
        extend_every_s=0.05,
    )


def test_a_stream_that_ends_in_a_way_nobody_expects_says_that_it_has_ended() -> None:
    def answers() -> Iterator[Any]:
        raise RuntimeError("can't start new thread")
        yield

    ended = threading.Event()
    stream = a_stream(Client(answers), ended)

    assert ended.wait(PATIENCE_S)
    assert isinstance(stream.failure(), TemporaryFailure), "else nobody opens another one"
    assert stream.close(PATIENCE_S)


def test_a_lease_is_not_held_for_ever_where_acknowledging_breaks() -> None:
    stays_open = threading.Event()

    def answers() -> Iterator[Any]:
        yield SimpleNamespace(received_messages=[MESSAGE])
        stays_open.wait(PATIENCE_S)

    client = Client(answers, failing=ValueError("Cannot invoke RPC on closed channel!"))
    stream = a_stream(client, threading.Event())
    assert client.acknowledged.wait(PATIENCE_S)
    until = threading.Event()
    until.wait(0.1)
    client.extended.clear()
    until.wait(0.3)

    assert client.extended == []
    stays_open.set()
    stream.close(PATIENCE_S)
