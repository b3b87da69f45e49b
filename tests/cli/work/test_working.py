"""Working: when it pulls, ticks, tries again and stops; Pub/Sub and the subscriber are fakes."""

import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from cli.work.pulling import Opened
from cli.work.streaming import Taken
from cli.work.working import TICK, Working, clock_until
from shared.errors import Failure, Mistake, PermanentFailure, TemporaryFailure
from subscriber.push import Delivered
from tests.cli.work.test_taking import EVENT, Seconds, Subscriber

PATIENCE_S = 10.0


@dataclass
class FakeStream:
    taken: Taken
    ended: Callable[[], None]
    why: Failure | Mistake | None = None
    closed_within_s: float | None = None
    is_slow: bool = False

    def failure(self) -> Failure | Mistake | None:
        return self.why

    def close(self, within_s: float) -> bool:
        self.closed_within_s = within_s
        return not self.is_slow

    def breaks(self, why: Failure | Mistake) -> None:
        self.why = why
        self.ended()


@dataclass
class FakePulls:
    """Each stream is handed to the next of `plays`, in a thread, or just stays open."""

    plays: list[Callable[[FakeStream], object]] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)
    refusals: list[Failure | Mistake] = field(default_factory=list)

    def check(self) -> None:
        if self.refusals:
            raise self.refusals.pop(0)

    def open(self, taken: Taken, ended: Callable[[], None]) -> Opened:
        stream = FakeStream(taken, ended)
        self.streams.append(stream)
        if self.plays:
            threading.Thread(target=self.plays.pop(0), args=(stream,), daemon=True).start()
        return stream


@pytest.fixture
def started() -> Iterator[Callable[[Working], threading.Thread]]:
    """Runs a Working in a thread; whatever happens, it is told to stop in the end."""
    running: list[tuple[Working, threading.Thread]] = []

    def start(working: Working) -> threading.Thread:
        thread = threading.Thread(target=working.run, daemon=True)
        running.append((working, thread))
        thread.start()
        return thread

    yield start
    for working, thread in running:
        working.stop()
        thread.join(PATIENCE_S)


def a_working(
    pulls: FakePulls | None = None,
    take: Callable[[Delivered], None] = lambda _: None,
    **settings: float,
) -> Working:
    chosen = {"tick_s": 3_600.0, "first_pause_s": 0.0, "stop_s": PATIENCE_S} | settings
    return Working(pulls or FakePulls(), take, **chosen)  # type: ignore[arg-type]


def test_messages_are_taken_and_acknowledged_until_it_is_told_to_stop() -> None:
    subscriber, answers = Subscriber(), list[bool]()

    def play(stream: FakeStream) -> None:
        answers.append(stream.taken(EVENT))
        working.stop()

    pulls = FakePulls([play])
    working = a_working(pulls, subscriber.take)

    assert working.run() is True
    assert answers == [True]
    assert EVENT in subscriber.taken
    assert pulls.streams[0].closed_within_s == PATIENCE_S


def test_it_ticks_at_once_and_then_again_and_again(started) -> None:
    enough = threading.Event()
    ticks: list[Delivered] = []

    def take(delivered: Delivered) -> None:
        ticks.append(delivered)
        if len(ticks) == 3:
            enough.set()

    started(a_working(take=take, tick_s=0.001))

    assert enough.wait(PATIENCE_S)
    assert ticks[0] == TICK


def test_a_tick_that_lasts_is_not_overtaken_by_the_next(started) -> None:
    goes_on, is_ticking, second = threading.Event(), threading.Event(), threading.Event()
    at_once: list[int] = []
    running = 0

    def take(_: Delivered) -> None:
        nonlocal running
        running += 1
        at_once.append(running)
        if len(at_once) == 2:
            second.set()
        is_ticking.set()
        goes_on.wait(PATIENCE_S)
        running -= 1

    started(a_working(take=take, tick_s=0.001))
    assert is_ticking.wait(PATIENCE_S)
    assert not second.wait(0.05)  # fifty ticks would have fit
    goes_on.set()

    assert second.wait(PATIENCE_S)
    assert set(at_once) == {1}


@pytest.mark.parametrize("failure", [TemporaryFailure("busy"), ZeroDivisionError()], ids=repr)
def test_a_tick_that_fails_ends_nothing(started, failure: Exception) -> None:
    third = threading.Event()
    count = 0

    def take(_: Delivered) -> None:
        nonlocal count
        count += 1
        if count == 3:
            third.set()
        raise failure

    started(a_working(take=take, tick_s=0.001))

    assert third.wait(PATIENCE_S)


def test_each_tick_is_watched_and_nothing_else(started) -> None:
    ended = threading.Event()
    seen: list[str] = []

    @contextmanager
    def watched() -> Iterator[None]:
        seen.append("begins")
        yield
        seen.append("ends")
        ended.set()

    working = a_working(take=lambda _: seen.append("tick"))
    working.watched = watched

    started(working)

    assert ended.wait(PATIENCE_S)
    assert seen == ["begins", "tick", "ends"]


def test_a_refusal_at_the_start_is_raised() -> None:
    refusal = PermanentFailure("may not be pulled from")
    working = a_working(FakePulls([lambda stream: stream.breaks(refusal)]))

    with pytest.raises(PermanentFailure, match="may not be pulled from"):
        working.run()
    assert working.stopping.is_set()


def test_later_refusals_are_tried_again_for_ever(started) -> None:
    clock, fourth = Seconds(), threading.Event()

    def later(stream: FakeStream) -> None:
        clock.now += 60
        stream.breaks(PermanentFailure("may not be pulled from"))

    pulls = FakePulls(
        [
            lambda stream: stream.breaks(TemporaryFailure("no answer")),
            later,
            lambda stream: stream.breaks(Mistake("does not exist")),
            lambda _: fourth.set(),
        ],
        refusals=[TemporaryFailure("Pub/Sub does not answer"), Mistake("still not there")],
    )
    working = a_working(pulls)
    working.monotonic = clock

    started(working)

    assert fourth.wait(PATIENCE_S)


def test_what_has_begun_but_is_not_finished_in_time_is_left() -> None:
    def play(stream: FakeStream) -> None:
        stream.is_slow = True
        working.stop()

    working = a_working(FakePulls([play]))

    assert working.run() is False


def test_a_tick_that_does_not_end_in_time_is_left() -> None:
    goes_on, is_ticking = threading.Event(), threading.Event()

    def take(_: Delivered) -> None:
        is_ticking.set()
        goes_on.wait(PATIENCE_S)

    def play(_: FakeStream) -> None:
        is_ticking.wait(PATIENCE_S)
        working.stop()

    working = a_working(FakePulls([play]), take, stop_s=0.01)

    assert working.run() is False
    goes_on.set()


def test_once_takes_what_is_there_ticks_and_ends() -> None:
    subscriber = Subscriber()
    pulls = FakePulls([lambda stream: stream.taken(EVENT)])
    working = a_working(pulls, subscriber.take, quiet_s=0.2)

    assert working.once() is True
    assert subscriber.taken == [EVENT, TICK]
    assert pulls.streams[0].closed_within_s is not None


def test_once_says_that_something_could_not_be_recorded() -> None:
    def take(delivered: Delivered) -> None:
        if delivered != TICK:
            raise TemporaryFailure("the ledger's file is busy")

    pulls = FakePulls([lambda stream: stream.taken(EVENT)])
    working = a_working(pulls, take, quiet_s=0.2)

    with pytest.raises(TemporaryFailure, match="not all of it could be recorded"):
        working.once()


def test_once_raises_a_refusal() -> None:
    pulls = FakePulls([lambda stream: stream.breaks(Mistake("does not exist"))])

    with pytest.raises(Mistake, match="does not exist"):
        a_working(pulls).once()


def test_time_is_up_for_ticks_once_it_is_to_stop_but_not_for_what_has_no_limit() -> None:
    stopping = threading.Event()
    clock = clock_until(stopping)
    before = clock()

    stopping.set()

    assert before < sys.float_info.max
    assert not clock() < clock() + 45.0
    assert clock() < math.inf
