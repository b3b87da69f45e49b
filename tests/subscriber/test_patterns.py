"""Patterns: names, ids and globs, as rules write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.patterns import Patterns, covers, parse

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
        ("NAME: 2024 ", "7", "2024", True),
        ("name:*", "7", "*", True),
        ("name:*", "7", "any", False),
        ("name:!ci", "7", "!ci", True),
        ("[!a]*", "7", "build", True),
        ("[!a]*", "7", "a build", False),
        ("! ci", "7", "ci", False),
        (9223372036854775807, "9223372036854775807", "", True),
        ("٣", "٣", "other", False),
        ("!ci", "", "ci", False),
        ("!ci", "", "scheduled", True),
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


def test_a_pattern_that_leaves_out_what_is_left_out_is_refused() -> None:
    with pytest.raises(ValueError, match="write one `!`"):
        parse("!!ci")


@pytest.mark.parametrize(
    ("written", "id_", "name"),
    [
        ("Production", "55", ""),
        ("prod*", "55", ""),
        ("name:2024", "55", ""),
        (55, "", "Production"),
        ("!Production", "55", ""),
        ("!55", "", "Production"),
        (["prod*", "!55"], "", "Production"),
        (["Staging", 55], "", "Production"),
    ],
)
def test_what_takes_an_unknown_name_or_id_to_tell_may_match_but_does_not_for_certain(
    written: Any, id_: str, name: str
) -> None:
    patterns = parse(written)

    assert patterns.may_match(id=id_, name=name)
    assert not patterns.match(id=id_, name=name)


@pytest.mark.parametrize(
    ("written", "id_", "name", "matches"),
    [
        ("*", "", "", True),
        (["Production", 55], "55", "", True),
        (["Production", "!55"], "55", "", False),
        (["Production", 55], "", "production", True),
        (["Production", "!*"], "", "", False),
    ],
)
def test_what_is_known_may_be_enough(
    written: Any,
    id_: str,
    name: str,
    matches: bool,  # noqa: FBT001 - a table
) -> None:
    patterns = parse(written)

    assert patterns.match(id=id_, name=name) is matches
    assert patterns.may_match(id=id_, name=name) is matches


@pytest.mark.parametrize(
    ("written", "names", "matches"),
    [
        ("finance", ["daily", "Finance"], True),
        ("finance", ["daily"], False),
        ("finance", [], False),
        (2024, ["2024"], True),
        ("007", ["007"], True),
        ("name:2024", ["2024"], True),
        ("*", [], False),
        ("*", [""], False),
        ("!wip", [], True),
        ("!wip", ["daily"], True),
        ("!wip", ["daily", "wip"], False),
        (["fin*", "!wip"], ["finance", "wip"], False),
    ],
)
def test_of_several_names_one_must_match_and_none_be_left_out(
    written: Any,
    names: list[str],
    matches: bool,  # noqa: FBT001 - a table
) -> None:
    assert parse(written).match_any(names) is matches


@pytest.mark.parametrize(
    ("written", "nothing"),
    [
        ("a", False),
        ("!a", False),
        ("!*", True),
        (["a", "!A"], True),
        (["a", "b", "!a"], False),
        (["a", "!name:a"], True),
        (["name:a*", "!a*"], True),
        (["prod eu", "!prod*"], True),
        (["prod*", "!prod eu"], False),
        (["prod-*", "!prod*"], True),
        (["[ab]", "![ab]"], True),
        (["[ab]", "!*ab*"], False),
        (["a?", "!a[?]"], False),
        (["7", "!7"], True),
        (["7", "!name:7"], False),
        (["7", "!a"], False),
    ],
)
def test_patterns_that_leave_out_all_that_they_ask_for_are_recognised(
    written: Any,
    nothing: bool,  # noqa: FBT001 - a table
) -> None:
    assert parse(written).matches_nothing is nothing


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


WRITTEN = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "!"]),
        st.sampled_from(["", "name:"]),
        st.text("aA7*?[]", min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=4,
)
SHORT = st.text("aA7*[]", max_size=3)
IDS = st.sampled_from(["", "7", "77"])


@given(WRITTEN, IDS, SHORT)
def test_what_matches_for_certain_may_match(written: list[str], id_: str, name: str) -> None:
    patterns = parse(written)

    assert patterns.may_match(id=id_, name=name) >= patterns.match(id=id_, name=name)


@given(WRITTEN, IDS.filter(bool), SHORT.filter(bool))
def test_where_all_is_known_there_is_no_doubt(written: list[str], id_: str, name: str) -> None:
    patterns = parse(written)

    assert patterns.may_match(id=id_, name=name) is patterns.match(id=id_, name=name)


@given(WRITTEN, IDS.filter(bool), SHORT.filter(bool))
def test_to_learn_what_was_unknown_never_turns_a_no_into_a_yes(
    written: list[str], id_: str, name: str
) -> None:
    patterns = parse(written)

    if patterns.match(id=id_, name=name):
        assert patterns.may_match(id=id_)
        assert patterns.may_match(name=name)
        assert patterns.may_match()
    else:
        assert not patterns.match(id=id_)
        assert not patterns.match(name=name)
        assert not patterns.match()


@given(WRITTEN, IDS, SHORT)
def test_what_matches_nothing_matches_no_name_and_no_id(
    written: list[str], id_: str, name: str
) -> None:
    patterns = parse(written)

    assert not (patterns.matches_nothing and patterns.match(id=id_, name=name))
    assert not (patterns.matches_nothing and patterns.match_any([name or "any"]))


def test_to_leave_out_every_name_matches_what_has_none() -> None:
    assert parse("!*").match_any([])
    assert not parse("!*").match_any(["finance"])


@given(WRITTEN, st.randoms(use_true_random=False), IDS, SHORT)
def test_neither_the_order_of_patterns_nor_capital_letters_matter(
    written: list[str], random: Any, id_: str, name: str
) -> None:
    shuffled = random.sample(written, len(written))

    one, other = parse(written), parse(shuffled)

    assert one.match(id=id_, name=name) is other.match(id=id_, name=name.swapcase())


@pytest.mark.parametrize(
    ("wide", "narrow", "does"),
    [
        (["a*"], ["ab", "name:AC"], True),
        (["a*"], ["ab", "7"], False),
        (["*"], ["!x"], True),
        (["a"], ["!x"], False),
        (["!x"], ["!x", "!y"], True),
        (["!x"], ["!*x*"], True),
        (["!x*"], ["!x"], False),
        (["!x"], ["a"], True),
        (["!7"], ["a"], False),
        (["!x"], ["7"], False),
        (["!x"], ["*"], False),
        (["a", "b"], ["b"], True),
        (["b"], ["a", "b"], False),
    ],
)
def test_one_covers_another_only_where_that_is_certain(
    wide: list[str], narrow: list[str], *, does: bool
) -> None:
    assert covers(parse(wide), parse(narrow)) is does


def test_what_is_left_out_covers_everything_and_little_covers_it() -> None:
    assert covers(None, parse("a"))
    assert covers(parse("*"), None)
    assert not covers(parse("a"), None)
    assert not covers(parse("!a"), None)


@given(WRITTEN, WRITTEN, IDS, SHORT)
def test_what_covers_another_matches_all_that_it_does_known_or_not(
    wide: list[str], narrow: list[str], id_: str, name: str
) -> None:
    one, other = parse(wide), parse(narrow)

    if covers(one, other):
        assert one.match(id=id_, name=name) or not other.match(id=id_, name=name)
        assert one.may_match(id=id_, name=name) or not other.may_match(id=id_, name=name)
        assert one.match_any([name or "x"]) or not other.match_any([name or "x"])
