"""Patterns: names, ids and globs, as rules write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.patterns import Patterns, parse

NAMES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("written", "id_", "name", "matches"),
    [
        ("Daily build", "7", "Daily build", True),
        ("daily BUILD", "7", "Daily build", True),
        ("STRASSE", "7", "Straße", True),
        ("Daily", "7", "Daily build", False),
        ("daily*", "7", "Daily build", True),
        ("*build", "7", "Daily build", True),
        ("d?ily build", "7", "Daily build", True),
        ("[cd]aily build", "7", "Daily build", True),
        ("Daily [prod]", "7", "Daily [prod]", True),
        ("*", "7", "", True),
        (7, "7", "Daily build", True),
        ("7", "7", "Daily build", True),
        (" 7 ", "7", "Daily build", True),
        (70, "7", "Daily build", False),
        (2024, "7", "2024", False),
        ("name:2024", "7", "2024", True),
        ("name:2024", "2024", "other", False),
        ("name:a*", "7", "a*", True),
        ("name:a*", "7", "abc", False),
        ("name:Daily", "7", "DAILY", True),
        (9223372036854775807, "9223372036854775807", "", True),
        ("٣", "٣", "other", False),
        ("!ci", "", "ci", False),
        ("!ci", "", "scheduled", True),
        ("!ci", "", "", True),
        ("!7", "7", "Daily build", False),
        ("!name:7", "7", "Daily build", True),
        ("!name:7", "8", "7", False),
        (["a", "b"], "", "b", True),
        (["a", "b"], "", "c", False),
        (["a*", "!ab"], "", "ac", True),
        (["a*", "!ab"], "", "ab", False),
        (["!ci", "!merge"], "", "merge", False),
        (["!ci", "!merge"], "", "api", True),
        ("a\nb", "", "a\nb", True),
        ("a*b", "", "a\nb", True),
    ],
)
def test_a_pattern_matches(written: Any, id_: str, name: str, matches: bool) -> None:  # noqa: FBT001 - a table
    assert parse(written).match(id=id_, name=name) is matches


@pytest.mark.parametrize("written", [None, True, 1.5, {"a": "b"}, ["a", None], [["a"]], [True]])
def test_what_is_no_pattern_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="write a name, an id or a glob, or a list of those"):
        parse(written)


@pytest.mark.parametrize("written", ["", "  ", "name:", "!", "!name:", ["a", ""]])
def test_an_empty_pattern_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="this is empty"):
        parse(written)


def test_an_empty_list_is_refused_since_it_could_never_match() -> None:
    with pytest.raises(ValueError, match="leave the key out for everything"):
        parse([])


def test_patterns_are_left_as_they_are() -> None:
    patterns = Patterns(("a",))

    assert parse(patterns) is patterns


@given(NAMES.filter(lambda name: name.strip()))
def test_a_name_can_always_be_written_to_the_letter(name: str) -> None:
    assert parse(f"name:{name.strip()}").match(id="7", name=name.strip())
    assert not parse(f"!name:{name.strip()}").match(id="7", name=name.strip())


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_pattern_and_no_name_is_an_error(written: str, name: str) -> None:
    try:
        patterns = parse(written)
    except ValueError:
        return
    patterns.match(id="7", name=name)
