import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from lab.show import Shown
from lab.timeline import Moment

BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
PAGE = "https://app.mode.com/teahouse/reports/5f4dcc3b5aa7/runs/5993a779d2e7"


def shown(*said: str) -> list[str]:
    """The lines in which the subscriber's moments, a second apart, are shown."""
    screen = io.StringIO()
    show = Shown(Console(file=screen, width=80, highlight=False))
    for second, what in enumerate(said):
        show(Moment(BEGAN + timedelta(seconds=second), "subscriber", what))
    return screen.getvalue().splitlines()


def test_a_moment_is_a_line_with_the_seconds_since_the_first() -> None:
    assert shown("decided", "delivered: oncall") == [
        "  0.00 subscriber  decided",
        "  1.00 subscriber  delivered: oncall",
    ]


def test_a_long_moment_goes_on_below_itself() -> None:
    lines = shown("word " * 30)

    assert lines == [
        "  0.00 subscriber  " + " ".join(["word"] * 12),
        *[" " * 19 + " ".join(["word"] * count) for count in (12, 6)],
    ]


def test_an_address_is_whole_so_that_it_can_be_clicked() -> None:
    assert shown(f"delivered: revenue, {PAGE}, once") == [
        "  0.00 subscriber  delivered: revenue,",
        " " * 11 + PAGE + ",",
        " " * 19 + "once",
    ]
    assert shown(PAGE) == ["  0.00 subscriber", " " * 12 + PAGE]


def test_signs_that_are_two_columns_wide_count_as_two() -> None:
    first, *others = shown("🔴 " * 40)

    assert first == "  0.00 subscriber  " + " ".join("🔴" * 20)
    assert others == [" " * 19 + " ".join("🔴" * 20)]


def test_what_is_wider_than_the_screen_is_folded() -> None:
    lines = shown("x" * 100)

    assert lines == ["  0.00 subscriber", "x" * 80, "x" * 20]


@pytest.mark.parametrize("what", ["", "[bold]:fire: [/]", "🔴 " * 60])
def test_a_moment_is_shown_as_it_is_without_spaces_at_the_end(what: str) -> None:
    lines = shown(what)

    assert [line for line in lines if line != line.rstrip()] == []
    assert " ".join(" ".join(lines).split()) == f"0.00 subscriber {what}".strip()
