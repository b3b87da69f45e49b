"""The command itself: what every command has in common."""

from pathlib import Path

import pytest

from cli.exits import Exit
from tests.cli.running import afterrun


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_command_it_says_what_there_is() -> None:
    ran = afterrun()

    assert ran.code == 0
    assert "Find out what happened:" in ran.out


def test_a_command_that_does_not_exist_is_a_wrong_command_line() -> None:
    ran = afterrun("evnets")

    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "No such command 'evnets'" in ran.err


def test_a_wrong_setting_is_one_line_with_what_to_do() -> None:
    ran = afterrun("events", "--ledger", "redis:localhost")

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert ran.err == ("error: LEDGER: write sqlite:PATH, firestore:PROJECT/DATABASE or memory:\n")


def test_a_ledger_that_is_not_there_is_not_made() -> None:
    ran = afterrun("events")

    assert ran.code == Exit.MISTAKE
    assert "there is no file ./afterrun.db" in ran.err
    assert not Path("afterrun.db").exists()
