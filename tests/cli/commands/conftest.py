"""Ledgers of tonight, for the commands that read one."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from subscriber.ledger.firestore import FirestoreLedger
from tests.cli.nights import Night, Place, on_sqlite, tonight
from tests.emulators import ON_FIRESTORE


@pytest.fixture(params=["sqlite", pytest.param("firestore", marks=ON_FIRESTORE)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(*on_sqlite(tmp_path, tonight()))
        return
    host, project = request.getfixturevalue("firestore_emulator"), f"cli-{uuid4().hex[:12]}"
    ledger = FirestoreLedger(project, "afterrun", host, timeout_s=30)
    where = f"firestore:{project}/afterrun"
    yield Place(Night(ledger, tonight()), where, FIRESTORE_EMULATOR_HOST=host)


@pytest.fixture
def here(tmp_path: Path) -> Place:
    return Place(*on_sqlite(tmp_path, tonight()))
