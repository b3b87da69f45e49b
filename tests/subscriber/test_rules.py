"""Rules: which destinations an event calls for."""

from typing import Any

import pytest
from pydantic import ValidationError

from subscriber.rules import Alert, Rule, When, asked
from subscriber.run import Outcome
from tests.builders import an_event


def a_rule(name: str = "a rule", then: tuple[str, ...] = ("oncall",), **when: Any) -> Rule:
    return Rule.model_validate(
        {"name": name, "when": {"outcome": "failed", **when}, "then": list(then)}
    )


def calls_for(*rules: Rule, outcome: Outcome = Outcome.FAILED, trigger: str = "scheduled") -> Any:
    return asked(an_event(), outcome, trigger, rules)


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({}, True),
        ({"account": 1}, True),
        ({"account": 2}, False),
        ({"project": "Shop"}, True),
        ({"project": 9}, True),
        ({"project": "Other"}, False),
        ({"environment": "prod*"}, True),
        ({"environment": 55}, True),
        ({"environment": "Staging"}, False),
        ({"job": "Daily build"}, True),
        ({"job": [8, 7]}, True),
        ({"job": "Nightly"}, False),
        ({"job": 7, "environment": "Staging"}, False),
        ({"account": "!2"}, True),
        ({"trigger": "scheduled"}, True),
        ({"trigger": ["!ci", "!merge"]}, True),
        ({"trigger": "ci"}, False),
    ],
)
def test_a_rule_matches_when_all_that_it_says_matches(
    when: dict[str, Any],
    matches: bool,  # noqa: FBT001 - a table
) -> None:
    assert bool(calls_for(a_rule(**when))) is matches


@pytest.mark.parametrize(
    ("wanted", "outcome", "matches"),
    [
        ("failed", Outcome.FAILED, True),
        ("failed", Outcome.SUCCEEDED, False),
        ("succeeded", Outcome.SUCCEEDED, True),
        (["failed", "succeeded"], Outcome.SUCCEEDED, True),
        (["failed", "succeeded"], Outcome.CANCELLED, False),
        (["failed", "succeeded"], Outcome.UNKNOWN, False),
        (["failed", "succeeded"], Outcome.STARTED, False),
    ],
)
def test_a_rule_matches_the_outcomes_that_it_names(
    wanted: Any,
    outcome: Outcome,
    matches: bool,  # noqa: FBT001 - a table
) -> None:
    assert bool(calls_for(a_rule(outcome=wanted), outcome=outcome)) is matches


@pytest.mark.parametrize("trigger", ["scheduled", "ci", ["!ci"]])
def test_a_trigger_that_nobody_knows_holds_no_alert_back(trigger: Any) -> None:
    assert calls_for(a_rule(trigger=trigger), trigger="")


def test_whether_a_rule_could_match_is_told_without_outcome_and_trigger() -> None:
    rule = a_rule(outcome="succeeded", trigger="ci", job=7)

    assert rule.when.could_match(an_event())
    assert not rule.when.could_match(an_event(job_id=8))


def test_a_destination_is_called_for_once_whichever_rules_name_it() -> None:
    called = calls_for(
        a_rule("first", ("oncall", "data")), a_rule("second", ("oncall",)), a_rule("no", job=8)
    )

    assert called == {"oncall": ["first", "second"], "data": ["first"]}


def test_an_event_that_no_rule_matches_calls_for_nothing() -> None:
    assert calls_for() == {}
    assert calls_for(a_rule(job=8)) == {}


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"outcome": []},
        {"outcome": None},
        {"outcome": "warned"},
        {"outcome": ["failed", "cancelled"]},
        {"outcome": "failed", "job": None},
        {"outcome": "failed", "job": []},
        {"outcome": "failed", "jobs": 7},
    ],
)
def test_a_condition_that_could_not_be_meant_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        When.model_validate(written)


def test_a_rule_names_at_least_one_destination() -> None:
    with pytest.raises(ValidationError, match="this list is empty"):
        a_rule(then=())


def test_alerts_are_kept_together_by_job() -> None:
    assert Alert().per == "job"
    with pytest.raises(ValidationError):
        Alert.model_validate({"per": "node"})
