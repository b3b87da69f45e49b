"""`make run`, as a newcomer sees it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.functions import ROOT

COMMAND = (sys.executable, "-m", "cli", "lab")


@pytest.fixture
def environ(tmp_path) -> dict[str, str]:
    """A newcomer's environment, with settings of their own that must not matter."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PD_ROUTING_KEY": "mine",
        "LEDGER": "sqlite:/nowhere/afterrun.db",
        "AFTERRUN_CONFIG": "/nowhere/afterrun.yaml",
    }


@pytest.fixture
def staying(environ, tmp_path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [*COMMAND, "--stay"], cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True
    )
    yield process
    assert process.stdout is not None
    process.stdout.close()
    try:
        # asked to, it ends what it has started; killed, it could not
        process.terminate()
        process.wait(20)
    finally:
        process.kill()


def test_it_plays_the_story_in_80_columns_and_everything_is_proven(environ, tmp_path):
    played = subprocess.run(
        COMMAND, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
    )

    assert played.returncode == 0, played.stdout + played.stderr
    lines = played.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []
    proofs = lines[lines.index("What was proven") + 1 :]
    assert sum(line.startswith("   yes ") for line in proofs) == 11
    assert not any(line.startswith("    NO ") for line in proofs)
    assert played.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_all_it_started_when_it_is_told_to(staying, number):
    assert staying.stdout is not None
    for line in staying.stdout:
        if line.startswith("All of it stays up"):
            break
    children = _children(staying.pid)
    assert len(children) == 2

    staying.send_signal(number)

    assert staying.wait(20) == 0
    assert not [pid for pid in children if _is_alive(pid)]


def test_while_it_stays_the_other_commands_can_look_at_it(staying, environ, tmp_path):
    assert staying.stdout is not None
    source = next(line for line in staying.stdout if line.startswith("source "))

    looked = subprocess.run(
        ["bash", "-c", f"{source}\n{sys.executable} -m cli events --json"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    outcomes = [event["outcome"] for event in json.loads(looked.stdout)]
    assert outcomes == ["succeeded", "failed", "failed", "failed", "succeeded"]


def test_help_says_what_it_does(environ, tmp_path):
    told = subprocess.run(
        [*COMMAND, "--help"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "--stay" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


def _children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    return [int(child) for child in listed.stdout.split()]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
