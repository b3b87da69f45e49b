"""docs/explain.md shows what the command says."""

from pathlib import Path

from cli import sample
from tests.cli.commands.test_explain import GOLDEN

PAGE = (Path(__file__).parents[3] / "docs" / "explain.md").read_text(encoding="utf-8")


def test_the_page_shows_what_explain_says() -> None:
    said = (GOLDEN / "explain-failed-model.txt").read_text(encoding="utf-8")

    assert f"```text\n{said}```" in PAGE


def test_the_page_lists_every_sample() -> None:
    rows = [f"| `{name}` | {about} |" for name, about in sample.ABOUT.items()]

    assert "\n".join(rows) in PAGE
