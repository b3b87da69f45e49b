"""Diagnosis: which nodes failed and why, apart from what was skipped because of them."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from subscriber.redaction import redacted
from subscriber.run import Answer, Level, Result, Status, Step
from subscriber.sameness import fingerprint
from subscriber.step_logs import excerpt

MESSAGE_LIMIT = 25_000  # characters of one error; more are not shown
LOG_LIMIT = 200_000  # characters of the end of a step's log; what failed is said there

_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])"
)
# not seen: controls, halves of pairs, what turns the direction of writing, what has no width
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\xad\u034f\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
    # but for what joins pictures to one
    "(?<![\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]\u200d)"
)
_HEADER = re.compile(r"^.+ in \S+ \S+ \((?P<path>[^()\s]+\.\w+)\)")
_FRESHNESS = re.compile(r"\bsource\s+(?:snapshot-)?freshness\b")


@dataclass(frozen=True)
class Cause:
    """A node that failed by itself; `skipped` are the names of nodes skipped because of it."""

    result: Result
    message: str
    path: str = ""
    skipped: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Equal for the same error, at whatever node and in whatever run.

        A source that warned and then failed says the same of its age, but is another error.
        """
        if self.result.kind == "source":
            return fingerprint(f"{self.message}\n{self.result.said}")
        return fingerprint(self.message)

    @property
    def line(self) -> str:
        return telling_line(self.message)


@dataclass(frozen=True)
class Diagnosis:
    """`causes` in dbt's own order; empty when the nodes are not known. `skipped` counts them all.

    `text` is what the log says of a failed step that no node explains.
    """

    causes: tuple[Cause, ...] = ()
    skipped: int = 0
    text: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether it is known of any node that it failed, or warned."""
        return bool(self.causes)

    @cached_property
    def nodes(self) -> Mapping[str, str]:
        """The fingerprint of its error, by the unique id of each cause; empty for no message."""
        return {
            cause.result.unique_id: cause.fingerprint if cause.message else ""
            for cause in self.causes
        }

    def only(self, wanted: Callable[[Result], bool]) -> "Diagnosis":
        """The causes whose results are wanted, with what was skipped for them, and all notes.

        A diagnosis that knows no cause is left as it is: it may be about wanted nodes.
        """
        if not self.causes:
            return self
        causes = tuple(cause for cause in self.causes if wanted(cause.result))
        skipped = sum(len(cause.skipped) for cause in causes)
        return Diagnosis(causes, skipped=skipped, notes=self.notes)

    def joined(self, other: "Diagnosis") -> "Diagnosis":
        """The causes of both, each once: parts of one diagnosis put together again."""
        mine = self.nodes
        causes = (*self.causes, *(c for c in other.causes if c.result.unique_id not in mine))
        blamed = sum(len(cause.skipped) for cause in causes)
        return Diagnosis(
            causes,
            skipped=max(blamed, self.skipped, other.skipped),
            text=self.text or other.text,
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
        )


@dataclass(frozen=True)
class Group:
    """Causes that are shown together."""

    title: str
    causes: tuple[Cause, ...]


def diagnose(answer: Answer, level: Level = Level.FAILURE) -> Diagnosis:
    """What dbt Cloud's answer says about a run that failed, or ended well with warnings. Pure.

    At the level of warnings its causes are the nodes that warned and the sources that were not
    fresh; its text tells of the steps that failed although the run reads Success, as those of the
    job's checkboxes do.

    Source: https://docs.getdbt.com/docs/deploy/job-commands
    """
    if level is Level.WARNING:
        found = [result for result in answer.results if _warns(result)]
        skipped: list[Result] = []
    else:
        found = [result for result in answer.results if result.status is Status.FAILED]
        skipped = [result for result in answer.results if result.status is Status.SKIPPED]
    consequences = _consequences(found, skipped)
    causes = tuple(
        _cause(result, tuple(consequences.get(result.unique_id, ()))) for result in found
    )
    failed = [step for step in (answer.run.steps if answer.run else ()) if step.failed]
    # the last one ended a failed run; those before it are its checkboxes
    told = failed if level is Level.WARNING else failed[-1:]
    return Diagnosis(
        causes=causes,
        skipped=len(skipped),
        text="\n".join(_said(step) for step in told if not _explains(causes, step)),
        notes=tuple(clean(note) for note in answer.notes),
    )


def groups(causes: Sequence[Cause], by: Literal["owner", "cause"]) -> tuple[Group, ...]:
    """`causes` by whose they are, or by what went wrong; the largest first, else in their order."""
    grouped: dict[str, list[Cause]] = {}
    for cause in causes:
        key = _whose(cause.result) if by == "owner" else cause.fingerprint
        grouped.setdefault(key, []).append(cause)
    found = [
        Group(key if by == "owner" else _titled(members[0]), tuple(members))
        for key, members in grouped.items()
    ]
    return tuple(sorted(found, key=lambda group: -len(group.causes)))


def clean(text: str) -> str:
    """`text` fit to be shown to people elsewhere. Safe to repeat.

    Without ANSI colours, control characters and what is no character at all; without characters
    that are not seen but change how a text reads; with what looks like a secret redacted.
    """
    return redacted(visible(text)).strip()


def visible(text: str) -> str:
    """The same with what looks like a secret left in it: for words of our own."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x1b" in plain or "\x9b" in plain:
        plain = _ANSI.sub("", plain)
    return _UNSEEN.sub("", plain)


def telling_line(error: str) -> str:
    """The line of an error that says most: dbt's header names the node, the next says why."""
    lines = [line.strip() for line in error.split("\n", 20) if line.strip()]
    if len(lines) > 1 and _HEADER.match(lines[0]):
        return lines[1]
    return lines[0] if lines else ""


def _warns(result: Result) -> bool:
    is_stale = result.kind == "source" and result.status is Status.FAILED
    return is_stale or result.status is Status.WARNED


def _cause(result: Result, skipped: tuple[str, ...]) -> Cause:
    message = clean(result.message[:MESSAGE_LIMIT])
    header = _HEADER.match(message.partition("\n")[0])
    path = clean(result.path) or (header["path"] if header else "")
    return Cause(result, message, path, skipped)


def _whose(result: Result) -> str:
    return clean(result.owner) or ("no owner" if result.is_described else "owner not looked up")


def _titled(cause: Cause) -> str:
    return cause.line or "no message"


def _consequences(failed: Iterable[Result], skipped: Iterable[Result]) -> Mapping[str, list[str]]:
    """Names of skipped nodes, by the unique id of the failed node they were skipped for.

    A node is skipped for what it depends on, directly or over other skipped nodes; for a test that
    failed, it is skipped if that tests it (a unit test comes before its model), or if both depend
    on the same node. Nodes whose dependencies are not known belong to none, unless they are what
    was tested, or only one node failed.
    """
    failed, skipped = list(failed), list(skipped)
    if len(failed) == 1:
        return {failed[0].unique_id: [result.name for result in skipped]}
    causes = {result.unique_id: result.unique_id for result in failed}
    names = {result.unique_id: result.name for result in skipped}
    explained: set[str] = set()
    blamed: dict[str, list[str]] = {}
    for test in failed:
        for tested in _tested(test):
            if tested not in causes and tested in names:
                explained.add(tested)
                blamed.setdefault(test.unique_id, []).append(names[tested])
            causes.setdefault(tested, test.unique_id)
    below: dict[str, list[Result]] = {}
    for result in skipped:
        for above in result.depends_on:
            below.setdefault(above, []).append(result)
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


def _tested(test: Result) -> Sequence[str]:
    """The unique ids of what `test` tests; of a unit test, its own id tells if nothing else."""
    if test.kind not in ("test", "unit_test"):
        return ()
    if test.kind == "unit_test" and not test.depends_on:
        # unit_test.PACKAGE.MODEL.NAME
        parts = test.unique_id.split(".")
        return (f"model.{parts[1]}.{parts[2]}",) if len(parts) > 3 else ()
    return test.depends_on


def _explains(causes: Iterable[Cause], step: Step) -> bool:
    """Whether a failed node among `causes` is what made `step` fail."""
    is_freshness = _FRESHNESS.search(step.name) is not None
    return any(
        cause.result.status is Status.FAILED and (cause.result.kind == "source") is is_freshness
        for cause in causes
    )


def _said(step: Step) -> str:
    """Which step failed, and the lines of its log that say why."""
    log = step.logs
    if len(log) > LOG_LIMIT:
        # from the first whole line on
        end = log[-LOG_LIMIT:]
        log = end.partition("\n")[2] or end
    found = excerpt(clean(log))
    return "\n".join(filter(None, [f"Step failed: {clean(step.name)}", found]))
