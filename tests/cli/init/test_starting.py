"""A first configuration file: whatever is answered, it is right and says what was answered."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cli.check import schema
from cli.init import starting
from cli.init.starting import Start
from shared.errors import Mistake
from subscriber import patterns
from subscriber.yaml_lines import parse

SCHEMA = Draft202012Validator(schema.made())
SLACK = {"kind": "slack", "bot_token": "env:SLACK", "channel": "#data-alerts"}
MODE = {"kind": "mode", "workspace": "acme", "report": "123", "token": "env:T", "secret": "env:S"}
START = Start("ab123.us1.dbt.com", "secret:dbt", "Production", pagerduty="secret:pd")


@pytest.mark.parametrize(
    "start",
    [
        START,
        replace(START, account="12345"),
        replace(START, pagerduty="", chat=SLACK),
        replace(START, chat=SLACK),
        replace(START, chat=SLACK, dashboard=MODE, job="456"),
        replace(START, dashboard=MODE),
        replace(START, pagerduty="", dashboard=MODE, job="Revenue: marts"),
    ],
)
def test_the_file_is_right_and_nothing_in_it_is_worth_a_warning(start: Start) -> None:
    text = starting.text(start)

    assert starting.read(text).warnings == ()
    assert text.startswith(f"{schema.COMMENT}\n")
    assert list(SCHEMA.iter_errors(parse(text, "f")[0])) == []
    assert max(map(len, text.splitlines())) <= 100


def test_it_says_what_was_answered() -> None:
    start = replace(START, account="12345", chat=SLACK, dashboard=MODE, job="456")

    found = starting.read(starting.text(start))

    assert found.dbt_cloud.host == "ab123.us1.dbt.com"
    assert found.dbt_cloud.accounts == (12345,)
    assert [each.kind() for each in found.destinations.values()] == ["pagerduty", "slack", "mode"]
    assert [rule.then for rule in found.rules] == [
        ("oncall", "data-alerts"),
        ("data-alerts",),
        ("dashboard",),
    ]
    assert found.rules[0].when.environment == patterns.parse("Production")
    assert found.rules[2].when.job == patterns.parse(456)
    assert found.rules[2].refresh.on_failure == ("data-alerts",)


def test_somebody_has_to_be_told_or_something_refreshed() -> None:
    with pytest.raises(Mistake, match="nobody to tell"):
        starting.text(replace(START, pagerduty=""))


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
ODD = st.sampled_from(["on", "null", "1e3", "- a", "a: b", "a #b", "'", '"', "{", "!ci", "*", "~"])


@given(NAMES | ODD)
def test_any_text_is_written_so_that_it_is_read_as_that_text(value: str) -> None:
    assert parse(f"a: {starting.written(value)}\n", "f")[0] == {"a": value}


@given(NAMES | ODD | st.integers(1, 2**63).map(str))
def test_any_environment_is_written_so_that_the_rule_is_for_it(value: str) -> None:
    try:
        expected = patterns.parse(value)
        text = starting.text(replace(START, environment=value))
    except (ValueError, Mistake):
        return  # no pattern, or one that can never match

    assert starting.read(text).rules[0].when.environment == expected


@pytest.mark.parametrize("value", ["on", "123", "a: b", "1.5", "", " a", "a\tb", "é", "a,b", "[a]"])
def test_what_would_be_something_else_is_quoted(value: str) -> None:
    found: Any = parse(f"a: {starting.written(value)}\n", "f")[0]

    assert found == {"a": value}
