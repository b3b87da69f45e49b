"""YAML as it is meant today, and where each key stands."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Mistake
from subscriber.yaml_lines import MISTAKES_LIMIT, Lines, Path, parse, place_of


def value(text: str) -> Any:
    """The value of the key `a` in `a: text`."""
    content, _ = parse(f"a: {text}\n", "rules.yaml")
    return content["a"]


def mistake(text: str) -> str:
    with pytest.raises(Mistake) as raised:
        parse(text, "rules.yaml")
    return str(raised.value)


def said_about(text: str) -> str:
    """What is said about `text`, if anything is."""
    try:
        parse(text, "rules.yaml")
    except Mistake as raised:
        return str(raised)
    return ""


@pytest.mark.parametrize("word", ["true", "True", "TRUE"])
def test_true_is_true(word: str) -> None:
    assert value(word) is True


@pytest.mark.parametrize("word", ["false", "False", "FALSE"])
def test_false_is_false(word: str) -> None:
    assert value(word) is False


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_nothing(word: str) -> None:
    assert value(word) is None


@pytest.mark.parametrize(
    "word",
    [
        *("on", "off", "yes", "no", "y", "n", "tRUE", "12:30", "2024-01-01"),
        *("0x10", "0o17", "1_000", "1.2.3", "1e", "e5", "12٣", "+", "."),
        *(".inf", ".nan", "NaN"),
    ],
)
def test_what_yaml_once_took_for_something_else_is_text(word: str) -> None:
    assert value(word) == word


@pytest.mark.parametrize(
    ("word", "number"),
    [("0", 0), ("010", 10), ("-5", -5), ("+5", 5), ("9223372036854775807", 2**63 - 1)],
)
def test_whole_numbers_are_decimal(word: str, number: int) -> None:
    assert value(word) == number
    assert isinstance(value(word), int)


def test_digits_beyond_64_bits_are_text() -> None:
    assert value("9" * 20) == "9" * 20
    assert value("9" * 5_000) == "9" * 5_000


@pytest.mark.parametrize(("word", "number"), [("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5)])
def test_numbers_may_have_a_fraction(word: str, number: float) -> None:
    assert value(word) == number


def test_a_token_that_looks_like_an_endless_number_is_text() -> None:
    assert value("5e4433221100") == "5e4433221100"


@pytest.mark.parametrize("word", ["'010'", '"010"', "'true'", "'~'", "'1e5'"])
def test_what_is_quoted_is_text(word: str) -> None:
    assert value(word) == word[1:-1]


def test_anchors_and_aliases_repeat_a_value() -> None:
    content, _ = parse("a: &x [1, 2]\nb: *x\n", "rules.yaml")

    assert content == {"a": [1, 2], "b": [1, 2]}


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    content, _ = parse("\ufeffversion: 1\r\nb: 2\r\n", "rules.yaml")

    assert content == {"version": 1, "b": 2}


def test_each_key_has_its_line_and_its_column() -> None:
    text = (
        "version: 1\n\n# comment\nrules:\n  - name: a\n    when: {outcome: failed}\n  - name: b\n"
    )

    _, lines = parse(text, "rules.yaml")

    def at(path: Path) -> str:
        return str(lines.at(path, "x"))

    assert at(("version",)) == "rules.yaml:1:1: version: x"
    assert at(("rules", 0, "when", "outcome")) == "rules.yaml:6:12: rules[0].when.outcome: x"
    assert at(("rules", 1)) == "rules.yaml:7:5: rules[1]: x"
    assert at(("rules", 1, "name")) == "rules.yaml:7:5: rules[1].name: x"


def test_a_key_that_is_not_there_has_the_place_of_the_one_above() -> None:
    _, lines = parse("a: 1\nb:\n  c: 1\n", "rules.yaml")

    assert str(lines.at(("b", "missing", 3), "x")) == "rules.yaml:2:1: b.missing[3]: x"
    assert str(lines.at((), "x")) == "rules.yaml:1:1: x"


def test_the_names_below_a_key_are_known() -> None:
    _, lines = parse("destinations:\n  a: {kind: x}\n  b: {kind: y}\nrules: [a]\n", "rules.yaml")

    assert lines.names(("destinations",)) == ["a", "b"]
    assert list(lines.names(("rules",))) == []
    assert list(Lines("empty").names(())) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rules.yaml:1:1: the file is empty; see afterrun.example.yaml"),
        ("# nothing\n", "rules.yaml:1:1: the file is empty; see afterrun.example.yaml"),
        ("a: 1\nb: 2\na: 3\n", "rules.yaml:3:1: a: this key stands twice"),
        ("r:\n- n: 1\n  n: 2\n", "rules.yaml:3:3: r[0].n: this key stands twice"),
        ("a: {b: 1, b: 2}\n", "rules.yaml:1:11: a.b: this key stands twice"),
        ("1: a\n'1': b\n", "rules.yaml:2:1: 1: this key stands twice"),
        ("? [a, b]\n: c\n", "rules.yaml:1:3: a key must be a word"),
        (
            "a: 1\nb: !python x\n",
            "rules.yaml:2:1: b: tags mean nothing here; put text that begins with `!` in quotes",
        ),
        (
            "a: 1\n\tb: 2\n",
            (
                "rules.yaml:2:1: not YAML: while scanning for the next token, "
                "found character '\\t' that cannot start any token"
            ),
        ),
        (
            "a: 1\n---\nb: 2\n",
            (
                "rules.yaml:2:1: not YAML: expected a single document in the stream, "
                "but found another document"
            ),
        ),
        (
            "a: {b\n",
            (
                "rules.yaml:2:1: not YAML: while parsing a flow mapping, "
                "expected ',' or '}', but got '<stream end>'; it begins in line 1"
            ),
        ),
        ("a: *bcd\n", "rules.yaml:1:4: not YAML: found undefined alias (not shown)"),
        ("a: 1\nb: \x07\n", "rules.yaml:2:4: not YAML: a character that may not be in it"),
        ("[" * 600, "rules.yaml:1:1: too deep: brackets within brackets without end"),
        ("[" * 22 + "]" * 22, "rules.yaml:1:22: too deep or too large for rules"),
        ("a: &a [*a]\n", "rules.yaml:1:4: too deep or too large for rules"),
    ],
)
def test_what_is_no_yaml_or_makes_no_sense_is_a_mistake_with_its_place(
    text: str, said: str
) -> None:
    assert mistake(text) == said


def test_all_keys_that_stand_twice_are_said_at_once() -> None:
    said = mistake("a: 1\nb: !x y\na: 2\nc:\n  d: 1\n  d: [{e: 1, e: 2}]\n")

    assert [line.split(":")[1:3] for line in said.splitlines()] == [
        ["2", "1"],
        ["3", "1"],
        ["6", "3"],
    ]


def test_a_file_that_is_no_good_at_all_says_so_a_hundred_times_and_no_more() -> None:
    assert len(mistake("a: 1\n" * 1_000).splitlines()) == MISTAKES_LIMIT


@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_columns_are_those_that_an_editor_shows(begin: str) -> None:
    _, lines = parse(f"{begin}größe: {{a: 1, ü: 2}}\r\nb: 3\r\n", "rules.yaml")

    assert lines.places[("größe", "ü")] == (1, 15)
    assert lines.places[("b",)] == (2, 1)
    assert place_of(f"{begin}ab\nc", len(begin) + 1) == (1, 2)
    assert place_of(f"{begin}ab\nc", len(begin) + 3) == (2, 1)


def test_a_small_file_does_not_unfold_into_a_huge_one() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )

    assert "too deep or too large" in mistake(bomb)


def test_a_file_of_many_rules_is_not_too_large() -> None:
    content, _ = parse("rules:\n" + "- {name: x, then: [a]}\n" * 1_000, "rules.yaml")

    assert len(content["rules"]) == 1_000


@given(st.sampled_from("*&!%@`|>\"'[{?#-:"), st.text(alphabet="abcXYZ059_-", min_size=8))
def test_a_secret_that_is_no_yaml_is_not_repeated(first: str, secret: str) -> None:
    assert secret not in said_about(f"token: {first}{secret} {secret}\nother: [\n")


@given(st.text())
def test_any_text_is_read_or_is_a_mistake(text: str) -> None:
    assert re.match(r"rules\.yaml:\d+:\d+: |$", said_about(text))


PLAIN = st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=5)


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | PLAIN,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_is_yaml(content: Any) -> None:
    found, _ = parse(json.dumps({"content": content}, ensure_ascii=False), "rules.yaml")

    assert found == {"content": content}


@pytest.mark.parametrize("written", ["!!int hunter2", "!!float hunter2", "!!float .inf.hunter2"])
def test_a_tag_before_what_is_no_number_is_a_mistake_that_does_not_repeat_it(written):
    with pytest.raises(Mistake) as mistake:
        parse(f"version: {written}", "afterrun.yaml")

    assert str(mistake.value).startswith("afterrun.yaml:1:1: version: tags mean nothing here")
    assert "hunter2" not in str(mistake.value)
