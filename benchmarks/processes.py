"""Processes that are measured: functions served by the framework, the lab's Pub/Sub, the load."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from benchmarks.sample import REQUEST, SECRET
from lab.pubsub.server import PubSub

ROOT = Path(__file__).parents[1]
START_LIMIT_S = 30.0


@dataclass(frozen=True)
class Served:
    """A function that runs, and how long it took from its start to its first 202."""

    process: subprocess.Popen[bytes]
    port: int
    start_s: float

    def load(self, connections: int, seconds: float) -> tuple[float, float]:
        """Answers a second, and the median of their times in ms."""
        told = subprocess.run(
            [
                sys.executable,
                "-m",
                "benchmarks.load",
                f"{self.port}",
                f"{connections}",
                f"{seconds}",
            ],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
            timeout=seconds + 30,
        ).stdout.split()
        return float(told[0]), float(told[1])

    def memory_mb(self) -> float:
        """Proportional memory of a process, on average over master and workers; Linux only."""
        pids = self._pids()
        return sum(_proportional_kb(pid) for pid in pids) / 1000 / len(pids)

    def cpu_s(self) -> float:
        """CPU time of master and workers until now; Linux only."""
        return sum(_cpu_s(pid) for pid in self._pids())

    def _pids(self) -> list[int]:
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, children)]


@contextmanager
def served(source: str, target: str, environ: Mapping[str, str]) -> Iterator[Served]:
    """The function `target` of the file `source`, served by one worker within the block."""
    port = _free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("functions-framework"))],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "FUNCTION_SOURCE": source,
            "FUNCTION_TARGET": target,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "DBT_CLOUD_AUTH_TOKEN": SECRET,
            **environ,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for_202(process, port)
        yield Served(process, port, time.perf_counter() - began)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def pubsub() -> Iterator[str]:
    """The lab's Pub/Sub in a process of its own, with the receiver's topic; its host:port."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve_pubsub, args=(theirs,), daemon=True)
    process.start()
    try:
        yield str(ours.recv())
    finally:
        ours.send(None)
        process.join(10)


def _serve_pubsub(pipe: Connection) -> None:
    with PubSub().running() as server, grpc.insecure_channel(server.host) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        publisher.create_topic(name="projects/lab/topics/dbt-cloud-events")
        pipe.send(server.host)
        pipe.recv()


def _wait_for_202(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(REQUEST)
                if b" 202 " in connection.recv(4096):
                    return
        except OSError:
            time.sleep(0.005)  # nothing else tells when a foreign process listens
    raise SystemExit("A function did not start, or did not answer 202.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _cpu_s(pid: int) -> float:
    # after the name in parentheses: user and system time are the 12th and 13th fields
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _proportional_kb(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
