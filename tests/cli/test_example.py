"""The examples of each kind are those of its page, and can be loaded where the command is."""

import pytest

from cli import example
from shared.errors import Mistake
from subscriber import destinations
from tests.cli.examples import FOLDER, made

MADE_BY = "made by `python -m tests.cli.examples`"


def test_each_kind_has_the_example_of_its_page() -> None:
    kept = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}

    assert kept == made(), MADE_BY


@pytest.mark.parametrize("kind", destinations.names())
def test_an_example_is_a_configuration_of_its_kind(kind: str) -> None:
    found = example.load(kind)

    assert {each.kind() for each in found.destinations.values()} == {kind}


def test_another_kind_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(Mistake, match="did you mean `slack`"):
        example.load("slak")
