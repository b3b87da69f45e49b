"""afterrun init: a first file that is right, and never one in the place of another."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cli.check import schema
from cli.exits import Exit
from tests.cli.commands.test_check import QUIET
from tests.cli.running import Ran, afterrun

ROOT = Path(__file__).parents[3]
FLAGS = ("--yes", "--account", "12345", "--pagerduty", "secret:pd", "--slack", "env:SLACK")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def init(*arguments: str) -> Ran:
    return afterrun("init", *arguments, environ=QUIET)


def test_it_writes_a_file_and_its_schema_and_says_what_is_next() -> None:
    ran = init(*FLAGS)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "Written: afterrun.yaml is right: 2 rules, 2 destinations (pagerduty, slack).\n"
        "Next, see what it would do and say; then deploy it (docs/deploy.md):\n"
        "  afterrun explain failed-model\n"
        "  afterrun render --sample failed-model\n"
    )
    assert Path(schema.NAME).read_text() == schema.text()
    assert afterrun("check", "--strict", environ=QUIET).code == 0


def test_another_file_may_be_named() -> None:
    ran = init("rules.yaml", *FLAGS)

    assert "  afterrun explain failed-model --config rules.yaml\n" in ran.out
    assert afterrun("check", "rules.yaml", "--strict", environ=QUIET).code == 0


def test_a_file_that_is_there_stays_unless_told_otherwise() -> None:
    Path("afterrun.yaml").write_text("mine")

    ran = init(*FLAGS)

    assert ran.code == Exit.MISTAKE
    assert ran.err == "error: afterrun.yaml is there already; --force writes over it\n"
    assert Path("afterrun.yaml").read_text() == "mine"
    assert init(*FLAGS, "--force").code == 0
    assert Path("afterrun.yaml").read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), Exit.MISTAKE, "there is no terminal to ask on: give --yes"),
        (("--yes",), Exit.MISTAKE, "there is nobody to tell and nothing to refresh"),
        (("--yes", "--slack", "xoxb-hunter2"), Exit.MISTAKE, "--slack: a secret is written here"),
        (("--yes", "--set", "x"), Exit.USAGE, "write --set KEY=VALUE"),
        (("no/such/folder.yaml", *FLAGS), Exit.MISTAKE, "cannot be written: No such file"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(
    arguments: tuple[str, ...], code: Exit, said: str
) -> None:
    ran = init(*arguments)

    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert "hunter2" not in ran.err
    assert list(Path().iterdir()) == []


def test_on_a_terminal_it_asks(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    # all answers at once: a terminal keeps what is typed until it is asked for
    os.write(ours, b"\n12345\n\n\nxoxb-literal\nsecret:pd\n\nnone\n")

    ran = subprocess.run(
        [sys.executable, "-m", "cli", "init"],
        cwd=tmp_path,
        env={**os.environ, **QUIET, "PYTHONPATH": str(ROOT), "TERM": "dumb"},
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    os.close(ours)

    assert ran.returncode == 0, ran.stderr
    assert "Environment of production [Production]: " in ran.stderr
    assert "error: a secret is written here as it is" in ran.stderr
    assert "xoxb" not in ran.stderr + ran.stdout
    assert "routing_key: secret:pd" in (tmp_path / "afterrun.yaml").read_text()


def test_programs_get_what_was_written() -> None:
    ran = afterrun("init", "--yes", "--pagerduty", "secret:pd", "--json")

    assert ran.code == 0
    assert (ran.data["ok"], ran.data["file"]) == (True, "afterrun.yaml")
