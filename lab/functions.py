"""The two functions as real processes: `functions-framework` on free loopback ports."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).with_name("functions-framework")
START_LIMIT_S = 20.0
STOP_LIMIT_S = 5.0
_POLL_S = 0.05
_PORT_TRIES = 3

# what a process needs of this one's environment; nothing of the user's own configuration
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class NotStarted(Exception):
    """The function ended or did not answer; the message holds the last lines it printed."""


@dataclass
class Function:
    """A function that runs. `lines` are the last ones it printed."""

    name: str
    url: str
    process: "subprocess.Popen[str]"
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=200))

    def kill(self) -> None:
        """End it, and whatever it forked, at once: as a crash would."""
        _signal(self.process, signal.SIGKILL)
        self.process.wait(STOP_LIMIT_S)


@contextmanager
def running(
    name: str,
    source: str,
    target: str,
    environ: Mapping[str, str],
    *,
    logged: Callable[[dict[str, Any]], None] | None = None,
    cwd: Path | None = None,
) -> Iterator[Function]:
    """Run the function `target` of `source` (below the project's root) while the block lasts.

    `logged` is given each JSON line that it logs, in a thread of its own. Raises NotStarted if
    `GET /health` has not answered 200 within START_LIMIT_S.
    """
    function = _started(name, source, target, environ, logged, cwd)
    try:
        yield function
    finally:
        _stop(function.process)


def _started(
    name: str,
    source: str,
    target: str,
    environ: Mapping[str, str],
    logged: Callable[[dict[str, Any]], None] | None,
    cwd: Path | None,
) -> Function:
    for attempt in range(1, _PORT_TRIES + 1):
        port = _free_port()
        function = _spawned(name, source, target, environ, port, cwd)
        reader = threading.Thread(target=_read, args=(function, logged), daemon=True)
        reader.start()
        try:
            _wait_until_healthy(function)
        except BaseException as failure:
            # Ctrl-C too: nothing that was started is left behind
            _stop(function.process)
            if not isinstance(failure, NotStarted):
                raise
            reader.join(STOP_LIMIT_S)
            # somebody may have taken the port between our look and its start
            if attempt < _PORT_TRIES and any("in use" in line for line in function.lines):
                continue
            raise NotStarted(
                f"the {name} did not start; it printed:\n" + "\n".join(function.lines)
            ) from None
        return function
    raise AssertionError("the last attempt returns or raises")


def _spawned(
    name: str,
    source: str,
    target: str,
    environ: Mapping[str, str],
    port: int,
    cwd: Path | None,
) -> Function:
    passed_on = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    process = subprocess.Popen(
        [str(COMMAND)],
        env={
            **passed_on,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "FUNCTION_SOURCE": str(ROOT / source),
            "FUNCTION_TARGET": target,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            **environ,
        },
        cwd=cwd or ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return Function(name, f"http://127.0.0.1:{port}", process)


def _read(function: Function, logged: Callable[[dict[str, Any]], None] | None) -> None:
    with contextlib.suppress(ValueError):  # closed while we read
        for line in function.process.stdout or ():
            function.lines.append(line.rstrip("\n"))
            if logged is not None and line.startswith("{"):
                with contextlib.suppress(ValueError):
                    logged(json.loads(line))


def _wait_until_healthy(function: Function) -> None:
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until:
        if function.process.poll() is not None:
            raise NotStarted
        try:
            if requests.get(f"{function.url}/health", timeout=2).status_code == 200:
                return
        except requests.RequestException:
            pass
        # a foreign process tells nobody when it listens
        time.sleep(_POLL_S)
    raise NotStarted


def _stop(process: "subprocess.Popen[str]") -> None:
    _signal(process, signal.SIGTERM)
    try:
        process.wait(STOP_LIMIT_S)
    except BaseException as ended:
        # too slow, or we are told to hurry
        _signal(process, signal.SIGKILL)
        process.wait(STOP_LIMIT_S)
        if not isinstance(ended, subprocess.TimeoutExpired):
            raise
    if process.stdout is not None:
        process.stdout.close()


def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
