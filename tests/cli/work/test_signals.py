"""Signals, in processes of their own."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.functions import ROOT

PATIENCE_S = 20.0
PROGRAM = """
import sys, threading
from cli.work import signals

stopped, goes_on = threading.Event(), threading.Event()

def stop():
    print("stop", flush=True)
    if sys.argv[1] == "ends":
        goes_on.set()

with signals.stopping(stop):
    print("ready", flush=True)
    goes_on.wait()
print("after", flush=True)
"""


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, request.param],
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert said(process) == "ready"
        yield process
        process.kill()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("started", ["ends"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_has_it_stop_and_the_block_end(started, number: signal.Signals) -> None:
    started.send_signal(number)

    assert [said(started), said(started)] == ["stop", "after"]
    assert started.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("started", ["hangs"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_one_ends_the_process(started, number: signal.Signals) -> None:
    started.send_signal(signal.SIGTERM)
    assert said(started) == "stop"
    started.send_signal(number)

    assert started.wait(PATIENCE_S) == 128 + number
