"""Fixtures of all tests: Google's emulators, started once a session when a test first needs one."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests import emulators


@pytest.fixture(scope="session")
def firestore_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of Google's Firestore emulator. A test takes a project id of its own."""
    yield from _running(emulators.FIRESTORE, tmp_path_factory)


@pytest.fixture(scope="session")
def pubsub_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of Google's Pub/Sub emulator. A test takes a project id of its own."""
    yield from _running(emulators.PUBSUB, tmp_path_factory)


def _running(
    emulator: emulators.Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    output = tmp_path_factory.mktemp(emulator.component) / "output.txt"
    with ExitStack() as stack:
        try:
            host = stack.enter_context(emulators.running(emulator, output))
        except emulators.CannotStart as reason:
            if os.environ.get("CI") == "true":
                pytest.fail(str(reason))
            pytest.skip(str(reason))
        yield host
