"""The diagnosis of a big run: its time and memory; a few seconds.

Run: PYTHONPATH=. .venv/bin/python -m benchmarks.diagnosis

10,000 nodes of which 1,000 failed, each with an error of 2 kB, and 8,000 were skipped. The goal:
within a second, within 200 MB. Time is that of the processor, the median of rounds; memory is what
diagnosing adds at its highest, measured in a round of its own, because to measure it takes time.
"""

import statistics
import time
import tracemalloc
from collections.abc import Callable

from subscriber.diagnosis import Diagnosis, clean, diagnose, groups
from subscriber.run import Answer, Level, Result, RunDetails, Status, Step
from subscriber.step_logs import excerpt

ROUNDS = 5
FAILED, SKIPPED, GOOD = 1_000, 8_000, 1_000
MESSAGE_CHARACTERS = 2_000
LOG_CHARACTERS = 2_000_000


def main() -> None:
    answer = Answer(results=tuple(_results()))
    log = _log()
    hostile = 'password: "token=' * (LOG_CHARACTERS // 17)
    run = RunDetails(steps=(Step(1, "dbt build", failed=True, logs=hostile),))
    _show("diagnosis, nodes, groups by owner and by cause", lambda: _whole(answer))
    _show("what a log of 2 MB says", lambda: excerpt(log))
    _show("a failed step with a hostile log of 2 MB", lambda: diagnose(Answer(run=run)))
    _show("100,000 hostile characters made clean", lambda: clean(hostile[:100_000]))
    found = diagnose(answer)
    print(f"\n{len(found.causes):,} causes, {found.skipped:,} skipped,", end=" ")
    print(f"{sum(len(cause.skipped) for cause in found.causes):,} of them explained")


def _whole(answer: Answer) -> Diagnosis:
    found = diagnose(answer, Level.FAILURE)
    assert len(found.nodes) == FAILED  # noqa: S101 - else something else is measured
    groups(found.causes, "owner")
    groups(found.causes, "cause")
    return found


def _results() -> list[Result]:
    """Failed nodes, skipped ones in chains below them, each below three nodes, and good ones."""
    error = "Database Error in model m{0} (models/m{0}.sql)\n  value '{0}' of row {0} is too long\n"
    sql = "  select orders.id, orders.amount from analytics.orders where id = 17 -- line\n"
    message = (error + sql * 40)[:MESSAGE_CHARACTERS]
    failed = [
        Result(
            f"model.shop.m{n}",
            Status.FAILED,
            "error",
            message.replace("{0}", str(n)),
            owner=f"team {n % 20}",
            depends_on=(f"model.shop.g{n % GOOD}",),
        )
        for n in range(FAILED)
    ]
    skipped = [
        Result(
            f"model.shop.s{n}",
            Status.SKIPPED,
            "skipped",
            depends_on=(
                f"model.shop.m{n}" if n < FAILED else f"model.shop.s{n - FAILED}",
                f"model.shop.g{n % GOOD}",
                f"model.shop.s{n * 7 // 8}",
            ),
        )
        for n in range(SKIPPED)
    ]
    good = [Result(f"model.shop.g{n}", Status.GOOD, "success") for n in range(GOOD)]
    return [*good, *skipped, *failed]


def _log() -> str:
    line = "10:00:01  {0} of 9999 OK created sql table model shop.m{0} ............ [OK in 0.1s]\n"
    lines = [line.format(n) for n in range(LOG_CHARACTERS // len(line))]
    return "".join([*lines, "10:00:02  Database Error\n  out of disk\n"])


def _show(what: str, measured: Callable[[], object]) -> None:
    times_ms = []
    for _ in range(ROUNDS):
        start = time.process_time()
        measured()
        times_ms.append((time.process_time() - start) * 1_000)
    tracemalloc.start()
    measured()
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"{what:50} {statistics.median(times_ms):8.0f} ms {peak_mb:8.1f} MB")


if __name__ == "__main__":
    main()
