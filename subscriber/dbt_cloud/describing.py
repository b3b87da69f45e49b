"""Describing nodes: what is known of those that failed, warned or were skipped, in few queries.

The run's own metadata comes first, for the causes; the project's latest state has the rest, for
all of them at once. Then tests need to know about the nodes that they test.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.event import RunEvent
from subscriber.dbt_cloud.asking import Asking
from subscriber.dbt_cloud.details import TESTS, Details, Owner, completed, described
from subscriber.dbt_cloud.discovery import NODES_A_QUERY, Discovery
from subscriber.run import Result, Status

NODES_LIMIT = 500
QUERIES_LIMIT = 10

_WORST_FIRST = (Status.FAILED, Status.WARNED, Status.SKIPPED)


@dataclass
class Describing:
    """What is learned about one run's nodes. `known` may hold what is known already."""

    discovery: Discovery
    asking: Asking
    event: RunEvent
    known: dict[str, Details] = field(default_factory=dict)
    _groups: dict[str, Owner] = field(default_factory=dict)
    _queries: int = 0
    _has_metadata: bool = True
    _asked: set[str] = field(default_factory=set)

    def of(self, results: Sequence[Result]) -> tuple[Result, ...]:
        """`results` with details, those of at most NODES_LIMIT nodes. Raises nothing."""
        wanted = [
            result.unique_id
            for status in _WORST_FIRST
            for result in results
            if result.status is status
        ]
        if len(wanted) > NODES_LIMIT:
            self.asking.note(
                f"tags and owners are known of {NODES_LIMIT} of the {len(wanted)} nodes that "
                "failed, warned or were skipped"
            )
            wanted = wanted[:NODES_LIMIT]
        if wanted:
            self._learn_from_run(self._unknown(wanted)[:NODES_A_QUERY])
            self._learn_from_project(wanted)
            self._learn_rest(self._unknown(wanted), leave=1)
            self._learn_rest(self._tested(wanted))
        return described(results, self.known, self._groups)

    def _tested(self, wanted: Iterable[str]) -> list[str]:
        """What the tests among `wanted` depend on, as far as it is not known."""
        tests = (node for node in wanted if node.partition(".")[0] in TESTS and node in self.known)
        depended_on = [node for test in tests for node in self.known[test].depends_on]
        found = self._unknown(dict.fromkeys(depended_on))
        if len(found) > NODES_A_QUERY:
            self._learn_from_project(found)
        return self._unknown(found)

    def _unknown(self, nodes: Iterable[str]) -> list[str]:
        return [node for node in nodes if node not in self.known and node not in self._asked]

    def _learn_rest(self, nodes: Sequence[str], leave: int = 0) -> None:
        for start in range(0, len(nodes), NODES_A_QUERY):
            if self._queries < QUERIES_LIMIT - leave:
                self._learn_from_run(nodes[start : start + NODES_A_QUERY])

    def _learn_from_run(self, nodes: Sequence[str]) -> None:
        if not nodes or not self._has_metadata or not self._may_ask():
            return
        self._asked |= set(nodes)
        found = self.asking.ask(
            self.discovery.endpoint,
            lambda: self.discovery.nodes(self.event.job_id, self.event.run_id, nodes),
        )
        self._has_metadata = found is not None
        self.known |= found or {}

    def _learn_from_project(self, nodes: Sequence[str]) -> None:
        if not self.event.environment_id or not self._may_ask():
            return
        project = self.asking.ask(
            self.discovery.endpoint,
            lambda: self.discovery.project(self.event.environment_id, nodes),
        )
        if project is None:
            return
        self._groups |= project.groups
        for node, found in project.known.items():
            self.known[node] = completed(self.known.get(node, Details()), found)

    def _may_ask(self) -> bool:
        self._queries += 1
        return not self.asking.was_down
