"""Every variable that the functions read is one that `afterrun check --settings` explains."""

from pathlib import Path
from typing import Any

import pytest

from cli.check import variables
from function import settings as receiver
from subscriber import settings as subscriber
from tests.subscriber.test_settings import GUIDES, MODE, PUSH, Asked

LISTED = [each for group in variables.GROUPS.values() for each in group]
FRAMEWORK = {each.name for each in variables.FRAMEWORK}


class Environment(Asked):
    """One that remembers those too that are asked for as `environ[name]`."""

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)


def asked_for() -> set[str]:
    """The variables that both functions ask for, whatever is set."""
    environ = Environment(GUIDES | PUSH | {"PUSH_AUTH": "verify"} | MODE)
    receiver.read(environ)
    subscriber.read(environ)
    return environ.names


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_that_is_read_is_listed_and_each_that_is_listed_is_read() -> None:
    assert {each.name for each in LISTED} - FRAMEWORK == asked_for()


def test_each_stands_there_once() -> None:
    assert len({each.name for each in LISTED}) == len(LISTED)


def test_each_is_on_a_page(request: pytest.FixtureRequest) -> None:
    docs = request.config.rootpath / "docs"
    pages = "".join(
        (docs / f"{name}.md").read_text("utf-8") for name in ("configuration", "receiver")
    )

    missing = [each.name for each in LISTED if f"`{each.name}`" not in pages]

    assert missing == ["K_SERVICE"]


@pytest.mark.parametrize("variable", LISTED, ids=lambda each: each.name)
def test_a_secret_in_any_variable_that_could_hold_one_is_not_shown(
    variable: variables.Variable,
) -> None:
    secret = "https://user:hunter2hunter2@x.example/services/T0/B0"

    shown = variables.here(variable, {variable.name: secret})

    assert "hunter2" not in shown or variable.shows is str


def test_what_is_shown_as_it_is_holds_names_of_things() -> None:
    plain = {each.name for each in LISTED if each.shows is str}

    assert not [name for name in plain if name.endswith(("TOKEN", "KEY", "SECRET", "URL"))]
