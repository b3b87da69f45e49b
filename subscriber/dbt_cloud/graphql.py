"""GraphQL, as far as the Discovery API is asked: one query, and what its answer may look like.

Source: https://docs.getdbt.com/docs/dbt-cloud-apis/discovery-querying
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import Failure, TemporaryFailure
from subscriber.outbound import Outbound, Refused

ANSWER_LIMIT_BYTES = 64_000_000  # a server without pages gives all nodes of a project at once


class QueryRefused(Failure):
    """The server does not take the query as it is."""


@dataclass(frozen=True)
class Found:
    """An answer: the fields that are not null, and whether the server reported errors as well."""

    data: Mapping[str, Any]
    has_errors: bool


def asked(
    outbound: Outbound, endpoint: str, token: str, query: str, variables: Mapping[str, Any]
) -> Found:
    """What `query` finds. Safe to repeat.

    Raises QueryRefused for errors without any data, Refused and Busy as Outbound does.
    """
    try:
        answer = outbound.post_json(
            endpoint,
            {"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
            answer_limit_bytes=ANSWER_LIMIT_BYTES,
        ).content
    except Refused as refused:
        if refused.status in (400, 422):
            raise QueryRefused("Discovery did not take the query") from None
        raise
    if not isinstance(answer, dict):
        raise TemporaryFailure("what answered is not Discovery: is its URL right?")
    data = answer.get("data")
    fields = data.items() if isinstance(data, dict) else ()
    found = Found(
        {name: value for name, value in fields if value is not None}, bool(answer.get("errors"))
    )
    if found.has_errors and not found.data:
        raise QueryRefused("Discovery answered with an error")
    return found
