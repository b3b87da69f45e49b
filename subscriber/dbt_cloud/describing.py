"""Describing nodes: what is known of those that failed, warned or were skipped, in few queries.

The run's own metadata comes first, for the first causes; the project's latest state has the rest,
many at once. Then tests need to know about the nodes that they test.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.event import RunEvent
from subscriber.dbt_cloud.asking import Asking
from subscriber.dbt_cloud.details import TESTS, Details, Owner, completed, described
from subscriber.dbt_cloud.discovery import NODES_A_QUERY, Discovery
from subscriber.dbt_cloud.project import RESOURCES_A_QUERY
from subscriber.run import Result, Status

BAD_LIMIT = 10_000  # nodes that failed or warned: rules match them by tag and owner
NODES_LIMIT = 500  # with those that were skipped, whose dependencies alone are of use
QUERIES_LIMIT = 10  # after which the run's own metadata is not asked for what else is missing


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
    _looked_up: set[str] = field(default_factory=set)

    def of(self, results: Sequence[Result]) -> tuple[Result, ...]:
        """`results` with details, as many as there is time for. Raises nothing.

        Those of at most BAD_LIMIT nodes that failed or warned, and of those that were skipped as
        far as they are among the first NODES_LIMIT. A note says of how many there are none.
        """
        bad = [*_those(results, Status.FAILED), *_those(results, Status.WARNED)]
        skipped = _those(results, Status.SKIPPED)
        wanted = bad[:BAD_LIMIT] + skipped[: max(0, NODES_LIMIT - len(bad))]
        if wanted:
            self._learn_from_run(self._unknown(wanted)[:NODES_A_QUERY])
            self._learn_from_project(wanted)
            self._learn_rest(self._unknown(wanted), leave=1)
            self._learn_rest(self._tested(wanted))
            self._note(bad, "tags and owners", "failed or warned")
            self._note(skipped, "dependencies", "were skipped")
        return described(results, self.known, self._groups)

    def _tested(self, wanted: Iterable[str]) -> list[str]:
        """What the tests among `wanted` depend on, as far as it is not known."""
        tests = (node for node in wanted if node.partition(".")[0] in TESTS and node in self.known)
        depended_on = [node for test in tests for node in self.known[test].depends_on]
        found = self._unknown(dict.fromkeys(depended_on))
        if len(found) > NODES_A_QUERY or self._queries >= QUERIES_LIMIT:
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
        if found is not None:
            self._looked_up |= set(nodes)
            self.known |= found

    def _learn_from_project(self, nodes: Sequence[str]) -> None:
        """Of all of `nodes`, for as long as there is time for another query."""
        for start in range(0, min(len(nodes), BAD_LIMIT), RESOURCES_A_QUERY):
            if not self._learn_page(nodes[start : start + RESOURCES_A_QUERY]):
                break

    def _learn_page(self, nodes: Sequence[str]) -> bool:
        """Whether the project could be asked."""
        if not self.event.environment_id or not self._may_ask():
            return False
        project = self.asking.ask(
            self.discovery.endpoint,
            lambda: self.discovery.project(self.event.environment_id, nodes),
        )
        if project is None:
            return False
        self._looked_up |= set(nodes)
        self._groups |= project.groups
        for node, found in project.known.items():
            self.known[node] = completed(self.known.get(node, Details()), found)
        return True

    def _is_left(self, node: str) -> bool:
        """Whether it was not looked up, or is a test of which no tested node was."""
        if node not in self.known:
            return node not in self._looked_up
        above = self.known[node].depends_on if node.partition(".")[0] in TESTS else ()
        return bool(above) and not any(n in self.known or n in self._looked_up for n in above)

    def _note(self, nodes: Sequence[str], what: str, which: str) -> None:
        """Say of how many there was no room or time; why nothing could be had is said already."""
        left = sum(self._is_left(node) for node in nodes)
        if left and self._looked_up:
            self.asking.note(
                f"{what} of {left} of the {len(nodes)} nodes that {which} could not be looked up"
            )

    def _may_ask(self) -> bool:
        """The first question is left to `asking`, which says why it cannot be asked."""
        self._queries += 1
        is_late = bool(self._looked_up) and not self.asking.has_time_to_ask()
        return not self.asking.was_down and not is_late


def _those(results: Iterable[Result], status: Status) -> list[str]:
    return [result.unique_id for result in results if result.status is status]
