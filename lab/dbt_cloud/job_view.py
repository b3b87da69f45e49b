"""One run as Discovery's `job` shows it: lists of its nodes, and single ones by their name.

Source: https://docs.getdbt.com/docs/dbt-apis/discovery-schema-job
"""

from collections.abc import Callable, Mapping
from typing import Any

from lab.dbt_cloud import job_nodes, pages
from lab.dbt_cloud.metadata import Metadata
from lab.dbt_cloud.state import Run

Row = dict[str, Any]
Shape = Callable[[Mapping[str, Any], Metadata, Run], Row]

SHAPES: dict[str, Shape] = {
    "model": job_nodes.relation,
    "test": job_nodes.test,
    "seed": job_nodes.relation,
    "snapshot": job_nodes.relation,
    "source": job_nodes.source,
    "exposure": job_nodes.exposure,
}


def empty(run: Run) -> dict[str, Any]:
    """What there is of a run whose metadata has not come yet, where that is not just null."""
    return {"id": run.job.id, "runId": run.id} | {f"{kind}s": list[Row]() for kind in SHAPES}


def view(run: Run, metadata: Metadata, without_first: int | None) -> dict[str, Any]:
    """Values and resolvers by field."""
    fields: dict[str, Any] = {"id": run.job.id, "runId": run.id}
    for kind, shape in SHAPES.items():
        fields[kind] = _one(kind, shape, metadata, run)
        fields[f"{kind}s"] = _all(kind, shape, metadata, run, without_first)
    return fields


def _one(kind: str, shape: Shape, metadata: Metadata, run: Run) -> Callable[..., Row | None]:
    def resolve(_: Any, **named: str) -> Row | None:
        wanted = named.get("uniqueId") or f"exposure.{metadata.project_name}.{named['name']}"
        node = metadata.nodes.get(wanted)
        if node is None or node["resource_type"] != kind:
            return None
        return shape(node, metadata, run)

    return resolve


def _all(
    kind: str, shape: Shape, metadata: Metadata, run: Run, without_first: int | None
) -> Callable[..., list[Row]]:
    def resolve(
        _: Any, first: int | None = None, after: str | None = None, **where: str
    ) -> list[Row]:
        nodes = metadata.of_kind(kind)
        if where:
            nodes = [node for node in nodes if _is_where(node, where)]
        shown = pages.job_page(nodes, first, after, without_first=without_first)
        return [shape(node, metadata, run) for node in shown]

    return resolve


def _is_where(node: Mapping[str, Any], where: Mapping[str, str | None]) -> bool:
    # a model's identifier is its alias
    place = {"identifier": node.get("alias"), **node}
    return all(wanted is None or place.get(name) == wanted for name, wanted in where.items())
