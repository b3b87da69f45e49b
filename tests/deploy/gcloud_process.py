"""gcloud's own code, in one process that is told command after command.

It runs under the Python that gcloud brings, not under ours: nothing of ours is imported. Each line
on standard input is a command as JSON, each line on standard output its answer. With `parse` a
command is read by gcloud's parser and not carried out. No address but loopback is ever connected
to.
"""

import contextlib
import io
import json
import socket
import sys
from typing import Any

connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo


def loopback_only(self: socket.socket, address: Any) -> None:
    if not (isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1", "localhost")):
        raise OSError(f"gcloud wanted to reach {address}")
    connect(self, address)


def region_is_here(host: Any, *more: Any, **named: Any) -> Any:
    """gcloud puts the region before the host of a regional API."""
    is_here = isinstance(host, str) and host.endswith("-127.0.0.1")
    return getaddrinfo("127.0.0.1" if is_here else host, *more, **named)


def answers(cli: Any, told: dict[str, Any]) -> dict[str, Any]:
    typed = io.TextIOWrapper(io.BytesIO(told["typed"].encode()))
    out, err, code = io.StringIO(), io.StringIO(), 0
    before, sys.stdin = sys.stdin, typed
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            log.Reset(out, err)
            if told["parse"]:
                cli._CLI__parser.parse_args(told["arguments"])
            else:
                cli.Execute(told["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:  # noqa: BLE001 - of gcloud: its mistake, or an answer it cannot read
        code = 99
        err.write(f"{type(error).__name__}: {error}")
    finally:
        sys.stdin = before
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


socket.socket.connect = loopback_only  # type: ignore[method-assign, assignment]
socket.getaddrinfo = region_is_here
sdk = sys.argv[1]
sys.path[:0] = [f"{sdk}/lib", f"{sdk}/lib/third_party"]

from googlecloudsdk import gcloud_main  # type: ignore[import-not-found]  # noqa: E402
from googlecloudsdk.core import log  # type: ignore[import-not-found]  # noqa: E402

made = gcloud_main.CreateCLI([])
answering = sys.stdout
for line in sys.stdin:
    answering.write(json.dumps(answers(made, json.loads(line))) + "\n")
    answering.flush()
