"""Which runs a request for a list of runs means, in which order, and which page of them.

Source: https://docs.getdbt.com/dbt-cloud/api-v2 (List Runs)
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lab.dbt_cloud.state import Run

LIMIT = 100  # the default, and the most that one page holds

_EQUAL: dict[str, Callable[[Run], int]] = {
    "job_definition_id": lambda run: run.job.id,
    "project_id": lambda run: run.job.environment.project.id,
    "environment_id": lambda run: run.job.environment.id,
    "status": lambda run: run.status,
}
_ORDERS: dict[str, Callable[[Run], tuple[int | datetime, ...]]] = {
    "id": lambda run: (run.id,),
    "created_at": lambda run: (run.started_at, run.id),
    # what goes on still comes after what has ended
    "finished_at": lambda run: (
        (run.finished_at is None, run.finished_at or run.started_at, run.id)
    ),
}


@dataclass(frozen=True)
class Page:
    """`total` counts what the filters let through; `filters` is what was understood."""

    runs: list[Run]
    total: int
    order_by: str
    filters: dict[str, int | list[int]]


def page(runs: Iterable[Run], query: Mapping[str, str]) -> Page:
    """The page of `runs` that `query` asks for. Raises ValueError if it makes no sense."""
    filters: dict[str, int | list[int]] = {}
    found = list(runs)
    for name, field in _EQUAL.items():
        if name in query:
            value = filters[name] = int(query[name])
            found = [run for run in found if field(run) == value]
    if "id__gt" in query:
        after = filters["id__gt"] = int(query["id__gt"])
        found = [run for run in found if run.id > after]
    if "status__in" in query:
        codes = filters["status__in"] = [
            int(code) for code in re.findall(r"\d+", query["status__in"])
        ]
        found = [run for run in found if run.status in codes]
    limit = filters["limit"] = min(int(query.get("limit", LIMIT)), LIMIT)
    offset = filters["offset"] = int(query.get("offset", 0))
    order_by = query.get("order_by", "id")
    key = _ORDERS.get(order_by.removeprefix("-"))
    if key is None or limit < 1 or offset < 0:
        raise ValueError("order_by, limit or offset")
    found.sort(key=key, reverse=order_by.startswith("-"))
    return Page(found[offset : offset + limit], len(found), order_by, filters)
