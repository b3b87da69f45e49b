"""A process that works on a ledger which it shares with others, and tells what it did.

    python -m tests.subscriber.ledger.contender DOES TIMES sqlite PATH
    python -m tests.subscriber.ledger.contender DOES TIMES firestore PROJECT HOST

It prints `ready`, waits for a line on its input, does what DOES names and prints a list as JSON:

- `acts` records, claims and settles so many keys; the list holds the keys it was granted
- `decides` makes so many decisions on the two SUBJECTS; the list holds the keys it recorded

`is-stuck` claims the key `work`, prints `stuck` in the middle of doing so, and stays there.
"""

import json
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from subscriber.ledger.contract import Change, Ledger, Settlement, Work
from subscriber.ledger.firestore import FirestoreLedger
from subscriber.ledger.sqlite import SqliteLedger
from tests.subscriber.ledger.builders import LEASE, NOW, some_work

SUBJECTS = ("job/17", "job/18")


class Stuck(datetime):
    """A time at which the computing of a lease, which is within the claim, never ends."""

    def __add__(self, _: timedelta) -> "Stuck":
        print("stuck", flush=True)  # noqa: T201
        threading.Event().wait()
        return self


def acts(ledger: Ledger, times: int) -> Iterator[str]:
    for number in range(times):
        key = f"work/{number}"
        ledger.record(some_work(key))
        owner = uuid4().hex
        if isinstance(ledger.claim(key, owner=owner, now=NOW, lease=LEASE), Work):
            yield key
            assert ledger.settle(key, owner=owner, now=NOW, result={})


def decides(ledger: Ledger, times: int) -> Iterator[str]:
    """Each decision counts both subjects up, and settles a work of its own."""
    for _ in range(times):
        key, owner = uuid4().hex, uuid4().hex
        ledger.record(some_work(key))
        ledger.claim(key, owner=owner, now=NOW, lease=LEASE)
        is_made = False
        while not is_made:
            changes = [
                Change(before, {"count": before.body.get("count", 0) + 1})
                for before in ledger.subjects(SUBJECTS)
            ]
            due = [some_work(f"from {key}"), some_work("shared")]
            is_made = ledger.decide(changes, due, Settlement(key, owner, NOW, {}))
        yield f"from {key}"


def main(does: str, times: str, kind: str, *where: str) -> None:
    ledger: Ledger
    if kind == "sqlite":
        ledger = SqliteLedger(Path(where[0]), busy_timeout_s=30)
    else:
        ledger = FirestoreLedger(where[0], "(default)", where[1], timeout_s=30)
    if does == "is-stuck":
        ledger.claim("work", owner="stuck", now=Stuck.fromisoformat(NOW.isoformat()), lease=LEASE)
        return
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    done = {"acts": acts, "decides": decides}[does](ledger, int(times))
    print(json.dumps(list(done)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
