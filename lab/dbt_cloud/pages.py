"""Pages of lists: the cursors of a job's lists, and the connections of an environment.

Source: https://docs.getdbt.com/docs/dbt-apis/discovery-schema-job-models
"""

import base64
import binascii
import bisect
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError

Row = dict[str, Any]

JOB_LIMIT = 100
ENVIRONMENT_LIMIT = 500


def cursor(unique_id: str) -> str:
    """Where the node of that id is in its list, in a form that only servers read."""
    return base64.b64encode(unique_id.encode()).decode()


def job_page(
    unique_ids: Sequence[str], first: int | None, after: str | None, *, without_first: int | None
) -> Sequence[str]:
    """At most `first` of the sorted `unique_ids`, those that come after the cursor `after`.

    `without_first` is how many are given when `first` is left out; None: all of them.
    """
    if first is not None and not 0 <= first <= JOB_LIMIT:
        raise GraphQLError(f"`first` must be at most {JOB_LIMIT}")
    start = _position(unique_ids, after)
    limit = without_first if first is None else first
    return unique_ids[start:] if limit is None else unique_ids[start : start + limit]


def connection(rows: Sequence[Row], first: int | None, after: str | None) -> Row:
    """The same of `rows`, sorted by `uniqueId`, with `edges`, `pageInfo` and `totalCount`."""
    if first is not None and not 0 <= first <= ENVIRONMENT_LIMIT:
        raise GraphQLError(f"`first` must be at most {ENVIRONMENT_LIMIT}")
    start = _position([row["uniqueId"] for row in rows], after)
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


def _position(unique_ids: Sequence[str], after: str | None) -> int:
    if after is None:
        return 0
    try:
        return bisect.bisect_right(unique_ids, base64.b64decode(after, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        raise GraphQLError("`after` is not a cursor of this list") from None
