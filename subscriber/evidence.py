"""Evidence: what a run proves about its job and about nodes. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from subscriber.run import Answer, Outcome, Status

_GOOD = frozenset({Status.GOOD, Status.WARNED})
_CLEAN = frozenset({Status.GOOD})


@dataclass(frozen=True)
class Evidence:
    """`statuses` are of the nodes that the run executed or skipped, as far as they are known."""

    outcome: Outcome
    statuses: Mapping[str, Status]
    gone: frozenset[str]
    warned: bool | None

    @classmethod
    def of(cls, outcome: Outcome, answer: Answer) -> "Evidence":
        statuses = {result.unique_id: result.status for result in answer.results}
        return cls(outcome, statuses, answer.gone, answer.warned)

    @property
    def is_of_an_end(self) -> bool:
        """Whether the run came to an end of its own; a cancelled one proves nothing."""
        return self.outcome in (Outcome.FAILED, Outcome.SUCCEEDED)

    @property
    def fails_by_known_nodes(self) -> bool:
        return self.outcome is Outcome.FAILED and Status.FAILED in self.statuses.values()

    def is_well(self, *, warnings: bool) -> bool:
        """Whether the job is well; where `warnings` are problems, only if it is known clean."""
        return self.outcome is Outcome.SUCCEEDED and not (warnings and self.warned is not False)

    def good(self, nodes: Collection[str], *, warnings: bool) -> frozenset[str]:
        """Those of `nodes` that were executed and good, or are no longer in the project."""
        if not self.is_of_an_end:
            return frozenset()
        wanted = _CLEAN if warnings else _GOOD
        return frozenset(n for n in nodes if self.statuses.get(n) in wanted or n in self.gone)

    def bad(self, nodes: Collection[str], *, warnings: bool) -> frozenset[str]:
        """Those of `nodes` that had the problem once more."""
        wanted = {Status.FAILED, Status.WARNED} if warnings else {Status.FAILED}
        return frozenset(n for n in nodes if self.statuses.get(n) in wanted)
