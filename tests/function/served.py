"""The receiver as a process, as it runs on Cloud Run, and the Pub/Sub it publishes to."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import PubsubMessage

from lab.pubsub.server import PubSub, Running
from tests.builders import signed

ROOT = Path(__file__).parents[2]
SECRET = "keep-me-quiet"
TOPIC = "projects/lab/topics/dbt-cloud-events"
READY_WITHIN_S = 30.0
WAIT_S = 20.0
TRIES = 3  # the port may be taken between choosing it and starting


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Receiver:
    """A receiver that runs; it writes to `output`."""

    process: subprocess.Popen[bytes]
    port: int
    output: Path

    def ask(self, method: str, path: str = "/", body: bytes = b"", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, headers)
            return _answer(connection.getresponse())
        finally:
            connection.close()

    def post(self, body: bytes, *, secret: str = SECRET) -> Answer:
        """Send `body` as dbt Cloud does."""
        return self.ask("POST", body=body, Authorization=signed(body, secret))

    @contextmanager
    def connected(self, *sent: bytes) -> Iterator[socket.socket]:
        """A bare connection on which these bytes have been sent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as connection:
            for each in sent:
                connection.sendall(each)
            yield connection

    def refuses_connections(self) -> bool:
        """Whether it stops to accept new ones; waits for it."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except ConnectionRefusedError:
                return True
            time.sleep(0.02)  # nothing else tells when a foreign process stops listening
        return False

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def next_lines(self, before: int, count: int) -> list[dict[str, Any]]:
        """The `count` lines of its log that follow the first `before`; waits for them."""
        deadline = time.monotonic() + WAIT_S
        while len(lines := self.lines[before:]) < count and time.monotonic() < deadline:
            time.sleep(0.02)  # nothing else tells when a file grows
        return lines[:count]


@dataclass(frozen=True)
class PubSubServer:
    """The lab's Pub/Sub with the receiver's topic, and a client of it."""

    running: Running
    subscriber: SubscriberClient

    @contextmanager
    def watched(self) -> Iterator["Topic"]:
        """The topic, as seen by a subscription that gets what is published from now on."""
        name = f"projects/lab/subscriptions/s-{uuid.uuid4()}"
        self.subscriber.create_subscription(name=name, topic=TOPIC)
        try:
            yield Topic(self.running, self.subscriber, name)
        finally:
            self.subscriber.delete_subscription(subscription=name)


@dataclass(frozen=True)
class Topic:
    server: Running
    subscriber: SubscriberClient
    subscription: str

    def take(self, count: int = 1) -> list[PubsubMessage]:
        """The next messages, acknowledged; waits until there are `count` of them."""
        taken: list[PubsubMessage] = []
        while len(taken) < count:
            request = {"subscription": self.subscription, "max_messages": count - len(taken)}
            received = self.subscriber.pull(request=request, timeout=WAIT_S).received_messages
            self.subscriber.acknowledge(
                subscription=self.subscription, ack_ids=[each.ack_id for each in received]
            )
            taken += [each.message for each in received]
        return taken

    @property
    def is_empty(self) -> bool:
        return self.server.undelivered(self.subscription) == 0


@contextmanager
def a_pubsub() -> Iterator[PubSubServer]:
    with PubSub().running() as server, grpc.insecure_channel(server.host) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        publisher.create_topic(name=TOPIC)
        yield PubSubServer(server, subscriber)


def settings(pubsub_host: str, **more: str) -> dict[str, str]:
    return {
        "GOOGLE_CLOUD_PROJECT": "lab",
        "PUBSUB_EMULATOR_HOST": pubsub_host,
        "DBT_CLOUD_AUTH_TOKEN": SECRET,
        **more,
    }


def command(environ: Mapping[str, str], port: int) -> dict[str, Any]:
    """How the framework is started: arguments of subprocess.Popen and subprocess.run."""
    return {
        "args": [str(Path(sys.executable).with_name("functions-framework"))],
        "cwd": ROOT,
        "env": {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "FUNCTION_SOURCE": "function/main.py",
            "FUNCTION_TARGET": "receive_webhook",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            **environ,
        },
        "stdin": subprocess.DEVNULL,
    }


@contextmanager
def a_receiver(environ: Mapping[str, str], output: Path) -> Iterator[Receiver]:
    """A receiver that accepts connections, within the block."""
    for _ in range(TRIES):
        port = free_port()
        with output.open("wb") as log:
            process = subprocess.Popen(
                **command(environ, port),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its workers end with it
            )
        try:
            if _accepts(process, port):
                yield Receiver(process, port, output)
                return
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    raise AssertionError(f"the receiver did not start: {output.read_text()}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def read_answer(connection: socket.socket) -> Answer:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return _answer(response)


def _answer(response: http.client.HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, response.read())


def _accepts(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it answers, before it ends and within READY_WITHIN_S."""
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 405
        except OSError:
            time.sleep(0.05)  # nothing else tells when a foreign process is ready
        finally:
            connection.close()
    return False
