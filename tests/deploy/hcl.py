"""Reads our Terraform files, as far as `terraform fmt` lays them out: blocks, and attributes.

Values stay as they are written; nothing is evaluated.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(r'([a-z_]+)((?: "[^"]*")*) \{(\})?')
_ATTRIBUTE = re.compile(r"([A-Za-z0-9_-]+) += (.*)")


@dataclass
class Block:
    kind: str
    labels: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)

    def __getitem__(self, path: str) -> str:
        """The value at `block.block.attribute`; a dynamic block by its label."""
        first, _, rest = path.partition(".")
        if not rest:
            return self.attributes[first]
        names = [each.labels[0] if each.kind == "dynamic" else each.kind for each in self.blocks]
        found = self.blocks[names.index(first)]
        return found[rest]


def read(folder: Path) -> list[Block]:
    """The blocks of all files of a module; raises ValueError for a line that is not understood."""
    lines = [
        line.strip()
        for path in sorted(folder.glob("*.tf"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    root = Block("module")
    _into(root, iter(line for line in lines if line and not line.startswith("#")))
    return root.blocks


def _into(block: Block, lines: Iterator[str]) -> None:
    for line in lines:
        if line == "}":
            return
        if begun := _BLOCK.fullmatch(line):
            inner = Block(begun[1], tuple(re.findall(r'"([^"]*)"', begun[2])))
            block.blocks.append(inner)
            if not begun[3]:
                _into(inner, lines)
        elif given := _ATTRIBUTE.fullmatch(line):
            block.attributes[given[1]] = _whole(given[2], lines)
        else:
            raise ValueError(f"not understood: {line}")


def _whole(value: str, lines: Iterator[str]) -> str:
    """A value with the lines that belong to it, until its brackets are closed."""
    while _open(value):
        value += f" {next(lines)}"
    return value


def _open(value: str) -> int:
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", value)
    return sum(bare.count(each) for each in "([{") - sum(bare.count(each) for each in ")]}")
