"""A fortnight of 200 jobs that run each hour, played from a file: how long it takes, and how large
it grows.

Run: PYTHONPATH=. .venv/bin/python -m benchmarks.backtesting

Seconds of one core. The goal: a minute for 67,000 runs. Beside it, on fewer of them, the plain
ledger in memory, whose time grows with the square of their number.
"""

import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

from cli import history
from cli.backtest.playing import play
from cli.history import Entry, History
from cli.rehearsal import Rehearsal
from shared import log
from subscriber import configuration
from subscriber.ledger.contract import Ledger
from subscriber.ledger.memory import MemoryLedger
from subscriber.run import Answer, RunDetails, Status
from subscriber.yaml_lines import parse
from tests.builders import a_body, a_good_body, a_result

T = TypeVar("T")

JOBS, DAYS = 200, 14
RUNS = JOBS * DAYS * 24
FEW = 10_000
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
SPACED = timedelta(hours=1) / JOBS
BREAKS, STAYS_BROKEN = 0.015, 0.3  # how likely it is that a run fails, after a good one and a bad

PAGES = """
version: 1
dbt_cloud: {token: env:TOKEN}
destinations:
  oncall: {kind: pagerduty, routing_key: env:KEY}
  team: {kind: slack, webhook_url: env:URL}
rules:
  - name: production failures page
    when: {outcome: failed, environment: Production}
    alert: {remind: 6h}
    then: [oncall, team]
  - name: finance hears of its own nodes
    when: {outcome: failed, nodes: {tag: finance}}
    then: [team]
"""
TELLS_EACH = PAGES + "  - {name: each is told, when: {outcome: succeeded}, then: [team]}\n"


class OnAPlainLedger(Rehearsal):
    def _own_ledger(self) -> Ledger:
        return MemoryLedger()


def main() -> None:
    log.start("CRITICAL")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.jsonl"
        history.write(path, runs(RUNS))
        found = timed("to read the file and check it", RUNS, lambda: History.of(path))
        for name, rules in (("failures page", PAGES), ("and each good run is told", TELLS_EACH)):
            chosen = configuration.read(*parse(rules, "rules.yaml"))
            timed(f"to play it: {name}", RUNS, lambda chosen=chosen: play(chosen, found))
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{'memory at the most, all of it':<55} {peak_mb:8.0f} MB")
    for kind in (Rehearsal, OnAPlainLedger):
        timed(f"{FEW:,} of them, {kind.__name__}", FEW, lambda kind=kind: few(kind))


def runs(count: int) -> Iterator[Entry]:
    random, broken = Random(1), set[int]()  # noqa: S311 - the same runs each time
    for number in range(count):
        job = number % JOBS
        is_bad = random.random() < (STAYS_BROKEN if job in broken else BREAKS)
        (broken.add if is_bad else broken.discard)(job)
        yield a_run(number, job, BEGAN + number * SPACED, is_bad=is_bad)


def a_run(number: int, job: int, at: datetime, *, is_bad: bool) -> Entry:
    body = json.loads(
        (a_body if is_bad else a_good_body)(
            event_id=f"run-{number}", run_id=1_000 + number, job_id=job, jobName=f"Job {job}"
        )
    )
    body["timestamp"] = body["data"]["runFinishedAt"] = at.isoformat()
    failed = tuple(
        a_result(
            f"model.shop.mart_{job}_{n}",
            message=f"Database Error in model mart_{job}_{n}\n  column {n} does not exist",
            tags=("finance",) if job % 5 == 0 else (),
            path=f"models/mart_{job}_{n}.sql",
            is_described=True,
        )
        for n in range(3)
    )
    good = (a_result(f"model.shop.mart_{job}_0", status=Status.GOOD),)
    details = RunDetails(trigger="scheduled", link=f"https://cloud.getdbt.com/runs/{number}")
    answer = Answer(run=details, results=failed if is_bad else good, is_complete=True)
    return Entry(json.dumps(body).encode(), answer)


def few(kind: type[Rehearsal]) -> None:
    rehearsal = kind(configuration.read(*parse(PAGES, "rules.yaml")), BEGAN)
    for number, entry in enumerate(runs(FEW)):
        rehearsal.hear(entry, BEGAN + number * SPACED)


def timed(what: str, count: int, act: Callable[[], T]) -> T:
    began = time.process_time()
    made = act()
    seconds = time.process_time() - began
    print(f"{what:<55} {seconds:8.1f} s  {seconds / count * 1_000:6.2f} ms a run")
    return made


if __name__ == "__main__":
    main()
