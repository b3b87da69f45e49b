"""One receiver and its topic for all tests that only send to it; two workers, as forks differ."""

from collections.abc import Iterator

import pytest

from tests.function.served import (
    PubSubServer,
    Receiver,
    Topic,
    a_pubsub,
    a_receiver,
    settings,
)


@pytest.fixture(scope="session")
def pubsub() -> Iterator[PubSubServer]:
    with a_pubsub() as server:
        yield server


@pytest.fixture(scope="session")
def receiver(pubsub: PubSubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    output = tmp_path_factory.mktemp("receiver") / "output.txt"
    with a_receiver(settings(pubsub.running.host, WORKERS="2"), output) as running:
        yield running


@pytest.fixture
def topic(pubsub: PubSubServer) -> Iterator[Topic]:
    with pubsub.watched() as topic:
        yield topic
