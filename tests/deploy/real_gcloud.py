"""The real gcloud, in one process of its own, for parsing commands and for running them here."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.gcloud import Answer
from deploy.step import Command

ROOT = Path(__file__).parent.parent.parent
PROCESS = Path(__file__).with_name("gcloud_process.py")


class Gcloud:
    """Told one command after the other."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def parse(self, command: Command) -> Answer:
        """What gcloud's parser says of it: 0 if it is understood."""
        return self._tell(command, "", parse=True)

    def run(self, command: Command, typed: str | None = None) -> Answer:
        return self._tell(command, typed or "", parse=False)

    def _tell(self, command: Command, typed: str, *, parse: bool) -> Answer:
        assert command[0] == "gcloud"
        told = {"arguments": command[1:], "typed": typed, "parse": parse}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "gcloud's process has ended"
        return Answer(**json.loads(line))


def sdk() -> Path:
    """Where gcloud is installed. Without it a test is skipped; in CI it fails."""
    found = shutil.which("gcloud")
    root = Path(found).resolve().parent.parent if found else None
    if root and (root / "lib/googlecloudsdk").is_dir():
        return root
    why = "gcloud is not installed: its parser cannot look at the commands"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def running(folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[Gcloud]:
    """gcloud, with a configuration of its own in `folder`, for as long as a block lasts."""
    root = sdk()
    own = root / "platform/bundledpythonunix/bin/python3"
    python = str(own) if own.is_file() else str(shutil.which("python3"))
    with (
        (folder / "gcloud.log").open("w") as log,
        subprocess.Popen(
            [python, "-S", str(PROCESS), str(root)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "CLOUDSDK_CONFIG": str(folder), **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield Gcloud(process)
        finally:
            process.kill()
