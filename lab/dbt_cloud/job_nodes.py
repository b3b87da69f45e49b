"""The nodes of one run, as Discovery's query `job` gives them.

Every node of the project is there; what the run did not execute has a null status.

Source: https://docs.getdbt.com/docs/dbt-apis/discovery-schema-job
"""

from collections.abc import Mapping
from typing import Any

from lab.dbt_cloud import pages, times
from lab.dbt_cloud.metadata import Metadata, Outcome
from lab.dbt_cloud.state import Run

FRESHNESS = {"pass": "Pass", "warn": "Warn", "error": "Error", "runtime error": "Error"}


def relation(node: Mapping[str, Any], metadata: Metadata, run: Run) -> dict[str, Any]:
    """A model, seed or snapshot."""
    outcome = metadata.executed.get(node["unique_id"])
    status = None if outcome is None else outcome.result["status"]
    return (
        _common(node, metadata, run)
        | _execution(outcome)
        | {
            "alias": node.get("alias"),
            "packageName": node.get("package_name"),
            "database": node.get("database"),
            "schema": node.get("schema"),
            "dbtGroup": node.get("group"),
            "access": node.get("access"),
            "owner": None,  # the relation's owner in the database: DuckDB has none
            "language": node.get("language"),
            "materializedType": node.get("config", {}).get("materialized"),
            "status": status,
            "error": _message(outcome) if status == "error" else None,
            "skip": None if status is None else status == "skipped",
        }
    )


def test(node: Mapping[str, Any], metadata: Metadata, run: Run) -> dict[str, Any]:
    """A test. `status` counts the rows that failed, or reads ERROR; `state` says how it went."""
    outcome = metadata.executed.get(node["unique_id"])
    found = None if outcome is None else outcome.result["status"]
    failures = None if outcome is None else outcome.result.get("failures")
    skipped = found == "skipped"
    status = {"error": "ERROR", "skipped": "skipped"}.get(found or "")
    if status is None and failures is not None:
        status = str(failures)
    return (
        _common(node, metadata, run)
        | _execution(outcome)
        | {
            "columnName": node.get("column_name"),
            "language": node.get("language"),
            # skipped is none of the four states that are documented
            "state": None if skipped else found,
            "status": status,
            "error": _message(outcome) if found == "error" else None,
            "fail": None if found is None else found == "fail",
            "warn": None if found is None else found == "warn",
            "skip": None if found is None else skipped,
        }
    )


def source(node: Mapping[str, Any], metadata: Metadata, run: Run) -> dict[str, Any]:
    """A source's table, with its freshness if the run looked at it."""
    outcome = metadata.freshness.get(node["unique_id"])
    return (
        _common(node, metadata, run)
        | freshness(node, outcome)
        | {
            "sourceName": node.get("source_name"),
            "sourceDescription": node.get("source_description"),
            "identifier": node.get("identifier"),
            "loader": node.get("loader"),
            "database": node.get("database"),
            "schema": node.get("schema"),
            "owner": None,
            "state": None
            if outcome is None
            else FRESHNESS.get(outcome.result["status"], "Unknown"),
            "runGeneratedAt": generated_at(outcome),
            "runElapsedTime": None if outcome is None else outcome.elapsed_time,
        }
    )


def exposure(node: Mapping[str, Any], metadata: Metadata, run: Run) -> dict[str, Any]:
    owner = node.get("owner") or {}
    return _common(node, metadata, run) | {
        "packageName": node.get("package_name"),
        "exposureType": node.get("type"),
        "maturity": node.get("maturity"),
        "url": node.get("url"),
        "ownerName": owner.get("name"),
        "ownerEmail": owner.get("email"),
    }


def freshness(node: Mapping[str, Any], outcome: Outcome | None) -> dict[str, Any]:
    """What a job's and an environment's sources have in common."""
    measured = {} if outcome is None else outcome.result
    return {
        "freshnessChecked": outcome is not None,
        "maxLoadedAt": times.discovery(measured.get("max_loaded_at")),
        "snapshottedAt": times.discovery(measured.get("snapshotted_at")),
        "maxLoadedAtTimeAgoInS": measured.get("max_loaded_at_time_ago_in_s"),
        "criteria": _criteria(node.get("freshness") or {}),
    }


def generated_at(outcome: Outcome | None) -> str | None:
    return None if outcome is None else times.discovery(outcome.metadata["generated_at"])


def _common(node: Mapping[str, Any], metadata: Metadata, run: Run) -> dict[str, Any]:
    unique_id = node["unique_id"]
    return {
        "accountId": run.account_id,
        "projectId": run.job.environment.project.id,
        "environmentId": run.job.environment.id,
        "jobId": run.job.id,
        "runId": run.id,
        "uniqueId": unique_id,
        "resourceType": node["resource_type"],
        "name": node.get("name"),
        "description": node.get("description"),
        "meta": node.get("meta") or {},
        "tags": node.get("tags") or [],
        "dbtVersion": metadata.project.get("dbt_version"),
        "dependsOn": node.get("depends_on", {}).get("nodes", []),
        "childrenL1": metadata.children.get(unique_id, []),
        "paginationCursor": pages.cursor(unique_id),
    }


def _execution(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {}
    result = outcome.result
    spans = {timing["name"]: timing for timing in result.get("timing", ())}
    compiled, executed = spans.get("compile", {}), spans.get("execute", {})
    return {
        "compiledCode": result.get("compiled_code"),
        "compiledSql": result.get("compiled_code"),
        "executionTime": result.get("execution_time"),
        "threadId": result.get("thread_id"),
        "invocationId": outcome.metadata.get("invocation_id"),
        "runGeneratedAt": generated_at(outcome),
        "runElapsedTime": outcome.elapsed_time,
        "compileStartedAt": times.discovery(compiled.get("started_at")),
        "compileCompletedAt": times.discovery(compiled.get("completed_at")),
        "executeStartedAt": times.discovery(executed.get("started_at")),
        "executeCompletedAt": times.discovery(executed.get("completed_at")),
    }


def _message(outcome: Outcome | None) -> str | None:
    return None if outcome is None else outcome.result.get("message")


def _criteria(freshness: Mapping[str, Any]) -> dict[str, Any]:
    def limit(name: str) -> dict[str, Any] | None:
        found = freshness.get(name) or {}
        return None if found.get("count") is None else dict(found)

    return {"warnAfter": limit("warn_after"), "errorAfter": limit("error_after")}
