"""The Discovery API: what became of every node of a run, and what is known of single nodes.

Source: https://docs.getdbt.com/docs/dbt-cloud-apis/discovery-schema-job
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeGuard

from subscriber.dbt_cloud import graphql, project
from subscriber.dbt_cloud.details import Details, from_job
from subscriber.dbt_cloud.graphql import Found, QueryRefused
from subscriber.dbt_cloud.project import Project
from subscriber.dbt_cloud.results import from_row
from subscriber.outbound import Outbound
from subscriber.run import Result

PAGE_ROWS = 100  # the most that a job's lists give at once
NODES_A_QUERY = 50

_LISTS = {
    "models": "uniqueId status error tags meta dbtGroup dependsOn",
    "tests": "uniqueId state status error fail warn skip tags meta dependsOn",
    "seeds": "uniqueId status error tags meta",
    "snapshots": "uniqueId status error tags meta",
    "sources": "uniqueId state tags meta",
}
_DETAILS = {
    "model": "uniqueId tags meta dbtGroup dependsOn",
    "test": "uniqueId tags meta dependsOn",
    "seed": "uniqueId tags meta",
    "snapshot": "uniqueId tags meta",
    "source": "uniqueId tags meta",
}
_FIELD = {kind: kind for kind in _DETAILS} | {"unit_test": "test"}
"""The field of a job that shows one node of a kind."""

Given = Mapping[str, tuple[str, str | None]]
"""The variables of a query beside the run's, by name: their types and values."""


@dataclass(frozen=True)
class Listed:
    """The rows of a job's lists. `known` has every node of the project, executed or not.

    `is_whole` says whether the lists were read to their end.
    """

    results: tuple[Result, ...]
    known: Mapping[str, Details]
    is_whole: bool


@dataclass(frozen=True)
class Discovery:
    """Asks one dbt Cloud. Calls raise Refused, Busy or QueryRefused; all are safe to repeat."""

    endpoint: str
    token: Callable[[], str]
    outbound: Outbound

    def listed(self, job_id: str, run_id: str, *, go_on: Callable[[], bool]) -> Listed | None:
        """What became of each node that the run executed; None if there is no metadata of it.

        Pages to the end, or for as long as `go_on()` says so: then it is what was found so far.
        """
        try:
            return self._paged(job_id, run_id, go_on)
        except QueryRefused:
            # a server that does not know `first` and `after` gives everything without them
            lists = " ".join(f"{name} {{ {fields} }}" for name, fields in _LISTS.items())
            job = self._job(lists, job_id, run_id)
            return None if job is None else _listed([job], is_whole=True)

    def nodes(
        self, job_id: str, run_id: str, unique_ids: Sequence[str]
    ) -> dict[str, Details] | None:
        """Those of `unique_ids` that the run's project has; None without metadata of the run.

        At most NODES_A_QUERY are asked for, the first ones: one query, whatever the project.
        """
        asked = [(node, _FIELD[_kind(node)]) for node in unique_ids if _kind(node) in _FIELD]
        asked = asked[:NODES_A_QUERY]
        if not asked:
            return {}
        fields = " ".join(
            f"n{i}: {field}(uniqueId: $n{i}) {{ {_DETAILS[field]} }}"
            for i, (_, field) in enumerate(asked)
        )
        job = self._job(fields, job_id, run_id, _given(node for node, _ in asked))
        if job is None:
            return None
        rows = ((node, job.get(f"n{i}")) for i, (node, _) in enumerate(asked))
        return {node: from_job(row) for node, row in rows if isinstance(row, dict)}

    def project(self, environment_id: str, unique_ids: Sequence[str]) -> Project:
        """What the environment's latest state says of `unique_ids`, and all groups' owners.

        Nobody depends on it: where the server has no such environment or another schema, there is
        nothing.
        """
        try:
            asked = self._asked(project.QUERY, project.variables(environment_id, unique_ids))
        except QueryRefused:
            return project.read({})
        return project.read(asked.data)

    def gone(self, job_id: str, run_id: str, unique_ids: Sequence[str]) -> frozenset[str]:
        """Those of `unique_ids` that are certainly not in the run's project.

        Certain is what the metadata does not have although it has a model, if the server reports
        no error. At most NODES_A_QUERY are asked for, the first ones.
        """
        asked = [node for node in unique_ids if _kind(node) in _DETAILS][:NODES_A_QUERY]
        if not asked:
            return frozenset()
        try:
            found = self._lookup("models(first: 1)", job_id, run_id, asked)
        except QueryRefused:
            found = self._lookup("models", job_id, run_id, asked)
        job = found.data.get("job")
        if found.has_errors or not isinstance(job, dict) or not job.get("models"):
            return frozenset()
        return frozenset(node for i, node in enumerate(asked) if job.get(f"n{i}", ...) is None)

    def _lookup(self, models: str, job_id: str, run_id: str, nodes: Sequence[str]) -> Found:
        fields = " ".join(
            f"n{i}: {_kind(node)}(uniqueId: $n{i}) {{ uniqueId }}" for i, node in enumerate(nodes)
        )
        fields = f"{models} {{ uniqueId }} {fields}"
        return self._asked(*_query(fields, job_id, run_id, _given(nodes)))

    def _paged(self, job_id: str, run_id: str, go_on: Callable[[], bool]) -> Listed | None:
        after: dict[str, str | None] = dict.fromkeys(_LISTS)
        pages: list[dict[str, Any]] = []
        while after:
            fields = " ".join(
                f"{name}(first: {PAGE_ROWS}, after: $after_{name}) "
                f"{{ {_LISTS[name]} paginationCursor }}"
                for name in after
            )
            cursors = {f"after_{name}": ("String", cursor) for name, cursor in after.items()}
            job = self._job(fields, job_id, run_id, cursors)
            if job is None:
                return None
            pages.append(job)
            after = {name: _cursor(rows) for name in after if _is_full(rows := job.get(name))}
            if not all(after.values()) or not go_on():
                break
        return _listed(pages, is_whole=not after)

    def _job(
        self, fields: str, job_id: str, run_id: str, given: Given = MappingProxyType({})
    ) -> dict[str, Any] | None:
        job = self._asked(*_query(fields, job_id, run_id, given)).data.get("job")
        return job if isinstance(job, dict) else None

    def _asked(self, query: str, variables: Mapping[str, Any]) -> Found:
        return graphql.asked(self.outbound, self.endpoint, self.token(), query, variables)


def _given(nodes: Iterable[str]) -> Given:
    return {f"n{i}": ("String!", node) for i, node in enumerate(nodes)}


def _query(
    fields: str, job_id: str, run_id: str, given: Given
) -> tuple[str, dict[str, str | None]]:
    """A query for `fields` of one run, and its variables."""
    types = "".join(f", ${name}: {kind}" for name, (kind, _) in given.items())
    query = (
        f"query Run($jobId: BigInt!, $runId: BigInt!{types}) "
        f"{{ job(id: $jobId, runId: $runId) {{ id {fields} }} }}"
    )
    values = {name: value for name, (_, value) in given.items()}
    return query, {"jobId": job_id, "runId": run_id, **values}


def _listed(pages: Iterable[Mapping[str, Any]], *, is_whole: bool) -> Listed:
    lists = (page.get(name) for page in pages for name in _LISTS)
    rows = [
        row
        for rows in lists
        if isinstance(rows, list)
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("uniqueId"), str)
    ]
    found = (from_row(row) for row in rows)
    return Listed(
        results=tuple(result for result in found if result is not None),
        known={row["uniqueId"]: from_job(row) for row in rows},
        is_whole=is_whole,
    )


def _is_full(rows: Any) -> TypeGuard[list[Any]]:
    """Whether another page may follow: the last one is not full."""
    return isinstance(rows, list) and len(rows) >= PAGE_ROWS


def _cursor(rows: Sequence[Any]) -> str | None:
    cursor = rows[-1].get("paginationCursor") if isinstance(rows[-1], dict) else None
    return cursor if isinstance(cursor, str) else None


def _kind(unique_id: str) -> str:
    return unique_id.partition(".")[0]
