"""The metadata of a run: its project's nodes, and what became of those that it executed.

Source: https://docs.getdbt.com/reference/artifacts/dbt-artifacts
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.dbt_cloud.state import Run

EXECUTING = ("build", "run", "test", "seed", "snapshot", "retry")
"""Commands whose results tell of execution; those of `docs generate` say that nodes compiled."""


@dataclass(frozen=True)
class Outcome:
    """One result of `run_results.json` or `sources.json`, and the `metadata` beside it."""

    result: Mapping[str, Any]
    metadata: Mapping[str, Any]
    elapsed_time: float | None


@dataclass(frozen=True)
class Metadata:
    """By unique id; `children` are the nodes that name a node as one they depend on.

    `kinds` has the nodes again, by resource type.
    """

    project: Mapping[str, Any]
    nodes: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, Mapping[str, Any]]
    executed: Mapping[str, Outcome]
    freshness: Mapping[str, Outcome]
    children: Mapping[str, list[str]]
    kinds: Mapping[str, list[Mapping[str, Any]]]

    @property
    def project_name(self) -> str:
        return str(self.project["project_name"])

    def of_kind(self, kind: str) -> Sequence[Mapping[str, Any]]:
        """The nodes of that resource type, sorted by unique id."""
        return self.kinds.get(kind, ())


def of(run: Run) -> Metadata | None:
    """What can be known of `run`; None if no step got as far as to write a manifest."""
    manifest = None
    executed: dict[str, Outcome] = {}
    freshness: dict[str, Outcome] = {}
    for step in run.steps:
        manifest = _artifact(run, "manifest.json", step.index) or manifest
        results = _artifact(run, "run_results.json", step.index)
        if results and results["args"].get("which") in EXECUTING:
            executed |= _outcomes(results)
        freshness |= _outcomes(_artifact(run, "sources.json", step.index))
    if manifest is None:
        return None
    nodes = {**manifest["nodes"], **manifest["sources"], **manifest["exposures"]}
    children: dict[str, list[str]] = {unique_id: [] for unique_id in nodes}
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for unique_id, node in sorted(nodes.items()):
        kinds.setdefault(node["resource_type"], []).append(node)
        for parent in node.get("depends_on", {}).get("nodes", ()):
            children.setdefault(parent, []).append(unique_id)
    return Metadata(
        project=manifest["metadata"],
        nodes=nodes,
        groups=manifest["groups"],
        executed=executed,
        freshness=freshness,
        children=children,
        kinds=kinds,
    )


def _artifact(run: Run, path: str, step: int) -> dict[str, Any] | None:
    text = run.artifact(path, step)
    artifact: dict[str, Any] | None = None if text is None else json.loads(text)
    return artifact


def _outcomes(artifact: dict[str, Any] | None) -> dict[str, Outcome]:
    if artifact is None:
        return {}
    metadata, elapsed = artifact["metadata"], artifact.get("elapsed_time")
    return {
        result["unique_id"]: Outcome(result, metadata, elapsed) for result in artifact["results"]
    }
