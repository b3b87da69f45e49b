import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from cli.taking import Taking
from shared.errors import Mistake, TemporaryFailure
from subscriber.push import Delivered


@dataclass
class AMessage:
    message_id: str = "17"
    data: bytes = b"{}"
    attributes: Any = field(default_factory=lambda: {"content": "event"})
    delivery_attempt: int | None = None
    answers: list[str] = field(default_factory=list)

    def ack(self) -> None:
        self.answers.append("ack")

    def nack(self) -> None:
        self.answers.append("nack")


@dataclass
class Subscriber:
    """Takes what it is given, or raises what it was told to."""

    raises: Exception | None = None
    taken: list[Delivered] = field(default_factory=list)

    def take(self, delivered: Delivered) -> None:
        self.taken.append(delivered)
        if self.raises is not None:
            raise self.raises


def a_taking(raises: Exception | None = None) -> tuple[Taking, Subscriber]:
    """One that does not wait before it gives back."""
    subscriber = Subscriber(raises)
    stopping = threading.Event()
    stopping.set()
    return Taking(subscriber.take, stopping), subscriber


def test_a_message_is_taken_as_it_came() -> None:
    taking, subscriber = a_taking()

    taking(AMessage("18", b"data", {"content": "event", "run_id": "5"}, delivery_attempt=3))

    assert subscriber.taken == [
        Delivered("18", b"data", {"content": "event", "run_id": "5"}, attempt=3)
    ]


def test_what_is_recorded_is_acknowledged() -> None:
    taking, _ = a_taking()
    message = AMessage()

    taking(message)

    assert message.answers == ["ack"]
    assert taking.failed == 0


@pytest.mark.parametrize(
    "failure", [TemporaryFailure("busy"), Mistake("LEDGER: gone"), ZeroDivisionError()], ids=repr
)
def test_what_cannot_be_recorded_is_given_back(failure: Exception) -> None:
    taking, _ = a_taking(failure)
    message = AMessage()

    taking(message)

    assert message.answers == ["nack"]
    assert taking.failed == 1


def test_it_is_kept_back_for_a_while_before_it_is_given_back() -> None:
    subscriber, stopping, message = (
        Subscriber(TemporaryFailure("busy")),
        threading.Event(),
        AMessage(),
    )
    taking = Taking(subscriber.take, stopping, pause_s=3_600)

    thread = threading.Thread(target=taking, args=(message,))
    thread.start()
    while taking.failed == 0:
        thread.join(0.01)
    kept_back = list(message.answers)
    stopping.set()
    thread.join(10)

    assert kept_back == []
    assert message.answers == ["nack"]


def test_it_is_quiet_since_the_last_message_was_finished() -> None:
    clock = Seconds()
    during: list[float] = []
    taking = Taking(
        lambda _: during.append(taking.quiet_for_s()), threading.Event(), monotonic=clock
    )
    clock.now = 5.0
    before = taking.quiet_for_s()

    taking(AMessage())
    clock.now = 7.0

    assert (before, during, taking.quiet_for_s()) == (5.0, [0.0], 2.0)


@dataclass
class Seconds:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now
