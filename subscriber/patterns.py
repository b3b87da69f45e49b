"""Patterns: how a rule says which names and ids it means."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import PlainValidator

NAME = "name:"
NOT = "!"


@dataclass(frozen=True)
class Patterns:
    """One or several patterns, as written.

    Digits alone are an id; everything else is a name or a glob (`*`, `?`, `[ab]`) that ignores
    case; `name:2024` is that name to the letter, though it looks like an id or a glob; `!x` leaves
    out what `x` matches.
    """

    written: tuple[str, ...]

    @property
    def wanted(self) -> list[str]:
        return [pattern for pattern in self.written if not pattern.startswith(NOT)]

    @property
    def unwanted(self) -> list[str]:
        return [pattern[1:] for pattern in self.written if pattern.startswith(NOT)]

    @property
    def matches_nothing(self) -> bool:
        """Whether what is asked for is left out as well."""
        unwanted = {pattern.casefold() for pattern in self.unwanted}
        wanted = [pattern.casefold() for pattern in self.wanted]
        return "*" in unwanted or (bool(wanted) and unwanted.issuperset(wanted))

    def match(self, *, id: str = "", name: str = "") -> bool:  # noqa: A002 - the word for it
        """Whether any pattern matches, and none that begins with `!`.

        With only `!` patterns everything else matches, and so does what has no name at all.
        """
        wanted, unwanted = self.wanted, self.unwanted
        return (not wanted or _any(wanted, id, name)) and not _any(unwanted, id, name)

    def match_any(self, names: Iterable[str]) -> bool:
        """The same for what has several names (tags) or none, where digits are a name too."""
        names = tuple(names)
        wanted, unwanted = self.wanted, self.unwanted
        return (not wanted or any(_any(wanted, name, name) for name in names)) and not any(
            _any(unwanted, name, name) for name in names
        )


def _any(patterns: Iterable[str], id_: str, name: str) -> bool:
    return any(_matches(pattern, id_, name.casefold()) for pattern in patterns)


def _matches(pattern: str, id_: str, name: str) -> bool:
    if pattern.isascii() and pattern.isdigit():
        return pattern == id_
    if pattern.startswith(NAME):
        return pattern.removeprefix(NAME).casefold() == name
    # a name that has brackets matches itself too
    return pattern.casefold() == name or fnmatchcase(name, pattern.casefold())


def parse(value: Any) -> Patterns:
    """Patterns from a text, a number or a list of those; raises ValueError for anything else."""
    if isinstance(value, Patterns):
        return value
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError("this list is empty: it can never match; leave the key out for everything")
    return Patterns(tuple(_pattern(item) for item in values))


def _pattern(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("write a name, an id or a glob, or a list of those")
    pattern = str(value).strip()
    if not pattern.removeprefix(NOT).removeprefix(NAME):
        raise ValueError("this is empty; write a name, an id or a glob")
    return pattern


PatternsField = Annotated[Patterns, PlainValidator(parse)]
