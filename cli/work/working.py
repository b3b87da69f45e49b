"""Working: pull and tick, until told to stop or, once, until nothing more is there."""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from cli.work.pulling import Opened, Pulls
from cli.work.taking import Taking
from shared import log
from shared.errors import Failure, Mistake, TemporaryFailure
from shared.event import Content
from subscriber.push import Delivered

TICK = Delivered("", b"tick", {"content": str(Content.TICK)})

STOP_S = (
    25.0  # what has begun is finished within; what is not is left for when its lease has run out
)
AT_START_S = 10.0  # a refusal within ends the process: somebody is looking
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # before a stream that was refused is opened again
QUIET_S = 3.0  # with nothing coming for so long, nothing more is there
ONCE_S = 300.0  # as long as events keep coming, they are taken; but not for ever


@dataclass
class Working:
    """`take` is the subscriber's, for messages and ticks alike; each tick happens within `watched`.

    `stop` may be called from any thread, but not from a signal handler.
    """

    pulls: Pulls
    take: Callable[[Delivered], None]
    tick_s: float
    watched: Callable[[], AbstractContextManager[None]] = nullcontext
    stop_s: float = STOP_S
    first_pause_s: float = FIRST_PAUSE_S
    quiet_s: float = QUIET_S
    monotonic: Callable[[], float] = time.monotonic
    stopping: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.taking = Taking(self.take, self.stopping, monotonic=self.monotonic)

    def stop(self) -> None:
        """Pull no more, finish what has begun, return. Safe to repeat."""
        if not self.stopping.is_set():
            log.info("stopping: what has begun is finished", in_flight=self.taking.in_flight)
        self.stopping.set()
        self._wake.set()

    def run(self) -> bool:
        """Work until `stop`; False if what had begun was not finished within `stop_s`.

        Raises why the stream was refused right at the start; later refusals are logged, and the
        stream is opened again, for ever.
        """
        ticks = threading.Thread(target=self._tick_on, name="ticks", daemon=True)
        ticks.start()
        try:
            stream = self._pull_on()
        finally:
            self.stop()
        until = self.monotonic() + self.stop_s
        is_done = stream is None or stream.close(self.stop_s)
        ticks.join(max(0.0, until - self.monotonic()))
        if is_done and not ticks.is_alive():
            return True
        log.warning("stopped before all was finished", in_flight=self.taking.in_flight)
        return False

    def once(self) -> bool:
        """Take what is there, tick, return; as `run`. Raises TemporaryFailure if not all of it
        could be recorded."""
        until = self.monotonic() + ONCE_S
        stream = self.pulls.open(self.taking, self._wake.set)
        while (
            not self._wake.is_set()
            and not self.taking.failed
            and self.monotonic() < until
            and (left := self.quiet_s - self.taking.quiet_for_s()) > 0
        ):
            self._wake.wait(left)
        failure = stream.failure()
        is_told_to_stop = self.stopping.is_set()
        self.stopping.set()
        is_done = stream.close(self.stop_s)
        if failure is not None:
            raise failure
        if not is_told_to_stop:
            self._tick()
        if self.taking.failed:
            raise TemporaryFailure("not all of it could be recorded; the rest comes again")
        return is_done

    def _pull_on(self) -> Opened | None:
        """Pull until told to stop; the stream that is open then, None between two."""
        began_at = opened_at = self.monotonic()
        pause_s = self.first_pause_s
        stream: Opened | None = self.pulls.open(self.taking, self._wake.set)
        while stream is not None:
            self._wake.wait()
            self._wake.clear()
            if self.stopping.is_set():
                break
            failure = stream.failure()
            if failure is None:
                continue
            if self.monotonic() - opened_at > LONGEST_PAUSE_S:
                pause_s = self.first_pause_s
            is_final = _is_refusal(failure) and self.monotonic() - began_at < AT_START_S
            if not is_final:
                _say(failure, pause_s)
            stream.close(self.stop_s)
            if is_final:
                raise failure
            stream, pause_s = self._open_again(pause_s)
            opened_at = self.monotonic()
        return stream

    def _open_again(self, pause_s: float) -> tuple[Opened | None, float]:
        """As soon as Pub/Sub lets us, and the next pause; None if told to stop before that."""
        while not self.stopping.wait(pause_s):
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
            try:
                self.pulls.check()
                stream = self.pulls.open(self.taking, self._wake.set)
            except (Failure, Mistake) as failure:
                _say(failure, pause_s)
            else:
                log.info("pulling again")
                return stream, pause_s
        return None, pause_s

    def _tick_on(self) -> None:
        next_at = self.monotonic()
        while not self.stopping.wait(max(0.0, next_at - self.monotonic())):
            next_at = self.monotonic() + self.tick_s
            self._tick()

    def _tick(self) -> None:
        try:
            with self.watched():
                self.take(TICK)
        except (Failure, Mistake) as failure:
            log.warning("a tick failed; the next one does what it would have", reason=str(failure))
        except Exception as error:  # noqa: BLE001 - it shall not end the process
            log.bug("a tick failed", error)


def clock_until(stopping: threading.Event) -> Callable[[], float]:
    """A monotonic clock by which all time is up from then on: ticks take up nothing further."""
    # below infinity: what has no limit, as what follows from an event, is not cut short
    return lambda: sys.float_info.max if stopping.is_set() else time.monotonic()


def _say(failure: Failure | Mistake, pause_s: float) -> None:
    say = log.error if _is_refusal(failure) else log.warning
    say("not pulling; to be tried again", reason=str(failure), after_s=pause_s)


def _is_refusal(failure: Failure | Mistake) -> bool:
    return not isinstance(failure, TemporaryFailure)
