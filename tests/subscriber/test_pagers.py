"""Pagers: where a run that fails in production would page nobody, though there is a pager."""

from typing import Any

import pytest

from subscriber import configuration
from subscriber.configuration import Configuration
from subscriber.yaml_lines import Lines

PRODUCTION = "a run that fails in production pages nobody"
DESTINATIONS = {
    "oncall": {"kind": "pagerduty", "routing_key": "env:KEY"},
    "sandbox": {"kind": "pagerduty", "routing_key": "env:SANDBOX"},
    "chat": {"kind": "slack", "webhook_url": "env:CHAT"},
    "report": {
        "kind": "mode",
        "workspace": "acme",
        "report": "r1",
        "token": "env:T",
        "secret": "env:S",
    },
}


def read(rules: list[dict[str, Any]], overrides: list[dict[str, Any]]) -> Configuration:
    content = {
        "version": 1,
        "dbt_cloud": {"token": "env:TOKEN"},
        "destinations": DESTINATIONS,
        "rules": [{"name": str(number), **rule} for number, rule in enumerate(rules)],
        "overrides": overrides,
    }
    return configuration.read(content, Lines("f"))


def said(rules: list[dict[str, Any]], *overrides: dict[str, Any]) -> list[str]:
    """Where pagers are missed, and the first words of why."""
    found = read(rules, list(overrides)).warnings
    return [f"{each.key}: {each.what.partition(':')[0]}" for each in found if "page" in each.what]


def a_rule(then: str = "oncall", outcome: Any = "failed", **when: Any) -> dict[str, Any]:
    return {"when": {"outcome": outcome, **when}, "then": [then]}


@pytest.mark.parametrize(
    "when",
    [
        {"environment": "dev*"},
        {"environment": ["Staging", "name:CI", "test env"]},
        {"environment": "!Production"},
        {"environment": ["*", "!prod*"]},
        {"trigger": "ci"},
        {"outcome": "warned"},
    ],
)
def test_pagers_that_are_for_everything_but_production_are_worth_a_warning(
    when: dict[str, Any],
) -> None:
    assert said([a_rule(**when), a_rule("chat")]) == [f"rules: {PRODUCTION}"]


def test_it_says_who_is_not_paged() -> None:
    (warning,) = [
        each
        for each in read(
            [a_rule(environment="dev"), a_rule("sandbox", environment="qa")], []
        ).warnings
        if each.key == "rules"
    ]

    assert str(warning) == (
        "f:1:1: rules: a run that fails in production pages nobody: "
        "no rule names `oncall`, `sandbox` for that"
    )


@pytest.mark.parametrize(
    "rules",
    [
        [a_rule()],
        [a_rule(environment="Production")],
        [a_rule(environment="Live")],
        [a_rule(environment="pre-prod")],
        [a_rule(environment="staging-live")],
        [a_rule(environment=55)],
        [a_rule(environment=["dev", "Analytics"])],
        [a_rule(environment="!dev*")],
        [a_rule(environment="Deviations")],
        [a_rule(trigger=["ci", "scheduled"])],
        [a_rule(nodes={"tag": "finance"})],
        [a_rule("sandbox", environment="dev"), a_rule()],
        [a_rule("chat", environment="dev")],
        [{**a_rule("report", "succeeded"), "refresh": {"on_failure": ["oncall"]}}],
    ],
)
def test_in_doubt_production_has_its_pager(rules: list[dict[str, Any]]) -> None:
    assert said(rules) == []


@pytest.mark.parametrize("environment", ["Production", "prod*", "*", "!dev", ["prod", "live"]])
def test_an_override_that_takes_the_pager_from_production_is_worth_a_warning(
    environment: Any,
) -> None:
    override = {"environment": environment, "then": ["chat"]}

    assert said([a_rule()], override) == [f"overrides[0].then: {PRODUCTION}"]


@pytest.mark.parametrize(
    ("rule", "overrides"),
    [
        (a_rule(), [("dev*", "chat")]),
        (a_rule(), [("Production", "sandbox")]),
        (a_rule(), [("Production", "sandbox"), ("*", "chat")]),
        (a_rule("chat"), [("Production", "chat")]),
        (a_rule(environment="EU Production"), [("Production", "chat")]),
        (a_rule(environment=["live", "dev"]), [("dev*", "chat")]),
        (a_rule(environment="*"), [("dev*", "chat")]),
        (a_rule(environment=["dev eu", "live"]), [("dev*", "sandbox"), ("dev eu", "chat")]),
        (a_rule("chat", environment="dev"), [("dev*", "chat")]),
    ],
)
def test_an_override_that_leaves_whom_to_page_is_none(
    rule: dict[str, Any], overrides: list[tuple[str, str]]
) -> None:
    told = [{"environment": each, "then": [then]} for each, then in overrides]

    assert said([rule], *told) == []


def test_a_pager_of_a_rule_that_an_override_takes_away_never_pages() -> None:
    rules = [a_rule(), a_rule("sandbox", environment=["Staging", "staging eu"])]

    assert said(rules, {"environment": "stag*", "then": ["chat"]}) == [
        "rules[1].then[0]: this rule never pages"
    ]
