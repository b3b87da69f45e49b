"""A process that records and claims keys of a shared ledger, and tells which it was granted.

    python -m tests.subscriber.ledger.claimant KEYS sqlite PATH
    python -m tests.subscriber.ledger.claimant KEYS firestore PROJECT HOST

It prints `ready`, waits for a line on its input, and prints the granted keys as JSON. With KEYS =
`stuck` it claims the key `work`, prints `stuck` in the middle of doing so, and stays there.
"""

import json
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from subscriber.ledger.contract import Ledger, Work
from subscriber.ledger.firestore import FirestoreLedger
from subscriber.ledger.sqlite import SqliteLedger
from tests.subscriber.ledger.builders import LEASE, NOW, some_work


class Stuck(datetime):
    """A time at which the computing of a lease, which is within the claim, never ends."""

    def __add__(self, _: timedelta) -> "Stuck":
        print("stuck", flush=True)  # noqa: T201
        threading.Event().wait()
        return self


def main(keys: str, kind: str, *where: str) -> None:
    ledger: Ledger
    if kind == "sqlite":
        ledger = SqliteLedger(Path(where[0]))
    else:
        ledger = FirestoreLedger(where[0], "(default)", where[1], timeout_s=30)
    if keys == "stuck":
        ledger.claim("work", owner="stuck", now=Stuck.fromisoformat(NOW.isoformat()), lease=LEASE)
        return
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    granted = []
    for number in range(int(keys)):
        key = f"work/{number}"
        ledger.record(some_work(key))
        if isinstance(ledger.claim(key, owner=uuid4().hex, now=NOW, lease=LEASE), Work):
            granted.append(key)
    print(json.dumps(granted), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
