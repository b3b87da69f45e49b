"""A dbt Cloud, a Secret Manager and a receiver for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.webhooks.side import Side, running


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    with running(tmp_path) as side:
        yield side
