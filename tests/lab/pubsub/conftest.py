"""A running Pub/Sub with Google's clients on it, and an endpoint to push to."""

from collections.abc import Iterator

import pytest

from lab.pubsub.server import PubSub
from lab.timeline import Timeline
from tests.lab.pubsub.clients import QUICK, Clients
from tests.lab.pubsub.endpoint import Endpoint, an_endpoint


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    timeline = Timeline()
    with PubSub(timeline=timeline, limits=QUICK).running() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
        with Clients.on(server, timeline) as started:
            yield started


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with an_endpoint() as served:
        yield served
