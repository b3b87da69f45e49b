"""Running a command as a user does, in this process."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from cli.main import app

QUIET = {
    "AFTERRUN_CONFIG": "",
    "LEDGER": "",
    "GOOGLE_CLOUD_PROJECT": "",
    "NO_COLOR": "1",
    "TERM": "dumb",
}
"""What the machine that tests has set shall not matter."""


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote where."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it wrote with --json."""
        return json.loads(self.out)


def afterrun(
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    answers: str = "",
    columns: int = 80,
) -> Ran:
    """Run `afterrun ARGUMENTS` in a terminal so many columns wide; `answers` are typed into it.

    What is raised and not meant for people comes out of here.
    """
    told = {**QUIET, "COLUMNS": str(columns), **(environ or {})}
    logger = logging.getLogger("afterrun")
    level = logger.level
    try:
        ran = CliRunner().invoke(app, arguments, input=answers, env=told, prog_name="afterrun")
    finally:
        # a command silences the service's parts for its process, which here is that of other tests
        logger.setLevel(level)
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return Ran(ran.exit_code, ran.stdout, ran.stderr)
