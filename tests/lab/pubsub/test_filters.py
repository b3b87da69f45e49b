"""Which messages a filter lets pass, and which texts are no filters."""

import json
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.pubsub.filters import MalformedFilter, parse

EVENT = {
    "content": "event",
    "event_type": "job.run.errored",
    "iana.org/language": "en",
    "empty": "",
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "attributes:content",
        "attributes:empty",
        'attributes:"iana.org/language"',
        'attributes.content = "event"',
        'attributes.content="event"',
        'attributes."iana.org/language" = "en"',
        'attributes.content != "tick"',
        'attributes.missing != "tick"',
        "NOT attributes:missing",
        'hasPrefix(attributes.event_type, "job.run.")',
        'hasPrefix(attributes.event_type, "")',
        'NOT hasPrefix(attributes.missing, "")',
        'attributes:content AND attributes:event_type AND attributes.content = "event"',
        'attributes:missing OR attributes.content = "tick" OR attributes:content',
        'attributes:missing OR (attributes:content AND NOT attributes.content = "tick")',
        "NOT (attributes:missing AND attributes:content)",
        "((attributes:content))",
        r'attributes.content = "\x65\u0076\U00000065\156t"',
    ],
)
def test_a_filter_lets_pass_what_it_describes(text: str) -> None:
    assert parse(text)(EVENT)


@pytest.mark.parametrize(
    "text",
    [
        "attributes:Content",
        'attributes.content = "Event"',
        'attributes.missing = ""',
        'attributes.content != "event"',
        'hasPrefix(attributes.missing, "")',
        'hasPrefix(attributes.content, "Ev")',
        "attributes:content AND attributes:missing",
        "NOT attributes:content",
        "NOT attributes:missing AND attributes:missing",
        "NOT (attributes:content OR attributes:missing)",
    ],
)
def test_a_filter_holds_back_what_it_does_not_describe(text: str) -> None:
    assert not parse(text)(EVENT)


@pytest.mark.parametrize(
    "text",
    [
        "bogus(",
        "attributes",
        "attributes:",
        "attributes:a:b",
        "attributes.a",
        "attributes.a =",
        "attributes.a = b",
        "attributes.a = 1",
        "attributes.a == 'b'",
        'attributes.a > "b"',
        'attributes.a IN ("b", "c")',
        'data = "b"',
        "attributes:a and attributes:b",
        "attributes:a AND",
        "AND attributes:a",
        "attributes:a attributes:b",
        "attributes:AND",
        "NOT",
        "NOT NOT attributes:a",
        "(attributes:a",
        "attributes:a)",
        "()",
        'hasPrefix(attributes.a "b")',
        'hasPrefix(attributes:a, "b")',
        'hasSuffix(attributes.a, "b")',
        'attributes.a = "b',
        'attributes.a = "\\q"',
        'attributes.a = "\\u12"',
        'attributes.a = "\\ud800"',
        'attributes.a = "\\U00110000"',
        'attributes.a = "line\nbreak"',
    ],
)
def test_what_is_not_a_filter_is_refused(text: str) -> None:
    with pytest.raises(MalformedFilter):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "attributes:a AND attributes:b OR attributes:c",
        "attributes:a OR attributes:b AND attributes:c",
    ],
)
def test_and_is_not_mixed_with_or_unless_parentheses_say_how(text: str) -> None:
    with pytest.raises(MalformedFilter, match="parentheses"):
        parse(text)


def test_a_filter_has_at_most_256_bytes() -> None:
    longest = 'attributes:"' + "é" * 121 + 'xx"'
    assert len(longest.encode()) == 257

    assert parse(longest.replace("xx", "x"))({"é" * 121 + "x": ""})
    with pytest.raises(MalformedFilter, match="256 bytes"):
        parse(longest)


def test_deep_parentheses_are_no_danger() -> None:
    assert parse("(" * 120 + "attributes:a" + ")" * 120)({"a": ""})
    with pytest.raises(MalformedFilter):
        parse("(" * 256)


@given(st.text(max_size=256))
def test_any_text_is_a_filter_or_malformed(text: str) -> None:
    try:
        found = parse(text)
    except MalformedFilter:
        return
    assert found({}) in (True, False)


@given(
    st.lists(
        st.sampled_from(
            [
                "attributes",
                ":",
                ".",
                "=",
                "!=",
                "(",
                ")",
                ",",
                "AND",
                "OR",
                "NOT",
                "hasPrefix",
                "a",
                '"b"',
            ]
        ),
        max_size=30,
    )
)
def test_any_sequence_of_tokens_is_a_filter_or_malformed(tokens: list[str]) -> None:
    try:
        found = parse(" ".join(tokens))
    except MalformedFilter:
        return
    assert found({"a": "b"}) in (True, False)


Attributes = Mapping[str, str]
Case = tuple[str, Callable[[Attributes], bool]]

keys = st.sampled_from(["a", "b", "c-d", "e_1"])
values = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=3)


def _has(key: str) -> Case:
    return f"attributes:{key}", lambda attributes: key in attributes


def _equals(key: str, value: str) -> Case:
    return f"attributes.{key}={_quoted(value)}", lambda attributes: attributes.get(key) == value


def _differs(key: str, value: str) -> Case:
    return f"attributes.{key}!={_quoted(value)}", lambda attributes: attributes.get(key) != value


def _begins(key: str, value: str) -> Case:
    return (
        f"hasPrefix(attributes.{key},{_quoted(value)})",
        lambda attributes: key in attributes and attributes[key].startswith(value),
    )


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _negated(case: Case) -> Case:
    text, holds = case
    return f"NOT ({text})", lambda attributes: not holds(attributes)


def _both(cases: list[Case]) -> Case:
    text = " AND ".join(f"({text})" for text, _ in cases)
    return text, lambda attributes: all(holds(attributes) for _, holds in cases)


def _either(cases: list[Case]) -> Case:
    text = " OR ".join(f"({text})" for text, _ in cases)
    return text, lambda attributes: any(holds(attributes) for _, holds in cases)


tests = st.one_of(
    keys.map(_has),
    st.builds(_equals, keys, values),
    st.builds(_differs, keys, values),
    st.builds(_begins, keys, values),
)
cases = st.recursive(
    tests,
    lambda inner: st.one_of(
        inner.map(_negated),
        st.lists(inner, min_size=1, max_size=3).map(_both),
        st.lists(inner, min_size=1, max_size=3).map(_either),
    ),
    max_leaves=6,
).filter(lambda case: len(case[0].encode()) <= 256)


@given(cases, st.dictionaries(keys, values))
def test_a_filter_means_what_its_parts_mean(case: Case, attributes: dict[str, str]) -> None:
    text, holds = case

    assert parse(text)(attributes) == holds(attributes)
