"""The Discovery API: what became of every node of a run, and what is known of single nodes.

Source: https://docs.getdbt.com/docs/dbt-cloud-apis/discovery-schema-job
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from shared.errors import Failure, TemporaryFailure
from subscriber.dbt_cloud.results import details, from_row
from subscriber.outbound import Outbound, Refused, Reply
from subscriber.run import Result

PAGE_ROWS = 100  # the most that a job's lists give at once
NODES_A_QUERY = 50
ANSWER_LIMIT_BYTES = 64_000_000  # without `first`, all nodes of a project come at once

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
}


class QueryRefused(Failure):
    """The server does not take the query as it is."""


@dataclass(frozen=True)
class Discovery:
    """Asks one dbt Cloud. Calls raise Refused, Busy or QueryRefused; all are safe to repeat."""

    endpoint: str
    token: Callable[[], str]
    outbound: Outbound

    def results(
        self, job_id: str, run_id: str, *, go_on: Callable[[], bool]
    ) -> tuple[Result, ...] | None:
        """What became of each node that the run executed; None if there is no metadata of it.

        Pages to the end, or for as long as `go_on()` says so: then it is what was found so far.
        """
        try:
            return self._paged(job_id, run_id, go_on)
        except QueryRefused:
            # a server that does not know `first` and `after` gives everything without them
            lists = " ".join(f"{name} {{ {fields} }}" for name, fields in _LISTS.items())
            job = self._job(lists, job_id, run_id)
            return None if job is None else _results(job)

    def described(self, job_id: str, run_id: str, nodes: Sequence[Result]) -> dict[str, Result]:
        """`nodes` with tags, group, owner and dependencies, by unique id; those it knows.

        At most NODES_A_QUERY are asked for, the first ones: one query, whatever the project.
        """
        asked = [node for node in nodes if node.kind in _DETAILS][:NODES_A_QUERY]
        if not asked:
            return {}
        fields = " ".join(
            f"n{i}: {node.kind}(uniqueId: $n{i}) {{ {_DETAILS[node.kind]} }}"
            for i, node in enumerate(asked)
        )
        given = {f"n{i}": node.unique_id for i, node in enumerate(asked)}
        job = self._job(fields, job_id, run_id, given) or {}
        rows = ((node, job.get(f"n{i}")) for i, node in enumerate(asked))
        return {
            node.unique_id: replace(node, **details(row))
            for node, row in rows
            if isinstance(row, dict)
        }

    def _paged(
        self, job_id: str, run_id: str, go_on: Callable[[], bool]
    ) -> tuple[Result, ...] | None:
        after: dict[str, str | None] = dict.fromkeys(_LISTS)
        found: list[Result] = []
        while after:
            fields = " ".join(
                f"{name}(first: {PAGE_ROWS}, after: $after_{name}) "
                f"{{ {_LISTS[name]} paginationCursor }}"
                for name in after
            )
            cursors = {f"after_{name}": cursor for name, cursor in after.items()}
            job = self._job(fields, job_id, run_id, cursors)
            if job is None:
                return None
            found += _results(job)
            after = {name: cursor for name in after if (cursor := _next(job.get(name)))}
            if not go_on():
                break
        return tuple(found)

    def _job(
        self,
        fields: str,
        job_id: str,
        run_id: str,
        given: Mapping[str, str | None] = MappingProxyType({}),
    ) -> dict[str, Any] | None:
        types = "".join(
            f", ${name}: {'String' if name.startswith('after_') else 'String!'}" for name in given
        )
        query = (
            f"query Run($jobId: BigInt!, $runId: BigInt!{types}) "
            f"{{ job(id: $jobId, runId: $runId) {{ id {fields} }} }}"
        )
        variables = {"jobId": job_id, "runId": run_id, **given}
        answer = self._asked(query, variables)
        if not isinstance(answer.content, dict):
            raise TemporaryFailure("what answered is not Discovery: is its URL right?")
        data = answer.content.get("data")
        job = data.get("job") if isinstance(data, dict) else None
        if job is None and answer.content.get("errors"):
            raise QueryRefused("Discovery answered with an error")
        return job if isinstance(job, dict) else None

    def _asked(self, query: str, variables: dict[str, Any]) -> Reply:
        try:
            return self.outbound.post_json(
                self.endpoint,
                {"query": query, "variables": variables},
                headers={"Authorization": f"Bearer {self.token()}"},
                answer_limit_bytes=ANSWER_LIMIT_BYTES,
            )
        except Refused as refused:
            if refused.status in (400, 422):
                raise QueryRefused("Discovery did not take the query") from None
            raise


def _results(job: dict[str, Any]) -> tuple[Result, ...]:
    lists = (job.get(name) for name in _LISTS)
    rows = (row for rows in lists if isinstance(rows, list) for row in rows)
    found = (from_row(row) for row in rows if isinstance(row, dict))
    return tuple(result for result in found if result is not None)


def _next(rows: Any) -> str | None:
    """The cursor of the next page; None after the last, which is not full."""
    if not isinstance(rows, list) or len(rows) < PAGE_ROWS:
        return None
    last = rows[-1]
    cursor = last.get("paginationCursor") if isinstance(last, dict) else None
    return cursor if isinstance(cursor, str) and cursor else None
