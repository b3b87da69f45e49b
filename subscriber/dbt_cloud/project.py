"""The project: what Discovery knows of it as an environment's latest state.

It has what a run's own metadata lacks: files, the node that a test is attached to, and groups with
their owners.

Source: https://docs.getdbt.com/docs/dbt-cloud-apis/discovery-schema-environment
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subscriber.dbt_cloud.details import Details, Owner, from_environment, owner
from subscriber.dbt_cloud.fields import object_of, text_of

RESOURCES_A_QUERY = 500  # the most that an environment gives at once

QUERY = """
query Project($id: BigInt!, $filter: AppliedResourcesFilter!, $first: Int!) {
  environment(id: $id) {
    applied { resources(filter: $filter, first: $first) { edges { node {
      uniqueId tags meta filePath
      ... on ModelAppliedStateNode { group parents { uniqueId } }
      ... on SnapshotAppliedStateNode { parents { uniqueId } }
      ... on TestAppliedStateNode { testedNodeUniqueId parents { uniqueId } }
    } } } }
    definition { groups(first: $first) { edges { node { name ownerName ownerEmail } } } }
  }
}
"""
_TYPES = ("Model", "Seed", "Snapshot", "Source", "Test")


@dataclass(frozen=True)
class Project:
    """`known` are nodes by unique id, `groups` the owners by the name of the group."""

    known: Mapping[str, Details]
    groups: Mapping[str, Owner]


def variables(environment_id: str, unique_ids: Sequence[str]) -> dict[str, Any]:
    """Those of QUERY, for the first RESOURCES_A_QUERY of `unique_ids`."""
    return {
        "id": environment_id,
        "filter": {"types": _TYPES, "uniqueIds": unique_ids[:RESOURCES_A_QUERY]},
        "first": RESOURCES_A_QUERY,
    }


def read(data: Mapping[str, Any]) -> Project:
    """What the answer to QUERY says; what is null or missing in it is nothing."""
    environment = object_of(data.get("environment"))
    nodes = _nodes(object_of(environment.get("applied")).get("resources"))
    groups = _nodes(object_of(environment.get("definition")).get("groups"))
    return Project(
        known={text_of(node, "uniqueId"): from_environment(node) for node in nodes},
        groups={
            text_of(group, "name"): owner(text_of(group, "ownerName"), text_of(group, "ownerEmail"))
            for group in groups
        },
    )


def _nodes(connection: Any) -> list[dict[str, Any]]:
    edges = object_of(connection).get("edges")
    found = (object_of(edge).get("node") for edge in (edges if isinstance(edges, list) else ()))
    return [node for node in found if isinstance(node, dict)]
