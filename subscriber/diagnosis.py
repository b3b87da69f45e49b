"""Diagnosis: which nodes failed and why, apart from what was skipped because of them."""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from subscriber.run import Answer, Result, Status, Step

LOG_LINES = 50  # of the end of a failed step's log

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TIME_OF_DAY = re.compile(r"^\d\d:\d\d:\d\d(?:\.\d+)?\s+")
_ERROR = re.compile(r"\b(?:error|failed|failure|fatal|exception)\b|Could not", re.IGNORECASE)
_HEADER = re.compile(r"^.+ in \S+ \S+ \((?P<path>[^()\s]+\.\w+)\)")


@dataclass(frozen=True)
class Cause:
    """A node that failed by itself; `skipped` are the names of nodes skipped because of it."""

    result: Result
    message: str
    path: str = ""
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """`causes` in dbt's own order; empty when the nodes are not known. `skipped` counts them all.

    `text` is the end of a failed step's log where no node explains the failure.
    """

    causes: tuple[Cause, ...] = ()
    skipped: int = 0
    text: str = ""
    notes: tuple[str, ...] = ()


def diagnose(answer: Answer) -> Diagnosis:
    """What dbt Cloud's answer says about a failed run. Pure."""
    failed = [result for result in answer.results if result.status is Status.FAILED]
    skipped = [result for result in answer.results if result.status is Status.SKIPPED]
    consequences = _consequences(failed, skipped)
    causes = tuple(
        _cause(result, tuple(consequences.get(result.unique_id, ()))) for result in failed
    )
    steps = answer.run.steps if answer.run else ()
    return Diagnosis(
        causes=causes,
        skipped=len(skipped),
        text="" if causes else _from_steps(steps),
        notes=answer.notes,
    )


def clean(text: str) -> str:
    """`text` without ANSI colours, control characters and what is no character at all."""
    plain = _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub("", plain).strip()


def _cause(result: Result, skipped: tuple[str, ...]) -> Cause:
    message = clean(result.message)
    header = _HEADER.match(message.partition("\n")[0])
    return Cause(result, message, header["path"] if header else "", skipped)


def _consequences(failed: Iterable[Result], skipped: Iterable[Result]) -> Mapping[str, list[str]]:
    """Names of skipped nodes, by the unique id of the failed node they were skipped for.

    A node is skipped for what it depends on, directly or over other skipped nodes; for a test that
    failed, it is skipped if both depend on the same node. Nodes whose dependencies are not known
    belong to none, unless only one node failed.
    """
    failed, skipped = list(failed), list(skipped)
    if len(failed) == 1:
        return {failed[0].unique_id: [result.name for result in skipped]}
    causes = {result.unique_id: result.unique_id for result in failed}
    for test in failed:
        if test.kind in ("test", "unit_test"):
            for tested in test.depends_on:
                causes.setdefault(tested, test.unique_id)
    below: dict[str, list[Result]] = {}
    for result in skipped:
        for above in result.depends_on:
            below.setdefault(above, []).append(result)
    explained: set[str] = set()
    blamed: dict[str, list[str]] = {}
    # breadth first, from the causes down: the nearest cause is blamed
    queue = deque(causes.items())
    while queue:
        above, cause = queue.popleft()
        for result in below.get(above, ()):
            if result.unique_id not in explained:
                explained.add(result.unique_id)
                blamed.setdefault(cause, []).append(result.name)
                queue.append((result.unique_id, cause))
    return blamed


def _from_steps(steps: Iterable[Step]) -> str:
    """The end of the last failed step's log, from its error on if that can be told."""
    failed = [step for step in steps if step.failed]
    if not failed:
        return ""
    step = failed[-1]
    lines = [_TIME_OF_DAY.sub("", line).rstrip() for line in clean(step.logs).split("\n")]
    lines = [line for line in lines if line][-LOG_LINES:]
    first = next((i for i, line in enumerate(lines) if _ERROR.search(line)), 0)
    return "\n".join([f"Step failed: {clean(step.name)}", *lines[first:]])
