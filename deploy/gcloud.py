"""Running commands: gcloud, and our own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deploy.reading import ROOT
from deploy.step import Command
from shared.errors import Mistake, PermanentFailure

MISSING = (
    "gcloud is not here: install it (https://cloud.google.com/sdk/docs/install), "
    "then `gcloud auth login`"
)


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code. It may hold a secret only if one was asked for."""

    code: int
    out: str = field(default="", repr=False)
    err: str = field(default="", repr=False)


Run = Callable[[Command, str | None], Answer]
"""Runs a command; the text goes to its standard input."""


def run(command: Command, typed: str | None = None) -> Answer:
    """Run a command in the repository's folder; raises Mistake if it is not installed."""
    name, *arguments = command
    started = [sys.executable, "-m", "cli"] if name == "afterrun" else [name]
    try:
        done = subprocess.run(
            [*started, *arguments],
            cwd=ROOT,
            env=_environment(),
            input=typed if typed is not None else "",
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise Mistake(MISSING) from None
    return Answer(done.returncode, done.stdout, done.stderr)


def _environment() -> Mapping[str, str]:
    return os.environ | {
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "NO_COLOR": "1",
        "PYTHONPATH": str(ROOT),
    }


def account(run: Run) -> str:
    """Who gcloud is; raises PermanentFailure if nobody."""
    listed = ("gcloud", "auth", "list", "--filter=status:ACTIVE", "--format=value(account)")
    answer = run(listed, None)
    if answer.code or not answer.out.strip():
        raise PermanentFailure("gcloud is nobody yet: run `gcloud auth login`")
    return answer.out.strip()
