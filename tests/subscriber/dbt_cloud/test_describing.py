"""Describing nodes: of which there are details, and what that costs."""

from collections.abc import Sequence

import pytest

from subscriber.dbt_cloud.asking import ASKING_S, Asking
from subscriber.dbt_cloud.describing import BAD_LIMIT, Describing
from subscriber.dbt_cloud.details import Details
from subscriber.dbt_cloud.discovery import NODES_A_QUERY, Discovery
from subscriber.dbt_cloud.project import RESOURCES_A_QUERY, Project
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import Outbound
from subscriber.run import Result, Status
from tests.builders import Clock, a_result, an_event


class FakeDiscovery(Discovery):
    """Knows every node it is asked about; each question takes `takes_s`."""

    def __init__(self, takes_s: float = 0.0) -> None:
        super().__init__("https://metadata.example/graphql", lambda: "token", Outbound())
        object.__setattr__(self, "takes_s", takes_s)
        object.__setattr__(self, "of_run", [])
        object.__setattr__(self, "of_project", [])

    takes_s: float
    of_run: list[int]
    of_project: list[int]

    @property
    def now(self) -> float:
        return self.takes_s * len(self.of_run + self.of_project)

    def nodes(self, job_id: str, run_id: str, unique_ids: Sequence[str]) -> dict[str, Details]:
        self.of_run.append(len(unique_ids))
        return {node: _details(node) for node in unique_ids[:NODES_A_QUERY]}

    def project(self, environment_id: str, unique_ids: Sequence[str]) -> Project:
        self.of_project.append(len(unique_ids))
        return Project({node: _details(node) for node in unique_ids[:RESOURCES_A_QUERY]}, {})


def _details(node: str) -> Details:
    if node.startswith("test."):
        return Details(depends_on=(f"model.shop.{node.split('.')[2]}",))
    return Details(tags=("finance",), path="models/a.sql")


def describe(
    discovery: FakeDiscovery, *results: Result
) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    asking = Asking(MemoryLedger(), Clock(), monotonic=lambda: discovery.now)
    found = Describing(discovery, asking, an_event()).of(results)
    assert not asking.was_down
    return found, tuple(asking.notes)


def some(count: int, status: Status = Status.FAILED, name: str = "model.shop.m{}") -> list[Result]:
    return [a_result(name.format(n), status=status) for n in range(count)]


def described(results: Sequence[Result], status: Status) -> int:
    return sum(result.is_described for result in results if result.status is status)


@pytest.mark.parametrize(
    ("count", "of_project"), [(1, 1), (50, 1), (51, 1), (500, 1), (501, 2), (1_000, 2), (1_001, 3)]
)
def test_every_node_that_failed_is_described_in_few_queries(count: int, of_project: int) -> None:
    discovery = FakeDiscovery()

    found, notes = describe(discovery, *some(count))

    assert described(found, Status.FAILED) == count
    assert (len(discovery.of_run), len(discovery.of_project)) == (1, of_project)
    assert notes == ()


def test_nodes_that_warned_are_described_beyond_five_hundred_as_those_that_failed_are() -> None:
    found, _ = describe(FakeDiscovery(), *some(600), *some(300, Status.WARNED, "model.shop.w{}"))

    assert (described(found, Status.FAILED), described(found, Status.WARNED)) == (600, 300)


@pytest.mark.parametrize(("failed", "skipped"), [(100, 400), (499, 1), (500, 0), (600, 0)])
def test_skipped_nodes_are_described_as_far_as_the_first_five_hundred(
    failed: int, skipped: int
) -> None:
    later = some(900, Status.SKIPPED, "model.shop.s{}")

    found, notes = describe(FakeDiscovery(), *later, *some(failed))

    assert (described(found, Status.FAILED), described(found, Status.SKIPPED)) == (failed, skipped)
    (note,) = notes
    assert note.startswith(f"dependencies of {900 - skipped} of the 900 nodes that were skipped ")


def test_more_than_ten_thousand_are_not_looked_up_and_that_is_said_once() -> None:
    discovery = FakeDiscovery()

    found, notes = describe(discovery, *some(BAD_LIMIT + 7))

    assert described(found, Status.FAILED) == BAD_LIMIT
    assert len(discovery.of_project) == BAD_LIMIT / RESOURCES_A_QUERY == 20
    assert notes == (
        "tags and owners of 7 of the 10007 nodes that failed or warned could not be looked up",
    )


def test_once_the_time_is_up_the_nodes_left_are_counted_and_dbt_cloud_was_not_down() -> None:
    discovery = FakeDiscovery(takes_s=ASKING_S / 8)

    found, notes = describe(discovery, *some(5_000))

    known = described(found, Status.FAILED)
    assert 500 <= known < 5_000
    (note,) = notes
    assert note.startswith(f"tags and owners of {5_000 - known} of the 5000 nodes that failed ")


@pytest.mark.parametrize("count", [600, 6_000])
def test_tests_are_described_with_what_they_test_however_many_they_are(count: int) -> None:
    found, notes = describe(FakeDiscovery(), *some(count, name="test.shop.m{}.abc"))

    assert described(found, Status.FAILED) == count
    assert {result.tags for result in found} == {("finance",)}
    assert notes == ()


def test_many_tests_of_one_model_are_described_though_the_queries_of_the_run_are_used_up() -> None:
    tests = some(6_000, name="test.shop.orders.{}")

    found, _ = describe(FakeDiscovery(), *tests)

    assert {result.tags for result in found} == {("finance",)}
