"""What a Tableau site holds that can be refreshed, and how Tableau lists it.

Source: https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_filtering_and_sorting.htm
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """`noun` is its element, `verb` the last part of the path that refreshes it."""

    WORKBOOK = ("workbook", "refresh", "404006")
    DATASOURCE = ("datasource", "refresh", "404004")
    # that code is a guess: all that is known is that it begins with 404
    FLOW = ("flow", "run", "404036")

    def __init__(self, noun: str, verb: str, not_found: str) -> None:
        self.noun = noun
        self.verb = verb
        self.not_found = not_found

    @property
    def plural(self) -> str:
        return f"{self.noun}s"


@dataclass(frozen=True)
class Content:
    """A workbook, a data source or a flow; `id` is its LUID, which no address in a browser shows.

    What `is_live` has no extract: there is nothing to refresh. What may not be refreshed is seen.
    """

    id: str
    name: str
    project: str = "Default"
    is_live: bool = False
    may_refresh: bool = True


def named(contents: Iterable[Content], expression: str | None) -> list[Content] | None:
    """Those that `expression` (`name:eq:Sales`) lets through; None if it cannot be understood.

    A comma parts expressions and an ampersand ends one: no name with them can be asked for.
    """
    if expression is None:
        return list(contents)
    wanted = []
    for part in expression.split(","):
        field, _, rest = part.partition(":")
        operator, colon, value = rest.partition(":")
        if (field, operator, colon) != ("name", "eq", ":"):
            return None
        wanted.append(value)
    return [content for content in contents if all(content.name == name for name in wanted)]


def told(kind: Kind, content: Content) -> dict[str, Any]:
    """`content` as a list shows it."""
    return {
        "id": content.id,
        "name": content.name,
        "webpageUrl": f"https://tableau.example/#/site/{kind.plural}/{content.id[:4]}",
        "project": {"id": f"project-{content.project}", "name": content.project},
        "owner": {"id": "5de011f8-5aa9-4d5b-b991-f462c8dd6bb7"},
    }


def page(kind: Kind, found: list[Content], query: Mapping[str, str]) -> dict[str, Any] | None:
    """The part of `found` that `query` asks for; None if that is no page."""
    try:
        size, number = int(query.get("pageSize", "100")), int(query.get("pageNumber", "1"))
    except ValueError:
        return None
    if not 1 <= size <= 1000 or number < 1:
        return None
    shown = found[(number - 1) * size :][:size]
    pagination = {"pageNumber": number, "pageSize": size, "totalAvailable": len(found)}
    return {
        "pagination": {name: str(value) for name, value in pagination.items()},
        kind.plural: {kind.noun: [told(kind, each) for each in shown]} if shown else {},
    }
