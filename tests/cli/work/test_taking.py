import threading
from dataclasses import dataclass, field

import pytest

from cli.work.taking import Taking
from shared.errors import Mistake, TemporaryFailure
from subscriber.push import Delivered

EVENT = Delivered("18", b"{}", {"content": "event"}, attempt=3)


@dataclass
class Subscriber:
    """Takes what it is given, or raises what it was told to."""

    raises: Exception | None = None
    taken: list[Delivered] = field(default_factory=list)

    def take(self, delivered: Delivered) -> None:
        self.taken.append(delivered)
        if self.raises is not None:
            raise self.raises


@dataclass
class Seconds:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def a_taking(raises: Exception | None = None) -> tuple[Taking, Subscriber]:
    """One that does not wait before it gives back."""
    subscriber = Subscriber(raises)
    stopping = threading.Event()
    stopping.set()
    return Taking(subscriber.take, stopping), subscriber


def test_what_the_subscriber_has_taken_does_not_come_again() -> None:
    taking, subscriber = a_taking()

    assert taking(EVENT) is True
    assert subscriber.taken == [EVENT]
    assert taking.failed == 0


@pytest.mark.parametrize(
    "failure", [TemporaryFailure("busy"), Mistake("LEDGER: gone"), ZeroDivisionError()], ids=repr
)
def test_what_cannot_be_recorded_comes_again(failure: Exception) -> None:
    taking, _ = a_taking(failure)

    assert taking(EVENT) is False
    assert taking.failed == 1


def test_a_bug_is_said_without_what_the_error_quotes(caplog: pytest.LogCaptureFixture) -> None:
    taking, _ = a_taking(ValueError("a secret"))

    taking(EVENT)

    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "a secret" not in str(vars(record))


def test_it_is_kept_back_for_a_while_before_it_is_given_back() -> None:
    stopping, answers = threading.Event(), list[bool]()
    taking = Taking(Subscriber(TemporaryFailure("busy")).take, stopping, pause_s=3_600)

    thread = threading.Thread(target=lambda: answers.append(taking(EVENT)))
    thread.start()
    while taking.failed == 0:
        thread.join(0.01)
    kept_back = list(answers)
    stopping.set()
    thread.join(10)

    assert (kept_back, answers) == ([], [False])


def test_it_is_quiet_since_the_last_message_was_finished() -> None:
    clock, during = Seconds(), list[float]()
    taking = Taking(
        lambda _: during.append(taking.quiet_for_s()), threading.Event(), monotonic=clock
    )
    clock.now = 5.0
    before = taking.quiet_for_s()

    taking(EVENT)
    clock.now = 7.0

    assert (before, during, taking.quiet_for_s()) == (5.0, [0.0], 2.0)
