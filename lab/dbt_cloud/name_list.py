"""Which projects, environments or jobs a request for a list means, in which order, which page.

Source: https://docs.getdbt.com/dbt-cloud/api-v2 (List Projects, List Environments, List Jobs)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from lab.dbt_cloud.state import Environment, Job, Project

LIMIT = 100  # the default, and the most that one page holds

T = TypeVar("T", Project, Environment, Job)

_STATES: dict[str, tuple[int, ...]] = {
    "active": (1,),
    "1": (1,),
    "deleted": (2,),
    "2": (2,),
    "all": (1, 2),
}
_ORDERS: dict[str, Callable[[Project | Environment | Job], tuple[int | str, ...]]] = {
    "id": lambda each: (each.id,),
    "name": lambda each: (each.name, each.id),
}


@dataclass(frozen=True)
class Page(Generic[T]):
    """`total` counts what the filters let through; `filters` is what was understood."""

    rows: list[T]
    total: int
    order_by: str
    filters: dict[str, int | str]


def page(all_of_them: Iterable[T], query: Mapping[str, str]) -> Page[T]:
    """The page that `query` asks for. Raises ValueError if it makes no sense."""
    state = query.get("state", "active")
    order_by = query.get("order_by", "id")
    key = _ORDERS.get(order_by.removeprefix("-"))
    limit, offset = min(int(query.get("limit", LIMIT)), LIMIT), int(query.get("offset", 0))
    if key is None or state not in _STATES or limit < 1 or offset < 0:
        raise ValueError("order_by, state, limit or offset")
    filters: dict[str, int | str] = {"state": state, "limit": limit, "offset": offset}
    found = [each for each in all_of_them if each.state in _STATES[state]]
    for name, field in (("project_id", _project_id), ("environment_id", _environment_id)):
        if name in query:
            value = filters[name] = int(query[name])
            found = [each for each in found if field(each) == value]
    found.sort(key=key, reverse=order_by.startswith("-"))
    return Page(found[offset : offset + limit], len(found), order_by, filters)


def _project_id(each: Project | Environment | Job) -> int:
    match each:
        case Project():
            return each.id
        case Environment():
            return each.project.id
        case Job():
            return each.environment.project.id


def _environment_id(each: Project | Environment | Job) -> int | None:
    match each:
        case Project():
            return None
        case Environment():
            return each.id
        case Job():
            return each.environment.id
