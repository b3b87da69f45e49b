"""The receiver's speed and cost, as ratios to what stands beside it: about a minute, on Linux.

Run: PYTHONPATH=. .venv/bin/python -m benchmarks.receiver

Everything runs here, one worker each, the load and Pub/Sub on the same cores: only ratios mean
something. Functions take turns in rounds, a ratio is the median of its rounds' ratios, and a
figure the median of its rounds' figures, so that what else the machine does meanwhile touches all
alike. Where it does a lot, look at the CPU time of an answer.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.processes import pubsub, served

ROUNDS = 3
STARTS = 5
LOAD_S = 1.5
ALONE_S = 0.7
CONNECTIONS = 64

NOTES = """
One worker each; the load, the function and the lab's Pub/Sub share the cores.
CPU is that of the function's own processes, for an answer under load.
Not run, not part of this environment: FastAPI and Go's `webhook`, verify-only."""


@dataclass
class Measured:
    """A function, and what was measured of it in each round."""

    source: str
    target: str
    environ: Mapping[str, str] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    alone_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def load(self) -> None:
        with served(self.source, self.target, self.environ) as running:
            self.alone_ms.append(running.load(1, ALONE_S)[1])
            before_s = running.cpu_s()
            rate, _ = running.load(CONNECTIONS, LOAD_S)
            self.cpu_us.append((running.cpu_s() - before_s) / (rate * LOAD_S) * 1e6)
            self.rates.append(rate)
            self.memory_mb.append(running.memory_mb())

    def start(self) -> None:
        with served(self.source, self.target, self.environ) as running:
            self.starts_s.append(running.start_s)


def main() -> None:
    with pubsub() as host:
        at_lab = {"GOOGLE_CLOUD_PROJECT": "lab", "PUBSUB_EMULATOR_HOST": host}
        receiver = Measured("function/main.py", "receive_webhook", at_lab)
        threaded = Measured("benchmarks/bare.py", "threaded")
        bare = Measured("benchmarks/bare.py", "asynchronous")
        library = Measured("benchmarks/library.py", "publish", at_lab)
        importing = Measured("benchmarks/importing.py", "asynchronous")
        quiet = Measured("benchmarks/verifying.py", "verify", {"LOG_LEVEL": "WARNING"})
        logging = Measured("benchmarks/verifying.py", "verify", {"LOG_LEVEL": "INFO"})
        for _ in range(ROUNDS):
            for measured in (threaded, receiver, library, bare, quiet, logging):
                measured.load()
        for _ in range(STARTS):
            for measured in (bare, importing, receiver):
                measured.start()

    show("what", "beside us", "we", "goal", "")
    rates("published/s", "threaded hello", threaded, receiver, goal=2.0)
    cpu("  CPU of each, us", "threaded hello", threaded, receiver, goal=2.0)
    rates("verify and read/s", "asynchronous hello", bare, quiet, goal=0.5)
    cpu("  CPU of each, us", "asynchronous hello", bare, quiet, goal=0.5)
    rates("  with its log/s", "asynchronous hello", bare, logging)
    alone_ms = statistics.median(receiver.alone_ms)
    beside = f"library's batching {statistics.median(library.alone_ms):.2f}"
    show("one event alone, ms", beside, f"{alone_ms:.2f}", "<= 1.5", met(alone_ms <= 1.5))
    starts("start to a 202, s", "with the client", importing, receiver, goal=1.2)
    starts("start to a 202, s", "bare framework", bare, receiver, goal=1.5)
    memory_mb = max(receiver.memory_mb)
    show("memory a process", "", f"{memory_mb:.0f} MB", "<= 80 MB", met(memory_mb <= 80))
    print(NOTES)


def rates(
    what: str, beside: str, theirs: Measured, ours: Measured, goal: float | None = None
) -> None:
    """How many times theirs our rate is, at least as many as `goal`."""
    ratio = ratio_of(ours.rates, theirs.rates)
    told = ("", "") if goal is None else (f">= {goal} x", met(ratio >= goal))
    them, us = statistics.median(theirs.rates), statistics.median(ours.rates)
    show(what, f"{beside} {them:,.0f}", f"{us:,.0f} = {ratio:.2f} x", *told)


def cpu(what: str, beside: str, theirs: Measured, ours: Measured, goal: float) -> None:
    """How many times theirs our rate would be if only our own CPU time counted."""
    ratio = ratio_of(theirs.cpu_us, ours.cpu_us)
    them, us = statistics.median(theirs.cpu_us), statistics.median(ours.cpu_us)
    told = f"{us:,.0f} = {ratio:.2f} x"
    show(what, f"{beside} {them:,.0f}", told, f">= {goal} x", met(ratio >= goal))


def starts(what: str, beside: str, theirs: Measured, ours: Measured, goal: float) -> None:
    """How many times as long as theirs our start takes, at most as many as `goal`."""
    ratio = ratio_of(ours.starts_s, theirs.starts_s)
    them, us = statistics.median(theirs.starts_s), statistics.median(ours.starts_s)
    show(
        what,
        f"{beside} {them:.2f}",
        f"{us:.2f} = {ratio:.2f} x",
        f"<= {goal} x",
        met(ratio <= goal),
    )


def ratio_of(ours: list[float], theirs: list[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(us / them for us, them in zip(ours, theirs, strict=True))


def show(what: str, beside: str, ours: str, goal: str, verdict: str) -> None:
    print(f"{what:19} {beside:26} {ours:17} {goal:9} {verdict}".rstrip())


def met(is_met: bool) -> str:  # noqa: FBT001 (a verdict, said in words)
    return "met" if is_met else "missed"


if __name__ == "__main__":
    main()
