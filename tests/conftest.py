"""Fixtures of all tests: Google's emulators, started once a session when a test first needs one."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import settings

from subscriber.ledger.firestore import FirestoreLedger
from tests import emulators

# how long one example takes says more of the machine than of the code
settings.register_profile("afterrun", deadline=None)
settings.load_profile("afterrun")


@pytest.fixture(scope="session")
def firestore_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of Google's Firestore emulator. A test takes a project id of its own."""
    with _started(emulators.FIRESTORE, tmp_path_factory) as host:
        # its first answers may take longer than a ledger waits
        cold = FirestoreLedger("warm-up", "(default)", host, timeout_s=emulators.READY_WITHIN_S)
        cold.check()
        cold.due(datetime.now(UTC), 1)
        yield host


@pytest.fixture(scope="session")
def pubsub_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of Google's Pub/Sub emulator. A test takes a project id of its own."""
    with _started(emulators.PUBSUB, tmp_path_factory) as host:
        yield host


@contextmanager
def _started(
    emulator: emulators.Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The emulator within the block; where there is none the test is skipped, but fails in CI."""
    output = tmp_path_factory.mktemp(emulator.component) / "output.txt"
    with ExitStack() as stack:
        try:
            host = stack.enter_context(emulators.running(emulator, output))
        except emulators.CannotStart as reason:
            if os.environ.get("CI") == "true":
                pytest.fail(str(reason))
            pytest.skip(str(reason))
        yield host
