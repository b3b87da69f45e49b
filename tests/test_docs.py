"""The pages say what is so: links lead somewhere, and each command with its flags exists."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.group import PANELS, Commands
from cli.main import app

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in page.parts[1:])
)
NAMED = [str(page.relative_to(ROOT)) for page in PAGES]
IN_CODE = re.compile(r"```(?P<kind>\w*)\n(?P<block>.*?)```|`(?P<inline>[^`\n]+)`", re.DOTALL)
COMMAND = re.compile(
    r"(?m)(?:^|[|;&(]|\$ )[ \t]*(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?afterrun[ \t]+"
    r"(?P<rest>[a-z-][^\n`|;&>#)]*)"
)

NO_COMMAND = "afterrun digest"  # what PagerDuty has as the class of a digest


def without_code(text: str) -> str:
    return IN_CODE.sub("", text)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.S))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def commands_in(text: str) -> Iterator[str]:
    """What follows `afterrun` wherever it is shown as a command."""
    for found in IN_CODE.finditer(text):
        shown = found["inline"] or found["block"]
        if found["kind"] not in (None, "", "sh", "bash", "console"):
            continue
        for command in COMMAND.finditer(shown.replace("\\\n", " ")):
            if shown != NO_COMMAND:
                yield command["rest"].strip()


def parameters(command: Any) -> set[str]:
    return {"-h", "--help", *(name for each in command.params for name in each.opts)}


def needed(command: Any) -> list[str]:
    """The options that a command cannot do without."""
    options = (each for each in command.params if each.required)
    return [each.opts[0] for each in options if each.opts[0].startswith("--")]


def wrong(line: str) -> str:
    """What of a command line does not exist; empty if all of it does."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        words = line.split()
    command: Any = get_command(app)
    while words and isinstance(getattr(command, "commands", None), dict):
        if words[0].startswith("-"):
            break
        name = words.pop(0)
        found = command.get_command(None, name)
        if found is None and "|" not in name:
            return f"afterrun has no {name}"
        command = found or command
    flags = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    if unknown := [flag for flag in flags if flag not in parameters(command)]:
        return f"{command.name} has no {', '.join(unknown)}"
    # without any flag it is only spoken of
    missing = [name for name in needed(command) if flags and name not in flags]
    is_help = {"-h", "--help"} & set(flags) or "…" in words or "..." in words
    return f"{command.name} needs {', '.join(missing)}" if missing and not is_help else ""


@pytest.mark.parametrize("page", PAGES, ids=NAMED)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)

    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=NAMED)
def test_every_command_on_a_page_exists_with_its_flags(page: Path) -> None:
    assert [
        f"{line}: {why}" for line in commands_in(page.read_text()) if (why := wrong(line))
    ] == []


def test_commands_are_found_on_pages() -> None:
    text = "See `afterrun events --limit 5`.\n```sh\n.venv/bin/afterrun check --nope \\\n -c x\n```"

    assert list(commands_in(text)) == ["events --limit 5", "check --nope   -c x"]
    assert wrong("events --limit 5") == ""
    assert "--nope" in wrong("check --nope")
    assert wrong("evnets") == "afterrun has no evnets"


def test_every_command_has_its_file_and_stands_in_the_help() -> None:
    files = {path.stem.replace("_", "-") for path in (ROOT / "cli" / "commands").glob("[a-z]*.py")}

    assert {name for names in PANELS.values() for name in names} == files
    assert isinstance(get_command(app), Commands)


def test_every_command_has_its_row_on_the_page() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()

    missing = [
        name for names in PANELS.values() for name in names if f"`afterrun {name}`" not in page
    ]
    assert missing == []
