"""What people look at, kept as files: a change of it is seen by whoever reads the change."""

import os
from pathlib import Path

FOLDER = Path(__file__).with_name("golden")


def is_golden(name: str, text: str) -> bool:
    """Whether `text` is what the file of that name holds. With WRITE_GOLDEN=1 it is written."""
    path = FOLDER / name
    if os.environ.get("WRITE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path.is_file() and path.read_text(encoding="utf-8") == text
