"""Lines of a result: of several parts, wrapped below themselves, clean whoever wrote them."""

import pytest

from cli import output
from cli.output import Cell


@pytest.fixture(autouse=True)
def _in_forty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_line_is_one_line_and_keeps_what_aligns_it(capsys: pytest.CaptureFixture[str]) -> None:
    output.line("  a  ", Cell("b\n\x1b[2Jc", "bad"), " " * 5)

    assert capsys.readouterr().out == "  a  b c\n"


def test_an_entry_goes_on_below_itself(capsys: pytest.CaptureFixture[str]) -> None:
    output.entry(("12:00  ",), "one two three four five six seven eight nine")

    assert capsys.readouterr().out == (
        "12:00  one two three four five six seven\n       eight nine\n"
    )


def test_a_long_head_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    output.entry(("12:00:00  oncall  ",), "delivered")

    assert capsys.readouterr().out == "12:00:00  oncall\n    delivered\n"


def test_an_address_stays_whole(capsys: pytest.CaptureFixture[str]) -> None:
    address = f"https://cloud.getdbt.com/{'x' * 60}"

    output.entry(("run  ",), f"see {address}")

    assert capsys.readouterr().out == f"run  see\n     {address}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abc", "abc  "), ("abcdef", "abcd…"), ("日本語", "日本…"), ("", "     ")],
)
def test_a_text_is_made_to_fit(text: str, expected: str) -> None:
    assert output.sized(text, 5) == expected


def test_where_nobody_looks_lines_may_be_as_long_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert output.width() == 40
    monkeypatch.delenv("COLUMNS")
    assert output.width() is None
