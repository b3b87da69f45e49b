"""Starting and stopping."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from google.api_core import exceptions
from google.pubsub_v1 import PublisherClient

from lab.pubsub.server import PubSub
from tests.lab.pubsub.clients import PROJECT, QUICK, WAIT_S, Clients
from tests.lab.pubsub.endpoint import Endpoint


def test_two_servers_have_nothing_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    with PubSub().running() as one, PubSub().running() as other:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", one.host)
        with PublisherClient() as publisher:
            publisher.create_topic(name=f"{PROJECT}/topics/events")
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", other.host)
        with PublisherClient() as publisher, pytest.raises(exceptions.NotFound):
            publisher.get_topic(topic=f"{PROJECT}/topics/events")

        assert one.host != other.host
        assert one.certs_url != other.certs_url


def test_a_server_that_stops_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint
) -> None:
    before = set(threading.enumerate())
    answer = threading.Event()
    endpoint.before = lambda: answer.wait(WAIT_S)
    with ThreadPoolExecutor(1) as caller, ExitStack() as still_open:
        with PubSub(limits=QUICK).running() as server:
            monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
            clients = still_open.enter_context(Clients.on(server))
            topic = clients.a_topic()
            pushing = {"push_endpoint": endpoint.url}
            clients.a_subscription(topic, "pushed", push_config=pushing)
            clients.publish(topic, *[{"data": b"x"}] * 20)
            waiting = clients.a_subscription(topic, "waiting")
            pulling = caller.submit(clients.pull, waiting)
            endpoint.pushes(16)
        with pytest.raises(exceptions.GoogleAPICallError):
            pulling.result(WAIT_S)
    answer.set()

    assert not _servers_since(before)


def test_an_error_in_the_block_stops_the_server_and_comes_through() -> None:
    before = set(threading.enumerate())

    with pytest.raises(ZeroDivisionError), PubSub().running():
        raise ZeroDivisionError

    assert not _servers_since(before)


def test_a_switch_turned_after_the_end_does_no_harm() -> None:
    with pytest.raises(ZeroDivisionError), PubSub().running() as server:
        raise ZeroDivisionError

    server.pushes.resume()


def _servers_since(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads of servers that have been started since; another test may have one of its own."""
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and thread.name.startswith("pubsub")
    ]
