"""Matching: which rules a run matches, with which of its nodes, and why the others do not."""

from itertools import product
from typing import Any

import pytest
from pydantic import SecretStr

from subscriber.configuration import Configuration, DbtCloudSettings
from subscriber.matching import Verdict, judged, said_by
from subscriber.rules import Override, Rule
from subscriber.run import Answer, Level, Outcome, RunDetails, Status, Step
from tests.builders import a_result, an_event
from tests.fakes import FakeAlerts, FakePeople, FakeReports

FINANCE = a_result("model.shop.orders", tags=("finance",), is_described=True)
MARKETING = a_result("model.shop.campaigns", tags=("marketing",), is_described=True)
NOT_LOOKED_UP = a_result("model.shop.unknown")
CRASHED = Step(3, "Invoke dbt with `dbt build`", failed=True, logs="Compilation Error: boom")


def a_rule(name: str = "page", then: tuple[str, ...] = ("oncall",), **fields: Any) -> Rule:
    when = {"outcome": "failed", **fields.pop("when", {})}
    return Rule.model_validate({"name": name, "when": when, "then": then, **fields})


def an_override(*then: str, environment: str = "Production") -> Override:
    return Override.model_validate({"environment": environment, "then": list(then)})


def a_configuration(*rules: Rule, overrides: tuple[Override, ...] = ()) -> Configuration:
    kinds = {"oncall": FakeAlerts, "people": FakePeople, "report": FakeReports}
    return Configuration(
        DbtCloudSettings(token=SecretStr("env:TOKEN")),
        {
            f"{prefix}{name}": kind(received=None)
            for prefix in ("", "sandbox-")
            for name, kind in kinds.items()
        },
        rules,
        overrides=overrides,
    )


def verdict(
    rule: Rule,
    answer: Answer | None = None,
    *,
    ended: Outcome = Outcome.FAILED,
    overrides: tuple[Override, ...] = (),
    **told: Any,
) -> Verdict:
    found = a_configuration(rule, overrides=overrides)
    (only,) = judged(found, found.rules, an_event(**told), ended, answer or Answer())
    return only


def test_a_rule_that_matches_says_where_to_and_at_which_level() -> None:
    found = verdict(a_rule())

    assert found.matches
    assert (found.then, found.level) == (("oncall",), Level.FAILURE)


@pytest.mark.parametrize(
    ("when", "ended", "answer", "miss"),
    [
        ({"job": 8}, Outcome.FAILED, Answer(), "another job"),
        ({"event": "errored"}, Outcome.FAILED, Answer(), "another event"),
        ({}, Outcome.SUCCEEDED, Answer(), "the run succeeded"),
        ({}, Outcome.CANCELLED, Answer(), "the run was cancelled"),
        ({}, Outcome.UNKNOWN, Answer(), "the run ended in a way that is not known"),
        (
            {"trigger": "!ci"},
            Outcome.FAILED,
            Answer(run=RunDetails(trigger="ci")),
            "another trigger (ci)",
        ),
        (
            {"nodes": {"tag": "finance"}},
            Outcome.FAILED,
            Answer(results=(MARKETING,)),
            "none of the nodes it is about",
        ),
        (
            {"outcome": "warned"},
            Outcome.SUCCEEDED,
            Answer(),
            "it is not known, or not so, that the run warned or was clean",
        ),
    ],
)
def test_a_rule_that_does_not_match_says_why(
    when: dict[str, Any], ended: Outcome, answer: Answer, miss: str
) -> None:
    found = verdict(a_rule(when=when), answer, ended=ended)

    assert not found.matches
    assert said_by([found]) == {"page": miss}


GOOD = a_result("model.shop.orders", status=Status.GOOD)
WARNED = a_result("test.shop.unique_id.abc", status=Status.WARNED)


@pytest.mark.parametrize(
    ("answer", "succeeded", "warned", "clean"),
    [
        (Answer(), True, False, False),
        (Answer(results=(GOOD,)), True, False, False),
        (Answer(results=(GOOD,), is_complete=True), True, False, True),
        (Answer(results=(GOOD, WARNED), is_complete=True), True, True, False),
        (Answer(results=(WARNED,)), True, True, False),
        (Answer(run=RunDetails(steps=(CRASHED,))), True, True, False),
    ],
)
def test_warned_and_clean_match_only_what_is_proven(
    answer: Answer,
    succeeded: bool,  # noqa: FBT001 - a table
    warned: bool,  # noqa: FBT001
    clean: bool,  # noqa: FBT001
) -> None:
    matches = {
        word: verdict(a_rule(when={"outcome": word}), answer, ended=Outcome.SUCCEEDED).matches
        for word in ("succeeded", "warned", "clean")
    }

    assert matches == {"succeeded": succeeded, "warned": warned, "clean": clean}


def test_what_a_rule_matches_depends_on_that_rule_alone() -> None:
    answer = Answer(results=(WARNED,), is_complete=True)
    rules = [a_rule(name, when={"outcome": name}) for name in ("succeeded", "clean", "warned")]
    found = a_configuration(*rules)

    together = judged(found, found.rules, an_event(), Outcome.SUCCEEDED, answer)

    assert together == [verdict(rule, answer, ended=Outcome.SUCCEEDED) for rule in rules]


def test_a_warning_is_a_problem_only_to_a_rule_that_asks_for_warnings() -> None:
    answer = Answer(results=(WARNED,), is_complete=True)

    asked = verdict(a_rule(when={"outcome": "warned"}), answer, ended=Outcome.SUCCEEDED)
    told = verdict(a_rule(when={"outcome": "succeeded"}), answer, ended=Outcome.SUCCEEDED)

    assert (asked.level, list(asked.diagnosis.nodes)) == (Level.WARNING, [WARNED.unique_id])
    assert (told.level, list(told.diagnosis.nodes)) == (None, [])


def test_a_rule_with_nodes_lets_only_those_through() -> None:
    rule = a_rule(when={"nodes": {"tag": "finance"}})

    found = verdict(rule, Answer(results=(FINANCE, MARKETING)))

    assert list(found.diagnosis.nodes) == ["model.shop.orders"]


def test_a_node_that_could_not_be_looked_up_is_let_through() -> None:
    rule = a_rule(when={"nodes": {"tag": "finance"}})

    found = verdict(rule, Answer(results=(MARKETING, NOT_LOOKED_UP)))

    assert list(found.diagnosis.nodes) == ["model.shop.unknown"]


def test_beside_nodes_that_are_the_rules_for_certain_those_not_looked_up_are_only_counted() -> None:
    rule = a_rule(when={"nodes": {"tag": "finance"}})

    found = verdict(rule, Answer(results=(FINANCE, MARKETING, NOT_LOOKED_UP)))

    assert list(found.diagnosis.nodes) == ["model.shop.orders"]
    assert found.diagnosis.notes == (
        "1 more failed or warned that could not be looked up: they may belong here",
    )
    assert not found.is_guess


@pytest.mark.parametrize("nodes", [{"kind": "model"}, {"name": "*", "kind": "model"}])
def test_nodes_not_looked_up_stay_where_a_rule_asks_for_nothing_else_than_their_ids(
    nodes: dict[str, str],
) -> None:
    found = verdict(a_rule(when={"nodes": nodes}), Answer(results=(FINANCE, NOT_LOOKED_UP)))

    assert list(found.diagnosis.nodes) == ["model.shop.orders", "model.shop.unknown"]
    assert found.diagnosis.notes == ()
    assert not found.is_guess


@pytest.mark.parametrize(("others", "is_guess"), [((), False), ((MARKETING,), True)])
def test_nodes_are_a_guess_where_only_others_of_the_run_could_be_looked_up(
    others: tuple[Any, ...],
    is_guess: bool,  # noqa: FBT001 - a table
) -> None:
    rule = a_rule(when={"nodes": {"tag": "finance"}})

    assert verdict(rule, Answer(results=(NOT_LOOKED_UP, *others))).is_guess is is_guess
    assert not verdict(a_rule(), Answer(results=(NOT_LOOKED_UP, *others))).is_guess


NODES = [{"tag": "finance"}, {"kind": "test"}, {"name": "x", "owner": "!y"}, {"path": "models/*"}]


@pytest.mark.parametrize("nodes", NODES)
@pytest.mark.parametrize(
    "answer",
    [
        Answer(),
        Answer(was_down=True),
        Answer(is_final=False),
        Answer(is_complete=True),
        Answer(results=(GOOD,), is_complete=True),
        Answer(run=RunDetails(outcome=Outcome.FAILED, steps=(CRASHED,))),
    ],
)
def test_a_failure_of_unknown_nodes_matches_whatever_nodes_a_rule_is_about(
    nodes: dict[str, str], answer: Answer
) -> None:
    found = verdict(a_rule(when={"nodes": nodes}), answer)

    assert found.matches
    assert not found.diagnosis.is_known


def test_a_failed_step_that_no_known_node_explains_may_be_about_the_nodes_of_a_rule() -> None:
    stale = a_result("source.shop.raw.orders", tags=("raw",), is_described=True)
    answer = Answer(results=(stale,), run=RunDetails(steps=(CRASHED,)))

    found = verdict(a_rule(when={"nodes": {"tag": "finance"}}), answer)

    assert found.matches
    assert list(found.diagnosis.nodes) == []
    assert "boom" in found.diagnosis.text


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_warning_is_of_none_of_its_nodes_only_where_all_of_them_are_known(
    is_complete: bool,  # noqa: FBT001 - a table
) -> None:
    checkbox = RunDetails(steps=(Step(4, "dbt docs generate", failed=True, logs="boom"),))
    rule = a_rule(when={"outcome": "warned", "nodes": {"tag": "finance"}})

    found = verdict(
        rule,
        Answer(run=checkbox, results=(GOOD,), is_complete=is_complete),
        ended=Outcome.SUCCEEDED,
    )

    assert found.matches is not is_complete


TRIGGERS = [None, "!ci", "scheduled"]
EVENTS = [None, "completed", ["completed", "errored"]]


@pytest.mark.parametrize(
    ("trigger", "event", "nodes", "outcome"),
    list(product(TRIGGERS, EVENTS, [None, *NODES], ["failed", ["failed", "warned"]])),
)
def test_nothing_that_is_unknown_silences_a_failure(
    trigger: Any, event: Any, nodes: Any, outcome: Any
) -> None:
    asked = {"trigger": trigger, "event": event, "nodes": nodes}
    when = {key: value for key, value in asked.items() if value is not None}
    rule = a_rule(when={"outcome": outcome, "environment": "Production", **when})

    assert verdict(rule, Answer(), environmentName=None).matches


def test_an_override_sends_elsewhere_what_happens_in_its_environment() -> None:
    override = an_override("sandbox-people", "sandbox-oncall")

    there = verdict(a_rule(), overrides=(override,))
    elsewhere = verdict(a_rule(), overrides=(override,), environmentName="Staging")

    assert there.then == ("sandbox-people", "sandbox-oncall")
    assert elsewhere.then == ("oncall",)


def test_the_first_override_that_matches_holds() -> None:
    overrides = (
        an_override("sandbox-people", environment="Staging"),
        an_override("sandbox-oncall"),
        an_override("people", environment="*"),
    )

    assert verdict(a_rule(), overrides=overrides).then == ("sandbox-oncall",)


def test_people_stand_in_for_people_and_refreshes_for_refreshes() -> None:
    override = (an_override("sandbox-people", "sandbox-report"),)
    refresh = a_rule(when={"outcome": "succeeded"}, then=("report",))

    told = verdict(a_rule(), overrides=override)
    refreshed = verdict(refresh, ended=Outcome.SUCCEEDED, overrides=override)

    assert told.then == ("sandbox-people",)
    assert refreshed.then == ("sandbox-report",)


@pytest.mark.parametrize(
    ("rule", "ended", "instead", "then", "lost"),
    [
        (
            a_rule(when={"outcome": "succeeded"}, then=("report",)),
            Outcome.SUCCEEDED,
            "sandbox-people",
            (),
            "that refreshes",
        ),
        (
            a_rule(when={"outcome": "succeeded"}, then=("people", "report")),
            Outcome.SUCCEEDED,
            "sandbox-people",
            ("sandbox-people",),
            "that refreshes",
        ),
        (
            a_rule(when={"outcome": "succeeded"}, then=("people",)),
            Outcome.SUCCEEDED,
            "sandbox-oncall",
            (),
            "that can be told of it",
        ),
        (
            a_rule(then=("people",), alert=False),
            Outcome.FAILED,
            "sandbox-oncall",
            (),
            "that can be told of it",
        ),
        (
            a_rule(when={"outcome": "succeeded"}, then=("people", "report")),
            Outcome.SUCCEEDED,
            "sandbox-oncall",
            (),
            "that can be told of it nor one that refreshes",
        ),
    ],
)
def test_what_an_override_leaves_nowhere_to_go_is_said(
    rule: Rule, ended: Outcome, instead: str, then: tuple[str, ...], lost: str
) -> None:
    found = verdict(rule, ended=ended, overrides=(an_override(instead),))

    assert (found.matches, found.then) == (True, then)
    assert said_by([found])["page"] == f"matched, but its override has no destination {lost}"


def test_a_destination_that_is_named_twice_is_meant_once() -> None:
    rule = a_rule(then=("oncall", "people", "oncall"))

    assert verdict(rule).then == ("oncall", "people")
    assert verdict(rule, overrides=(an_override("people", "people"),)).then == ("people",)
