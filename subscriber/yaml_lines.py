"""YAML with the place of each key, so that a mistake can be said with it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import yaml

from subscriber.findings import Finding, Mistakes

Path = tuple[int | str, ...]

DEPTH_LIMIT = 20
NODES_LIMIT = 50_000  # aliases can make a small file very large
MISTAKES_LIMIT = 100  # said of one file that is no good as YAML

_QUOTED = re.compile("'([^']*)'")


class Place(NamedTuple):
    """A line and a column, both counted from 1."""

    line: int
    column: int


START = Place(1, 1)


@dataclass(frozen=True)
class Lines:
    """Where each key of a file stands. `file` is its name as people know it."""

    file: str
    places: Mapping[Path, Place] = field(default_factory=dict)

    def at(self, path: Path, what: str) -> Finding:
        """`what`, said of the key at `path`; the nearest key above, if that one is missing."""
        known = path
        while known and known not in self.places:
            known = known[:-1]
        return Finding(what, self.file, *self.places.get(known, START), _written(path))

    def names(self, path: Path) -> Sequence[str]:
        """The keys of the mapping at `path`."""
        return self._names.get(path, ())

    @cached_property
    def _names(self) -> Mapping[Path, Sequence[str]]:
        """The keys of each mapping: asked for once for each rule, of which there may be many."""
        found: dict[Path, list[str]] = {}
        for path in self.places:
            if path and isinstance(path[-1], str):
                found.setdefault(path[:-1], []).append(path[-1])
        return found


def parse(text: str, file: str) -> tuple[Any, Lines]:
    """The content of a YAML file and its lines.

    Plain words are as in YAML 1.2: only `true` and `false` are truth values, `12:30` is text, and
    `010` is ten. Raises Mistakes for what is no YAML, for a key that stands twice in one mapping,
    and for a file that unfolds into more than NODES_LIMIT values.
    """
    try:
        root = yaml.compose(text, Loader=_Yaml12)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(filter(None, (error.context, error.problem)))
        what = f"not YAML: {_QUOTED.sub(_shown, problem)}{_begun(error)}"
        raise Mistakes([Finding(what, file, *(_place(mark) if mark else START))]) from None
    except yaml.reader.ReaderError as error:
        what = "not YAML: a character that may not be in it"
        raise Mistakes([Finding(what, file, *place_of(text, error.position))]) from None
    except RecursionError:
        what = "too deep: brackets within brackets without end"
        raise Mistakes([Finding(what, file, *START)]) from None
    if root is None:
        what = "the file is empty; see afterrun.example.yaml"
        raise Mistakes([Finding(what, file, *START)])
    read = _Reading(file)
    content = read.value(root, ())
    if read.mistakes:
        raise Mistakes(read.mistakes)
    return content, Lines(file, read.places)


def _begun(error: yaml.MarkedYAMLError) -> str:
    """Where that begins which does not end: a quote or a bracket that was not closed."""
    begun, found = error.context_mark, error.problem_mark
    is_within = str(error.context).startswith("while ")
    if not is_within or begun is None or found is None or begun.line == found.line:
        return ""
    return f"; it begins in line {begun.line + 1}"


def place_of(text: str, position: int) -> Place:
    """Where in `text` its character at `position` stands."""
    line_start = text.rfind("\n", 0, position) + 1
    mark = text.startswith("\ufeff", line_start) and position > line_start
    return Place(text.count("\n", 0, position) + 1, position - line_start + 1 - mark)


class _Yaml12(yaml.SafeLoader):
    """PyYAML follows YAML 1.1, where `on` is true, `1:30` is 90 and `2024-01-01` a date."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the library's own attribute


_Yaml12.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Yaml12.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")
)
_Yaml12.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
_Yaml12.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)


class _Reading:
    """One reading of a file: the places of its keys, and what is wrong with it as YAML."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path, Place] = {}
        self.mistakes: list[Finding] = []

    def value(self, node: yaml.Node, path: Path) -> Any:
        """What `node`, which stands at `path`, holds; raises Mistakes where it has no end."""
        place = _place(node.start_mark)
        self.places.setdefault(path, place)
        if len(path) > DEPTH_LIMIT or len(self.places) > NODES_LIMIT:
            raise Mistakes([Finding("too deep or too large for rules", self.file, *place)])
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong(place, path, "a key must be a word")
                continue
            key = str(key_node.value)
            if key in found:
                self._wrong(place, (*path, key), "this key stands twice")
                continue
            self.places[(*path, key)] = place
            found[key] = self.value(value_node, (*path, key))
        return found

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        text = str(node.value)
        try:
            match node.tag.removeprefix("tag:yaml.org,2002:"):
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int" if len(text.lstrip("+-")) < 20:
                    return int(text)
                case "float" if math.isfinite(float(text)):
                    return float(text)
                case "str" | "int" | "float":
                    return text
        except ValueError:
            pass  # a tag of its own, before what is no number: said below, without the value
        # not the tag itself: it may be a secret that begins with `!`
        what = "tags mean nothing here; put text that begins with `!` in quotes"
        self._wrong(self.places[path], path, what)
        return None

    def _wrong(self, place: Place, path: Path, what: str) -> None:
        if len(self.mistakes) < MISTAKES_LIMIT:
            self.mistakes.append(Finding(what, self.file, *place, _written(path)))


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _shown(quoted: re.Match[str]) -> str:
    """What PyYAML quotes, if it is a character or a kind of token; else it may be a secret."""
    return quoted[0] if len(quoted[1]) < 2 or quoted[1][0] in "<\\" else "(not shown)"


def _written(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
