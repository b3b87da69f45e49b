"""Google's emulators, each a process on a free loopback port for as long as a block lasts."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

READY_WITHIN_S = 60.0
JAVA_OPTIONS = "-Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"  # half the work of starting
TRIES = 3  # the port may be taken between choosing it and starting

# A group of processes that ends when its input does: the script starts Java, and neither may be
# left behind, even if the tests are killed.
WATCHED = 'exec 3<&0; (cat <&3 >/dev/null; kill -KILL 0) & exec "$@" 3<&- </dev/null'

ON_FIRESTORE = pytest.mark.xdist_group("firestore")
"""For every test that uses the emulator: one worker runs them all, and starts it once."""

ON_PUBSUB = pytest.mark.xdist_group("pubsub-emulator")
"""The same for Pub/Sub."""


@dataclass(frozen=True)
class Emulator:
    """`component` is what gcloud calls it, `command` its script below the SDK's root."""

    component: str
    command: tuple[str, ...]


FIRESTORE = Emulator(
    "cloud-firestore-emulator",
    ("platform/cloud-firestore-emulator/cloud_firestore_emulator", "start"),
)
PUBSUB = Emulator("pubsub-emulator", ("platform/pubsub-emulator/bin/cloud-pubsub-emulator",))


class CannotStart(Exception):
    """The emulator is not to be had here. The message says why, and how to install it."""

    def __init__(self, emulator: Emulator, why: str) -> None:
        super().__init__(
            f"{emulator.component} cannot be started: {why}. To install it: Java 17 or later, "
            "Google Cloud's CLI, and `gcloud components install "
            f"{FIRESTORE.component} {PUBSUB.component}`"
        )


@contextmanager
def running(emulator: Emulator, output: Path) -> Iterator[str]:
    """The emulator, ready, within the block; the value is its host:port. It writes to `output`.

    Raises CannotStart. Its processes are ended with the block, however that ends.
    """
    script, *arguments = emulator.command
    command = ["sh", "-c", WATCHED, "sh", str(_sdk_root(emulator) / script), *arguments]
    for _ in range(TRIES):
        port = _free_port()
        with (
            output.open("ab") as log,
            subprocess.Popen(
                [*command, "--host=127.0.0.1", f"--port={port}"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"JAVA_TOOL_OPTIONS": JAVA_OPTIONS},
            ) as process,
        ):
            try:
                if _becomes_ready(process, port):
                    yield f"127.0.0.1:{port}"
                    return
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    last_words = output.read_text(errors="replace").strip()[-300:]
    raise CannotStart(emulator, f"it ended, or did not answer, saying {last_words!r}")


def _sdk_root(emulator: Emulator) -> Path:
    try:
        told = subprocess.run(
            ["gcloud", "info", "--format=value(installation.sdk_root)"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except FileNotFoundError:
        raise CannotStart(emulator, "gcloud is not on the PATH") from None
    except subprocess.SubprocessError as error:
        raise CannotStart(emulator, f"`gcloud info` failed ({type(error).__name__})") from None
    return Path(told.stdout.strip())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _becomes_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it answers, before it ends and within READY_WITHIN_S."""
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port):
            return True
        time.sleep(0.05)  # nothing else tells when a foreign process is ready
    return False


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().strip() == b"Ok"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
