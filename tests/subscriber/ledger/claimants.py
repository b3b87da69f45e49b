"""Starting several claimants on one ledger, letting them go at once, and collecting their keys."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

COMMAND = [sys.executable, "-m", "tests.subscriber.ledger.claimant"]


@contextmanager
def claimant(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A claimant within the block; its input and output are pipes. Killed at the end."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def granted(processes: int, keys: int, *where: str) -> list[list[str]]:
    """What each of so many processes was granted, all at the same `keys` of one ledger."""
    with ExitStack() as stack:
        claimants = [stack.enter_context(claimant(str(keys), *where)) for _ in range(processes)]
        for process in claimants:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in claimants:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(process.communicate(timeout=60)[0]) for process in claimants]
