"""An environment as Discovery's `environment` shows it: connections, filtered.

Source: https://docs.getdbt.com/docs/dbt-apis/discovery-schema-environment
"""

from collections.abc import Callable
from typing import Any

from lab.dbt_cloud import environment_nodes, pages, times
from lab.dbt_cloud.environment_nodes import Known

Row = dict[str, Any]
Test = Callable[[Row, Any], bool]

_FILTERS: dict[str, Test] = {
    "uniqueIds": lambda row, wanted: row["uniqueId"] in wanted,
    "tags": lambda row, wanted: bool(set(row["tags"]) & set(wanted)),
    "group": lambda row, wanted: bool(row["group"] == wanted),
    "lastRunStatus": lambda row, wanted: bool(row["executionInfo"].get("lastRunStatus") == wanted),
    "status": lambda row, wanted: bool(row["executionInfo"].get("lastRunStatus") == wanted),
    "testTypes": lambda row, wanted: row["testType"] in wanted,
    "freshnessStatus": lambda row, wanted: bool(row["freshness"].get("freshnessStatus") == wanted),
    "freshnessChecked": lambda row, wanted: row["freshness"]["freshnessChecked"] is wanted,
    "types": lambda row, wanted: row["resourceType"].capitalize() in wanted,
    "sourceNames": lambda row, wanted: row["sourceName"] in wanted,
}


def view(known: Known) -> dict[str, Any]:
    """Values and resolvers by field; without any run, an environment that holds nothing."""
    if not known:
        return {"applied": None, "definition": None}
    run, metadata = known[-1]
    updated_at = times.discovery(metadata.project["generated_at"])
    return {
        "adapterType": metadata.project.get("adapter_type"),
        "dbtProjectName": metadata.project_name,
        "applied": {
            "lastUpdatedAt": updated_at,
            "latestGitSha": run.trigger.git_sha,
            "models": _connection(environment_nodes.models, known),
            "tests": _connection(environment_nodes.tests, known),
            "sources": _connection(environment_nodes.sources, known),
            "resources": _connection(environment_nodes.resources, known),
        },
        "definition": {
            "lastUpdatedAt": updated_at,
            "groups": _connection(environment_nodes.groups, known),
        },
    }


def _connection(rows_of: Callable[[Known], list[Row]], known: Known) -> Callable[..., Row]:
    def resolve(
        _: Any,
        filter: dict[str, Any] | None = None,  # noqa: A002
        first: int | None = None,
        after: str | None = None,
    ) -> Row:
        rows = rows_of(known)
        for name, wanted in (filter or {}).items():
            if wanted is not None:
                rows = [row for row in rows if _FILTERS[name](row, wanted)]
        return pages.connection(rows, first, after)

    return resolve
