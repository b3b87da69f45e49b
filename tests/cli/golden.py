"""What people look at, kept as files: a change of it is seen by whoever reads the change.

`WRITE_GOLDEN=1 make test ARGS="tests/cli"` writes them anew; look at what changed.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden" / "cli"


def is_golden(name: str, text: str) -> bool:
    """Whether `text` is what the file of that name holds. With WRITE_GOLDEN=1 it is written."""
    if os.environ.get("WRITE_GOLDEN") == "1":
        (FOLDER / name).write_text(text, encoding="utf-8")
    return kept(name) == text


def kept(name: str) -> str:
    """What the file of that name holds; empty if there is none."""
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""
