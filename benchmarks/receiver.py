"""The receiver's speed and cost, as ratios to what stands beside it: about a minute.

Run: PYTHONPATH=. .venv/bin/python -m benchmarks.receiver

Everything runs here, one worker each, the load and Pub/Sub on the same cores: only ratios mean
something. Rounds take turns, and each figure is the best of its rounds, so that what else the
machine does meanwhile touches all alike.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.processes import pubsub, served

ROUNDS = 3
STARTS = 5
LOAD_S = 2.0
ALONE_S = 1.5
CONNECTIONS = 64

NOTES = """
One worker each; the load, the function and the lab's Pub/Sub share the cores.
Not run, not part of this environment: FastAPI and Go's `webhook`, verify-only."""


@dataclass
class Measured:
    """A function, and what was measured of it in each round."""

    source: str
    target: str
    environ: Mapping[str, str] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    alone_ms: list[float] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    memory_mb: float | None = None

    @property
    def rate(self) -> float:
        return max(self.rates)

    @property
    def start_s(self) -> float:
        return statistics.median(self.starts_s)

    def load(self) -> None:
        with served(self.source, self.target, self.environ) as running:
            self.alone_ms.append(running.load(1, ALONE_S)[1])
            self.rates.append(running.load(CONNECTIONS, LOAD_S)[0])
            self.memory_mb = running.memory_mb()

    def start(self) -> None:
        with served(self.source, self.target, self.environ) as running:
            self.starts_s.append(running.start_s)


def main() -> None:
    with pubsub() as host:
        at_lab = {"GOOGLE_CLOUD_PROJECT": "lab", "PUBSUB_EMULATOR_HOST": host}
        receiver = Measured("function/main.py", "receive_webhook", at_lab)
        threaded = Measured("benchmarks/bare.py", "threaded")
        bare = Measured("benchmarks/bare.py", "asynchronous")
        importing = Measured("benchmarks/importing.py", "asynchronous")
        quiet = Measured("benchmarks/verifying.py", "verify", {"LOG_LEVEL": "WARNING"})
        logging = Measured("benchmarks/verifying.py", "verify", {"LOG_LEVEL": "INFO"})

        for _ in range(ROUNDS):
            for measured in (threaded, receiver, bare, quiet, logging):
                measured.load()
        for _ in range(STARTS):
            for measured in (bare, importing, receiver):
                measured.start()

    show("what", "beside us", "we", "goal", "")
    versus("published/s", "threaded hello", threaded.rate, receiver.rate, at_least=2)
    versus("verify and read/s", "asynchronous hello", bare.rate, quiet.rate, at_least=0.5)
    versus("the same, logged/s", "asynchronous hello", bare.rate, logging.rate)
    alone_ms = min(receiver.alone_ms)
    show("one event alone", "", f"{alone_ms:.2f} ms", "<= 1.5 ms", met(alone_ms <= 1.5))
    versus("start, s", "with the client", importing.start_s, receiver.start_s, at_most=1.2)
    versus("start, s", "bare framework", bare.start_s, receiver.start_s, at_most=1.5)
    if (memory_mb := receiver.memory_mb) is None:
        show("memory a process", "", "not measured", "<= 80 MB", "")
    else:
        show("memory a process", "", f"{memory_mb:.0f} MB", "<= 80 MB", met(memory_mb <= 80))
    print(NOTES)


def versus(
    what: str,
    beside: str,
    theirs: float,
    ours: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> None:
    ratio = ours / theirs
    goal, verdict = "", ""
    if at_least is not None:
        goal, verdict = f">= {at_least} x", met(ratio >= at_least)
    if at_most is not None:
        goal, verdict = f"<= {at_most} x", met(ratio <= at_most)
    show(what, f"{beside} {_short(theirs)}", f"{_short(ours)} = {ratio:.2f} x", goal, verdict)


def show(what: str, beside: str, ours: str, goal: str, verdict: str) -> None:
    print(f"{what:19} {beside:26} {ours:17} {goal:9} {verdict}".rstrip())


def met(is_met: bool) -> str:  # noqa: FBT001 (a verdict, said in words)
    return "met" if is_met else "missed"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2f}"


if __name__ == "__main__":
    main()
