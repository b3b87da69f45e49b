"""Pages of lists: the cursors of a job's lists, and the connections of an environment.

Source: https://docs.getdbt.com/docs/dbt-apis/discovery-schema-job-models
"""

import base64
import binascii
import bisect
from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLError

Node = Mapping[str, Any]
Row = dict[str, Any]

JOB_LIMIT = 100
ENVIRONMENT_LIMIT = 500


def cursor(unique_id: str) -> str:
    """Where the node of that id is in its list, in a form that only servers read."""
    return base64.b64encode(unique_id.encode()).decode()


def job_page(
    nodes: Sequence[Node], first: int | None, after: str | None, *, without_first: int | None
) -> Sequence[Node]:
    """At most `first` of `nodes`, sorted by `unique_id`: those after the cursor `after`.

    `without_first` is how many are given when `first` is left out; None: all of them.
    """
    if first is not None and not 0 <= first <= JOB_LIMIT:
        raise GraphQLError(f"`first` must be at most {JOB_LIMIT}")
    start = _position(nodes, "unique_id", after)
    limit = without_first if first is None else first
    return nodes[start:] if limit is None else nodes[start : start + limit]


def connection(rows: Sequence[Row], first: int | None, after: str | None) -> Row:
    """The same of `rows`, sorted by `uniqueId`, with `edges`, `pageInfo` and `totalCount`."""
    if first is not None and not 0 <= first <= ENVIRONMENT_LIMIT:
        raise GraphQLError(f"`first` must be at most {ENVIRONMENT_LIMIT}")
    start = _position(rows, "uniqueId", after)
    end = start + (ENVIRONMENT_LIMIT if first is None else first)
    edges = [{"cursor": cursor(row["uniqueId"]), "node": row} for row in rows[start:end]]
    return {
        "totalCount": len(rows),
        "edges": edges,
        "pageInfo": {
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
            "hasNextPage": end < len(rows),
            "hasPreviousPage": start > 0,
        },
    }


def _position(nodes: Sequence[Node], key: str, after: str | None) -> int:
    if after is None:
        return 0
    try:
        unique_id = base64.b64decode(after, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise GraphQLError("`after` is not a cursor of this list") from None
    return bisect.bisect_right(nodes, unique_id, key=lambda node: str(node[key]))
