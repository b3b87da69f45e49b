"""Durations: as people write them, and as they are said to people."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.durations import parse, said


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("24h", 86_400),
        ("7d", 604_800),
        (" 10 m ", 600),
        ("9999999d", 9_999_999 * 86_400),
    ],
)
def test_a_number_and_a_unit_are_a_duration(written: str, seconds: int) -> None:
    assert parse(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    [None, True, 10, 1.5, "", "m", "10", "0s", "-1m", "1.5h", "10w", "1h30m", "10M", "٣h", ["1h"]],
)
def test_what_is_no_duration_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="write a duration, such as 90s, 10m, 24h or 7d"):
        parse(written)


def test_a_duration_is_left_as_it_is() -> None:
    assert parse(timedelta(hours=1)) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (3_659, "1 h"),
        (2_700, "45 min"),
        (183_600, "2 d 3 h"),
        (172_860, "2 d"),
    ],
)
def test_a_duration_is_said_in_the_units_that_say_most(seconds: float, shown: str) -> None:
    assert said(timedelta(seconds=seconds)) == shown


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_what_is_said_is_at_most_the_duration_and_never_far_below(duration: timedelta) -> None:
    units = {"d": "days", "h": "hours", "min": "minutes", "s": "seconds"}
    words = said(duration).split()

    told = sum(
        (
            timedelta(**{units[unit]: int(count)})
            for count, unit in zip(words[::2], words[1::2], strict=True)
        ),
        timedelta(0),
    )

    assert told <= duration
    assert duration - told <= max(duration / 20, timedelta(seconds=1))
