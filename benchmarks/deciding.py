"""The subscriber's own time for an event, from the push to the delivery; some ten seconds.

Run: PYTHONPATH=. .venv/bin/python -m benchmarks.deciding

Everything that answers at once is in memory: dbt Cloud, the destination, the ledger, or SQLite in a
file, whose commits wait for the disk. The goals: 25 ms for an event; for a run of 10,000 nodes of
which 1,000 failed, a second.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from shared import log
from subscriber.ledger.contract import Ledger
from subscriber.ledger.memory import MemoryLedger
from subscriber.ledger.sqlite import SqliteLedger
from subscriber.run import Answer, Status
from tests.builders import a_body, a_good_body, a_result
from tests.fakes import FakeDbtCloud
from tests.subscriber.story import PAGE, Story, a_rule

EVENTS = 200
FAILED, GOOD = 1_000, 9_000
BIG_RUNS = 5


def main() -> None:
    log.start("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        ledgers: dict[str, Callable[[], Ledger]] = {
            "memory": MemoryLedger,
            "SQLite": lambda: SqliteLedger(Path(folder) / f"{time.monotonic_ns()}.db"),
        }
        for name, made in ledgers.items():
            _show(f"an event that opens or closes an alert, {name}", _turns(made()))
            for per in ("job", "node", "run"):
                _show(f"10,000 nodes, 1,000 failed, per {per}, {name}", _big(made(), per))


def _turns(ledger: Ledger) -> list[float]:
    """A job that fails and recovers, again and again."""
    answer = Answer(results=(a_result("model.shop.orders", message="no such column"),))
    story = Story(rules=(PAGE,), ledger=ledger, dbt_cloud=FakeDbtCloud(answer))
    made = (a_body, a_good_body)
    bodies = [made[n % 2](event_id=f"wev_{n}", run_id=100 + n) for n in range(EVENTS)]
    found = [_seconds(lambda body=body: story.comes(body)) for body in bodies]  # type: ignore[misc]
    assert len(story.alerts.actions) == EVENTS  # noqa: S101 - else something else is measured
    return found


def _big(ledger: Ledger, per: str) -> list[float]:
    failed = tuple(
        a_result(f"model.shop.bad_{n}", message=f"value {n} is too long\n" + "x" * 2_000)
        for n in range(FAILED)
    )
    good = tuple(a_result(f"model.shop.good_{n}", status=Status.GOOD) for n in range(GOOD))
    answer = Answer(results=(*failed, *good), is_complete=True)
    rule = a_rule("page", "oncall", outcome="failed", alert={"per": per})
    story = Story(rules=(rule,), ledger=ledger, dbt_cloud=FakeDbtCloud(answer))
    bodies = [a_body(event_id=f"wev_{n}", run_id=100 + n) for n in range(BIG_RUNS)]
    found = [_seconds(lambda body=body: story.comes(body)) for body in bodies]  # type: ignore[misc]
    assert story.alerts.actions  # noqa: S101 - else something else is measured
    return found


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _show(what: str, seconds: list[float]) -> None:
    median, worst = statistics.median(seconds) * 1_000, max(seconds) * 1_000
    print(f"{what:<55} {median:8.1f} ms   at most {worst:8.1f} ms")


if __name__ == "__main__":
    main()
