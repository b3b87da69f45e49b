"""Starting several contenders on one ledger, letting them go at once, and collecting what they did.

What must come out of it, for every ledger that processes can share, is said here as well.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from subscriber.ledger.contract import Ledger
from tests.subscriber.ledger.builders import LEASE, NOW
from tests.subscriber.ledger.contender import SUBJECTS

COMMAND = [sys.executable, "-m", "tests.subscriber.ledger.contender"]
PROCESSES = 8
KEYS = 25
DECISIONS = 25
WITHIN_S = 90.0


@contextmanager
def contender(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A contender within the block; its input and output are pipes. Killed at the end."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def all_act_once(ledger: Ledger, *where: str) -> None:
    """Each of the keys is acted on by one of the processes, once."""
    acted_on = _done("acts", KEYS, *where)

    assert sorted(acted_on) == sorted(f"work/{number}" for number in range(KEYS))
    assert ledger.due(NOW + LEASE, 1) == []


def all_decisions_count(ledger: Ledger, *where: str) -> None:
    """Each of the decisions is made on what the one before has left, with all that follows."""
    recorded = _done("decides", DECISIONS, *where)

    counts = [subject.body for subject in ledger.subjects(SUBJECTS)]
    assert counts == [{"count": PROCESSES * DECISIONS}] * 2
    due = [work.key for work in ledger.due(NOW + LEASE, 1_000)]
    assert sorted(due) == sorted([*recorded, "shared"])
    assert len(recorded) == PROCESSES * DECISIONS


def _done(does: str, times: int, *where: str) -> list[str]:
    """What all processes told together."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(contender(does, str(times), *where)) for _ in range(PROCESSES)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [process.communicate(timeout=WITHIN_S)[0] for process in processes]
    return [each for answer in told for each in json.loads(answer)]
