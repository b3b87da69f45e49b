"""YAML with the line of each key, so that a mistake can be said with its place."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from shared.errors import Mistake

Path = tuple[int | str, ...]

DEPTH_LIMIT = 20
NODES_LIMIT = 50_000  # aliases can make a small file very large

_QUOTED = re.compile("'([^']*)'")


@dataclass(frozen=True)
class Lines:
    """Where each key of a file stands. `file` is its name as people know it."""

    file: str
    numbers: Mapping[Path, int] = field(default_factory=dict)

    def at(self, path: Path, what: str) -> str:
        """`what`, said with file, line and key; the nearest key above, if that one is missing."""
        known = path
        while known and known not in self.numbers:
            known = known[:-1]
        line = self.numbers.get(known, 1)
        key = _written(path)
        return f"{self.file}:{line}: {key}: {what}" if key else f"{self.file}:{line}: {what}"

    def names(self, path: Path) -> list[str]:
        """The keys of the mapping at `path`."""
        depth = len(path) + 1
        return [
            str(found[-1])
            for found in self.numbers
            if len(found) == depth and found[:-1] == path and isinstance(found[-1], str)
        ]


def parse(text: str, file: str) -> tuple[Any, Lines]:
    """The content of a YAML file and its lines.

    Plain words are as in YAML 1.2: only `true` and `false` are truth values, `12:30` is text, and
    `010` is ten. Raises Mistake for what is no YAML, for a key that stands twice in one mapping,
    and for a file that unfolds into more than NODES_LIMIT values.
    """
    try:
        root = yaml.compose(text, Loader=_Yaml12)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = ", ".join(filter(None, (error.context, error.problem)))
        raise Mistake(f"{file}:{line}: not YAML: {_QUOTED.sub(_shown, problem)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Mistake(f"{file}:{line}: not YAML: a character that may not be in it") from None
    except RecursionError:
        raise Mistake(f"{file}:1: too deep: brackets within brackets without end") from None
    if root is None:
        raise Mistake(f"{file}:1: the file is empty; see afterrun.example.yaml")
    numbers: dict[Path, int] = {}
    lines = Lines(file, numbers)
    return _value(root, (), numbers, lines), lines


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


def _value(node: yaml.Node, path: Path, numbers: dict[Path, int], lines: Lines) -> Any:
    numbers.setdefault(path, node.start_mark.line + 1)
    if len(path) > DEPTH_LIMIT or len(numbers) > NODES_LIMIT:
        raise Mistake(f"{lines.file}:{node.start_mark.line + 1}: too deep or too large for rules")
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, i), numbers, lines) for i, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, numbers, lines)
    return _scalar(node, path, lines)


def _mapping(
    node: yaml.MappingNode, path: Path, numbers: dict[Path, int], lines: Lines
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise Mistake(f"{lines.file}:{line}: a key must be a word")
        key = str(key_node.value)
        if key in found:
            raise Mistake(f"{lines.file}:{line}: {_written((*path, key))}: this key stands twice")
        numbers[(*path, key)] = line
        found[key] = _value(value_node, (*path, key), numbers, lines)
    return found


def _scalar(node: yaml.Node, path: Path, lines: Lines) -> Any:
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
    raise Mistake(lines.at(path, "tags mean nothing here; put text that begins with `!` in quotes"))


def _shown(quoted: re.Match[str]) -> str:
    """What PyYAML quotes, if it is a character or a kind of token; else it may be a secret."""
    return quoted[0] if len(quoted[1]) < 2 or quoted[1][0] in "<\\" else "(not shown)"


def _written(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
