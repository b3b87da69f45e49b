"""What holds for every command there is, whoever adds one."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.exits import Exit
from cli.group import PANELS
from cli.main import app
from tests.cli.running import afterrun

ROOT = Path(__file__).parents[2]
NO_RESULT = {"lab", "work"}
"""These play a story, or go on until they are stopped: they have no result."""


def leaves(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that name it."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name in command.list_commands(None):
        yield from leaves(command.get_command(None, name), *path, name)


COMMANDS = dict(leaves(get_command(app)))
NAMED = [" ".join(path) for path in COMMANDS]


def everything() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", COMMANDS, ids=NAMED)


def test_commands_are_found_below_groups() -> None:
    assert ("events",) in COMMANDS
    assert ("silence", "add") in COMMANDS


@everything()
@pytest.mark.parametrize("columns", [80, 40])
def test_help_fits_the_terminal_and_shows_an_example(path: tuple[str, ...], columns: int) -> None:
    ran = afterrun(*path, "--help", columns=columns)

    assert ran.code == 0
    assert "xample" in ran.out
    too_long = [line for line in ran.out.splitlines() if len(line) > columns]
    assert too_long == [] or columns < 80


@everything()
def test_an_example_can_be_pasted_as_it_is(path: tuple[str, ...]) -> None:
    shown = afterrun(*path, "--help", columns=80).out.partition("xample")[2].partition(":\n")[2]
    commands = shown.partition("\n\n")[0].replace("\\\n", "").splitlines()

    for command in commands:
        words = shlex.split(command, comments=True)
        assert words[: len(path) + 1] == ["afterrun", *path]
        assert not {";", "|", "afterrun"} & set(words[1:])


@everything()
def test_what_has_a_result_prints_it_as_json_too(path: tuple[str, ...]) -> None:
    flags = {flag for each in COMMANDS[path].params for flag in each.opts}

    assert "--json" in flags or path[0] in NO_RESULT


@everything()
def test_every_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    silent = [each.name for each in COMMANDS[path].params if not getattr(each, "help", None)]

    assert silent == []


@everything()
def test_an_unknown_option_is_a_wrong_command_line(path: tuple[str, ...]) -> None:
    ran = afterrun(*path, "--nonsense")

    assert ran.code == Exit.USAGE
    assert "--nonsense" in ran.err


def test_an_option_before_its_command_is_told_where_it_belongs() -> None:
    ran = afterrun("--json", "events")

    assert ran.code == Exit.USAGE
    assert "No such option: --json. Those of a command stand behind its name." in ran.err


@pytest.mark.parametrize(
    ("written", "meant"), [("expalin", "explain"), ("dead-letter", "dead-letters")]
)
def test_a_mistyped_command_is_told_which_may_be_meant(written: str, meant: str) -> None:
    ran = afterrun(written)

    assert ran.code == Exit.USAGE
    assert f"No such command '{written}'. Did you mean '{meant}'?" in ran.err


@pytest.mark.parametrize("group", ["webhooks", "dead-letters", "silence"])
def test_the_list_of_a_group_has_a_sentence_for_each_that_fits(group: str) -> None:
    assert "..." not in afterrun(group, "--help", columns=80).out.partition("Commands:")[2]


@pytest.mark.parametrize("name", [name for names in PANELS.values() for name in names])
def test_the_list_of_commands_has_a_sentence_for_each_that_fits(name: str) -> None:
    line = next(row for row in afterrun().out.splitlines() if row.strip().startswith(f"{name} "))

    assert not line.rstrip().endswith("...")
    assert len(line) <= 80


@pytest.mark.parametrize("words", [("check", "--schema"), ("render", "--list")])
def test_a_reader_that_has_gone_ends_it_without_a_word(words: tuple[str, ...]) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as gone:
        ran = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            stdout=gone,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            timeout=60,
            check=False,
        )

    assert (ran.returncode, ran.stderr) == (Exit.CLOSED_PIPE, b"")


def test_marks_are_told_apart_where_the_terminal_knows_ascii_only() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "cli", "explain", "failed-model", "--as-project", "Shop"],
        capture_output=True,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "ascii",
            "AFTERRUN_CONFIG": "afterrun.example.yaml",
            "LEDGER": "memory:",
        },
        cwd=ROOT,
        timeout=60,
        check=True,
    )

    rules = ran.stdout.decode("ascii").partition("\nRules\n")[2].splitlines()
    assert {line[:4] for line in rules if " > " in line} == {"  + ", "  - "}


LOADED = """
import sys
from typer.main import get_command
from cli.main import app
group = get_command(app)
for name in group.list_commands(None):
    group.get_command(None, name)
slow = ("google.api_core", "google.cloud.firestore", "google.cloud.pubsub_v1", "grpc", "flask")
print([name for name in slow if name in sys.modules])
"""


def test_the_help_of_all_commands_loads_none_of_googles_clients() -> None:
    found = subprocess.run(
        [sys.executable, "-c", LOADED],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=True,
    )

    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("afterrun dead", ["dead-letters"]),
        ("afterrun webhooks ro", ["rotate"]),
        ("afterrun events --prob", ["--problems"]),
    ],
)
def test_a_shell_completes_commands_and_options(typed: str, completed: list[str]) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "cli"],
        capture_output=True,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "_AFTERRUN_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(typed.split()) - 1),
        },
        timeout=60,
        check=False,
    )

    assert found.stdout.split() == completed
