"""The vendors' published API descriptions, from the folder that the variable API_SPECS names."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml


def description(name: str) -> Any:
    """What the file `name` of the folder holds; skips the test, and says why, without a folder."""
    # JSON is YAML too
    return yaml.load(text(name), yaml.CSafeLoader)


def text(name: str) -> str:
    """The same as text."""
    folder = os.environ.get("API_SPECS")
    if not folder:
        pytest.skip("API_SPECS does not name the folder of published API descriptions")
    return (Path(folder) / name).read_text()
