"""Checks run at once, each within its time; what they find comes in the order of the checks."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cli.doctor.finding import About, Finding, Group
from shared.errors import Failure, Mistake

WITHIN_S = 45.0
"""Longer than a vendor that is asked three times, and does not answer, takes."""

_BUG, _REPORT = "the check itself broke, which is a fault of Afterrun", "report what it printed"
_AGAIN = "run it again; is the network up?"


@dataclass(frozen=True)
class Check:
    """`act` looks and says what it found; what it raises is a finding that it failed."""

    group: Group
    name: str
    act: Callable[[], Iterable[Finding]]

    @property
    def about(self) -> About:
        return About(self.group, self.name)

    def findings(self) -> list[Finding]:
        found: list[Finding] = []
        try:
            found.extend(self.act())
        except (Mistake, Failure) as failure:
            # most of them say what mends them
            found.append(self.about.fails(str(failure), ""))
        return found


def run(
    checks: Sequence[Check],
    finished: Callable[[Sequence[Finding], Sequence[Check]], None] = lambda found, waiting: None,
    within_s: float = WITHIN_S,
) -> list[Finding]:
    """What all of `checks` find. `finished` hears of each as it ends, and which are still awaited.

    A check that does not end within `within_s` is left behind: its thread ends with the process.
    """
    done: queue.Queue[tuple[int, list[Finding]]] = queue.Queue()

    def work(index: int) -> None:
        answer = [checks[index].about.fails(_BUG, _REPORT)]
        try:
            answer = checks[index].findings()
        finally:
            done.put((index, answer))

    for index in range(len(checks)):
        threading.Thread(target=work, args=[index], daemon=True).start()
    until = time.monotonic() + within_s
    found: dict[int, list[Finding]] = {}
    while len(found) < len(checks):
        try:
            index, answer = done.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        found[index] = answer
        finished(answer, [check for i, check in enumerate(checks) if i not in found])
    late = f"no answer in {within_s:g} s"
    return [
        finding
        for index, check in enumerate(checks)
        for finding in found.get(index, [check.about.fails(late, _AGAIN)])
    ]
