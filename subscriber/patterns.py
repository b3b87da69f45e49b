"""Patterns: how a rule says which names and ids it means."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

NAME = "name:"
NOT = "!"
_GLOB = "*?["


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
        """Whether all that is asked for is certainly left out as well, of what has a name."""
        wanted, unwanted = self.wanted, self.unwanted
        return "*" in unwanted or (
            bool(wanted) and all(any(_covers(out, each) for out in unwanted) for each in wanted)
        )

    def match(self, *, id: str = "", name: str = "") -> bool:  # noqa: A002 - the word for it
        """Whether it is certain that a pattern matches, and none that begins with `!`.

        With only `!` patterns everything else matches. An id or a name that is empty is not known.
        """
        return self._answer(id, name) is True

    def may_match(self, *, id: str = "", name: str = "") -> bool:  # noqa: A002 - the word for it
        """The same, but also where an id or a name that would tell is not known."""
        return self._answer(id, name) is not False

    def match_any(self, names: Iterable[str]) -> bool:
        """The same for what has several names (tags) or none, where digits are a name too."""
        names = tuple(names)
        wanted, unwanted = self.wanted, self.unwanted
        return (not wanted or _any_named(wanted, names)) and not _any_named(unwanted, names)

    def _answer(self, id_: str, name: str) -> bool | None:
        wanted, unwanted = self.wanted, self.unwanted
        is_wanted = _any(wanted, id_, name) if wanted else True
        is_unwanted = _any(unwanted, id_, name)
        if is_wanted is False or is_unwanted:
            return False
        return None if is_wanted is None or is_unwanted is None else True


def _any(patterns: Iterable[str], id_: str, name: str) -> bool | None:
    """Whether any of them matches; None if that takes an id or a name that is not known."""
    answers = [_matches(pattern, id_, name.casefold()) for pattern in patterns]
    if True in answers:
        return True
    return None if None in answers else False


def _any_named(patterns: Iterable[str], names: Iterable[str]) -> bool:
    names = tuple(names)
    return any(
        name != "" and _matches(pattern, name, name.casefold()) is True
        for pattern in patterns
        for name in names
    )


def _matches(pattern: str, id_: str, name: str) -> bool | None:
    """Whether one pattern matches; `name` has no capital letters."""
    if is_id(pattern):
        return pattern == id_ if id_ else None
    if pattern == "*":
        return True
    if not name:
        return None
    if pattern.startswith(NAME):
        return pattern.removeprefix(NAME).casefold() == name
    # a name that has brackets matches itself too
    return pattern.casefold() == name or fnmatchcase(name, pattern.casefold())


def is_id(pattern: str) -> bool:
    return pattern.isascii() and pattern.isdigit()


def is_glob(pattern: str) -> bool:
    """Whether it may mean other names than the one it looks like."""
    return not pattern.startswith(NAME) and any(letter in pattern for letter in _GLOB)


def covers(wide: Patterns | None, narrow: Patterns | None) -> bool:
    """Whether `wide` certainly matches, or may match, all that `narrow` does.

    None matches everything. Holds for whatever is not known as well: see `Patterns.may_match`.
    """
    if wide is None:
        return True
    wanted = narrow.wanted if narrow else []
    unwanted = narrow.unwanted if narrow else []
    return _each_is_covered(wide.wanted, wanted) and all(
        any(_covers(out, each) for out in unwanted)
        or (bool(wanted) and all(_is_apart(each, one) for one in wanted))
        for each in wide.unwanted
    )


def _each_is_covered(patterns: list[str], wanted: list[str]) -> bool:
    if not patterns or "*" in patterns:
        return True
    return bool(wanted) and all(any(_covers(one, each) for one in patterns) for each in wanted)


def _is_apart(pattern: str, other: str) -> bool:
    """Whether `pattern` certainly matches nothing that `other`, a name to the letter, does."""
    if is_id(other) or is_glob(other):
        return False
    return _matches(pattern, "", other.removeprefix(NAME).casefold()) is False


def _covers(pattern: str, other: str) -> bool:
    """Whether `pattern` certainly matches all that `other` does."""
    if pattern.casefold() == other.casefold() or pattern == "*":
        return True
    if is_id(other):
        return False
    if not is_glob(other):
        return _matches(pattern, "", other.removeprefix(NAME).casefold()) is True
    # what stars match, they match in another glob too; brackets and question marks need not
    is_simple = not pattern.startswith(NAME) and not any(letter in pattern for letter in "?[")
    return is_simple and "[" not in other and fnmatchcase(other.casefold(), pattern.casefold())


def parse(value: Any) -> Patterns:
    """Patterns from a text, a number or a list of those; raises ValueError for anything else."""
    if isinstance(value, Patterns):
        return value
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError("this list is empty: it can never match; leave the key out for everything")
    return Patterns(tuple(_pattern(item) for item in values))


def _pattern(value: Any) -> str:
    """One pattern as it is kept: no white space around its parts, `name:` in small letters."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("write a name, an id or a glob, or a list of those")
    bare = str(value).strip()
    no = NOT if bare.startswith(NOT) else ""
    bare = bare.removeprefix(NOT).strip()
    if no and bare.startswith(NOT):
        raise ValueError("write one `!`; a name that begins with it is written `name:!...`")
    named = NAME if bare.casefold().startswith(NAME) else ""
    bare = bare[len(named) :].strip()
    if not bare:
        raise ValueError("this is empty; write a name, an id or a glob")
    return f"{no}{named}{bare}"


# one `!` at the most; and something besides it and `name:`
_PATTERN = {
    "type": ["string", "integer"],
    "pattern": r"^(?!\s*!\s*!)(?!\s*(?:!\s*)?(?:[Nn][Aa][Mm][Ee]:\s*)?$)",
    "description": "a name, an id, a glob (*, ?, [ab]), name:... to the letter, !... to leave out",
}
_SCHEMA = {"anyOf": [_PATTERN, {"type": "array", "items": _PATTERN, "minItems": 1}]}

PatternsField = Annotated[Patterns, PlainValidator(parse), WithJsonSchema(_SCHEMA)]
