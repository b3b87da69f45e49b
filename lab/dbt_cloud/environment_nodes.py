"""The latest state of an environment's nodes, over all its runs, as `environment` gives them.

Source: https://docs.getdbt.com/docs/dbt-apis/discovery-schema-environment-applied
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.dbt_cloud import job_nodes
from lab.dbt_cloud.metadata import Metadata, Outcome
from lab.dbt_cloud.state import Run

Row = dict[str, Any]
Known = Sequence[tuple[Run, Metadata]]
"""The environment's runs whose metadata is there, the oldest first."""


@dataclass(frozen=True)
class _Last:
    run: Run
    outcome: Outcome


def models(known: Known) -> list[Row]:
    run, metadata = known[-1]
    return [
        _relation(node, metadata, run)
        | {
            "group": node.get("group"),
            "access": node.get("access"),
            "language": node.get("language"),
            "materializedType": node.get("config", {}).get("materialized"),
            "parents": _parents(node, metadata),
            "executionInfo": _execution(node, known, good=("success",)),
        }
        for node in metadata.of_kind("model")
    ]


def tests(known: Known) -> list[Row]:
    run, metadata = known[-1]
    return [
        _common(node, metadata, run)
        | {
            "columnName": node.get("column_name"),
            "testType": (
                "GENERIC_DATA_TEST" if node.get("test_metadata") else "SINGULAR_DATA_TEST"
            ),
            "testedNodeUniqueId": node.get("attached_node"),
            "parents": _parents(node, metadata),
            "executionInfo": _execution(node, known, good=("pass", "warn")),
        }
        for node in metadata.of_kind("test")
    ]


def sources(known: Known) -> list[Row]:
    run, metadata = known[-1]
    return [
        _common(node, metadata, run)
        | {
            "sourceName": node.get("source_name"),
            "sourceDescription": node.get("source_description"),
            "identifier": node.get("identifier"),
            "loader": node.get("loader"),
            "database": node.get("database"),
            "schema": node.get("schema"),
            "freshness": _freshness(node, known),
        }
        for node in metadata.of_kind("source")
    ]


def seeds(known: Known) -> list[Row]:
    run, metadata = known[-1]
    return [_relation(node, metadata, run) for node in metadata.of_kind("seed")]


def snapshots(known: Known) -> list[Row]:
    run, metadata = known[-1]
    return [
        _relation(node, metadata, run) | {"parents": _parents(node, metadata)}
        for node in metadata.of_kind("snapshot")
    ]


def resources(known: Known) -> list[Row]:
    """All of these together, sorted by unique id; `__typename` says which type a row is of."""
    rows = [
        row | {"__typename": f"{row['resourceType'].capitalize()}AppliedStateNode"}
        for rows_of in (models, seeds, snapshots, sources, tests)
        for row in rows_of(known)
    ]
    return sorted(rows, key=lambda row: str(row["uniqueId"]))


def groups(known: Known) -> list[Row]:
    run, metadata = known[-1]
    members = [node.get("group") for node in metadata.of_kind("model")]
    return [
        _common(group, metadata, run)
        | {
            "packageName": group.get("package_name"),
            "ownerName": group["owner"].get("name"),
            "ownerEmail": group["owner"].get("email"),
            "modelCount": members.count(group["name"]),
        }
        for _, group in sorted(metadata.groups.items())
    ]


def _relation(node: Mapping[str, Any], metadata: Metadata, run: Run) -> Row:
    return _common(node, metadata, run) | {
        "alias": node.get("alias"),
        "packageName": node.get("package_name"),
        "database": node.get("database"),
        "schema": node.get("schema"),
    }


def _parents(node: Mapping[str, Any], metadata: Metadata) -> list[Row]:
    parents = [metadata.nodes[parent] for parent in node["depends_on"]["nodes"]]
    return [
        {
            "__typename": f"{parent['resource_type'].capitalize()}AppliedStateNestedNode",
            "uniqueId": parent["unique_id"],
            "resourceType": parent["resource_type"],
            "name": parent["name"],
            "description": parent.get("description"),
            "filePath": parent["original_file_path"],
        }
        for parent in parents
    ]


def _common(node: Mapping[str, Any], metadata: Metadata, run: Run) -> Row:
    return {
        "accountId": run.account_id,
        "projectId": run.job.environment.project.id,
        "environmentId": run.job.environment.id,
        "uniqueId": node["unique_id"],
        "resourceType": node["resource_type"],
        "name": node["name"],
        "description": node.get("description"),
        "meta": node.get("meta") or {},
        "tags": node.get("tags") or [],
        "filePath": node["original_file_path"],
        "dbtVersion": metadata.project.get("dbt_version"),
    }


def _execution(node: Mapping[str, Any], known: Known, *, good: Sequence[str]) -> Row:
    unique_id = node["unique_id"]
    all_of_it = [
        _Last(run, metadata.executed[unique_id])
        for run, metadata in known
        if unique_id in metadata.executed
    ]
    if not all_of_it:
        return {}
    last = all_of_it[-1]
    result = last.outcome.result
    succeeded = [past.run for past in all_of_it if past.outcome.result["status"] in good]
    return {
        "lastRunId": last.run.id,
        "lastJobDefinitionId": last.run.job.id,
        "lastRunStatus": result["status"],
        "lastRunError": result["message"] if result["status"] in ("error", "fail") else None,
        "lastRunFailures": result.get("failures"),
        "lastRunGeneratedAt": job_nodes.generated_at(last.outcome),
        "runGeneratedAt": job_nodes.generated_at(last.outcome),
        "executionTime": result.get("execution_time"),
        "lastSuccessRunId": succeeded[-1].id if succeeded else None,
        "lastSuccessJobDefinitionId": succeeded[-1].job.id if succeeded else None,
    }


def _freshness(node: Mapping[str, Any], known: Known) -> Row:
    unique_id = node["unique_id"]
    last = None
    for run, metadata in known:
        if unique_id in metadata.freshness:
            last = _Last(run, metadata.freshness[unique_id])
    if last is None:
        return job_nodes.freshness(node, None)
    return job_nodes.freshness(node, last.outcome) | {
        "freshnessStatus": job_nodes.FRESHNESS.get(last.outcome.result["status"], "Unknown"),
        "freshnessRunId": last.run.id,
        "freshnessJobDefinitionId": last.run.job.id,
        "freshnessRunGeneratedAt": job_nodes.generated_at(last.outcome),
    }
