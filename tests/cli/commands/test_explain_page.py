"""docs/explain.md shows what the command says."""

from pathlib import Path

from cli import sample
from tests.cli.golden import kept

PAGE = (Path(__file__).parents[3] / "docs" / "explain.md").read_text(encoding="utf-8")


def test_the_page_shows_what_explain_says() -> None:
    assert f"```text\n{kept('explain-failed-model.txt')}```" in PAGE


def test_the_page_lists_every_sample() -> None:
    rows = [f"| `{name}` | {about} |" for name, about in sample.ABOUT.items()]

    assert "\n".join(rows) in PAGE
