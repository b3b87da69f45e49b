"""Overlaps: what changes nothing because of what stands beside it, and never a false alarm."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from cli.history import Entry
from cli.rehearsal import Rehearsal
from shared.errors import Mistake
from subscriber import configuration, overlaps
from subscriber.configuration import Configuration
from subscriber.findings import Finding
from subscriber.rules import Override, Rule
from subscriber.run import Answer, Outcome, RunDetails, Status
from subscriber.yaml_lines import Lines, Place, parse
from tests.builders import NOW, a_body, a_result

HEAD = """\
version: 1
dbt_cloud: {token: env:TOKEN}
destinations:
  oncall: {kind: pagerduty, routing_key: env:KEY}
  chat: {kind: slack, webhook_url: env:CHAT}
  report: {kind: mode, workspace: acme, report: r1, token: env:T, secret: env:S}
rules:
"""
BASE = configuration.read(
    *parse(HEAD + "- {name: all, when: {outcome: failed}, then: [oncall]}\n", "f")
)
OWN = {"alert", "refresh", "title", "note", "severity"}
PAGE = {"name": "page", "when": {"outcome": "failed"}, "then": ["oncall", "chat"]}


def found(*rules: dict[str, Any], overrides: tuple[dict[str, Any], ...] = ()) -> list[Finding]:
    return overlaps.found(
        [Rule.model_validate(rule) for rule in rules],
        [Override.model_validate(each) for each in overrides],
        BASE.destinations,
        Lines("f", {("rules", i): Place(i + 1, 1) for i in range(len(rules))}),
    )


def said(*rules: dict[str, Any]) -> list[str]:
    """Where something is found, and the first words of what."""
    return [f"{each.key}: {each.what.partition(':')[0]}" for each in found(*rules)]


def a_rule(name: str = "finance", then: str = "chat", **keys: Any) -> dict[str, Any]:
    when = {"outcome": keys.pop("outcome", "failed")}
    alert = {key: keys.pop(key) for key in OWN & keys.keys()}
    return {"name": name, "when": {**when, **keys}, "then": [then], **alert}


NOTHING = "rules[1]: this rule changes nothing"


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(job="finance *"),
        a_rule(environment=["Production", "!prod eu"], trigger="!ci"),
        a_rule(nodes={"tag": "finance"}),
        a_rule(event="completed"),
        a_rule("again", "oncall", account=1),
    ],
)
def test_a_rule_whose_destinations_hear_of_its_runs_anyway_changes_nothing(
    rule: dict[str, Any],
) -> None:
    assert said(PAGE, rule) == [NOTHING]


def test_what_changes_nothing_is_said_with_the_rule_because_of_which() -> None:
    (finding,) = found(PAGE, a_rule(job="finance *"))

    assert str(finding) == (
        "f:2:1: rules[1]: this rule changes nothing: `page` has the same destinations for every "
        "run that it matches; leave it out, or give it other destinations"
    )


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(outcome=["failed", "warned"]),
        a_rule(event="errored"),
        a_rule(title="{job}: look"),
        a_rule(severity="critical"),
        a_rule(alert={"per": "node"}, nodes={"tag": "finance"}),
        a_rule(alert=False),
        a_rule(then="report", outcome="succeeded"),
    ],
)
def test_a_rule_that_adds_something_is_none(rule: dict[str, Any]) -> None:
    assert found(PAGE, rule) == []


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ({"job": "finance *"}, {"job": "finance daily"}, True),
        ({"job": "finance *"}, {"job": "name:Finance Daily"}, True),
        ({"job": "finance *"}, {"job": ["finance daily", 7]}, False),
        ({"job": ["*", "!sandbox"]}, {"job": "finance"}, True),
        ({"job": ["*", "!sandbox"]}, {"job": 7}, False),
        ({"job": ["*", "!sand*"]}, {"job": ["*", "!sandbox"]}, False),
        ({"job": ["*", "!sandbox"]}, {"job": ["*", "!sand*"]}, True),
        ({"trigger": "!ci"}, {"trigger": "scheduled"}, True),
        ({"trigger": "!ci"}, {}, False),
        ({"project": "Shop"}, {"environment": "Production"}, False),
        ({"event": ["errored", "completed"]}, {"event": "errored"}, True),
        ({"event": ["errored", "completed"]}, {}, False),
        ({"nodes": {"tag": "a"}}, {}, False),
        ({"nodes": {"tag": "a"}}, {"nodes": {"tag": "a"}}, True),
    ],
)
def test_a_rule_covers_another_only_where_that_is_certain(
    wide: dict[str, Any], narrow: dict[str, Any], *, is_covered: bool
) -> None:
    rules = a_rule("wide", **wide), a_rule("narrow", **narrow)

    assert (NOTHING in said(*rules)) is is_covered


def test_of_two_rules_that_say_the_same_the_one_below_is_too_many() -> None:
    assert said(a_rule("one"), a_rule("other")) == [NOTHING]


def test_a_narrow_rule_above_a_wide_one_changes_nothing_unless_its_alert_holds() -> None:
    narrow = a_rule("narrow", job="finance")

    assert said(narrow, PAGE) == ["rules[0]: this rule changes nothing"]
    assert said({**narrow, "alert": {"remind": "2h"}}, PAGE) == []


def test_an_alert_of_a_rule_below_a_wider_one_never_holds() -> None:
    (finding,) = found(PAGE, a_rule(job="finance *", alert={"remind": "2h"}))

    assert finding.key == "rules[1].alert"
    assert finding.what == (
        "this never holds: `page`, above, has the same destinations for every run that this rule "
        "matches, and the first `alert` holds; put this rule above it"
    )


def test_an_alert_that_is_the_same_takes_nothing_away() -> None:
    assert said(PAGE, a_rule(job="finance *", alert={"per": "job"})) == [NOTHING]


def test_an_alert_of_each_node_holds_beside_that_of_the_job() -> None:
    assert found(PAGE, a_rule(job="finance *", alert={"per": "node", "remind": "2h"})) == []


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({"outcome": ["failed", "warned", "succeeded"]}, {"outcome": "succeeded"}),
        ({"outcome": "succeeded"}, {"outcome": ["succeeded", "warned"]}),
        ({"alert": {"per": "node"}}, {"alert": {"per": "node"}, "nodes": {"tag": "a"}}),
        ({"alert": {"per": "job"}}, {"alert": {"per": "run"}}),
        ({"alert": False}, {"alert": False, "nodes": {"tag": "a"}}),
    ],
)
def test_what_tells_otherwise_tells_something_else(
    wide: dict[str, Any], narrow: dict[str, Any]
) -> None:
    assert NOTHING not in said(a_rule("wide", **wide), a_rule("narrow", **narrow))


def test_a_title_above_another_is_the_first_and_holds() -> None:
    rules = [a_rule("narrow", job="x", title="A"), a_rule("other", title="B"), PAGE]

    assert "rules[0]: this rule changes nothing" not in said(*rules, a_rule("wide", title="A"))


def test_two_rules_together_may_leave_nothing_to_a_third() -> None:
    both = {**a_rule(job="finance"), "then": ["oncall", "chat"]}

    (finding,) = found(a_rule("one", "oncall"), a_rule("other", "chat"), both)

    assert "`one` and `other` have the same destinations" in finding.what


def test_who_else_hears_of_a_refresh_is_something() -> None:
    wide = a_rule("wide", "report", outcome="succeeded", refresh={"on_failure": ["chat"]})
    narrow = a_rule("narrow", "report", outcome="clean", job="marts")

    assert said(wide, narrow) == [NOTHING]
    assert said(wide, {**narrow, "refresh": {"on_failure": ["oncall"]}}) == []
    assert said(wide, {**narrow, "refresh": {"timeout": "7h"}}) == []


@pytest.mark.parametrize(
    ("first", "second", "never"),
    [
        ("dev*", "Development", True),
        ("dev*", ["dev eu", "dev us"], True),
        (["*", "!Production"], "dev", True),
        (["*", "!Production"], 55, False),
        ("dev", "dev*", False),
        ("dev", ["dev", "test"], False),
    ],
)
def test_an_override_below_a_wider_one_never_applies(
    first: Any, second: Any, *, never: bool
) -> None:
    overrides = tuple({"environment": each, "then": ["chat"]} for each in (first, second))

    keys = [each.key for each in found(PAGE, overrides=overrides)]

    assert keys == (["overrides[1]"] if never else [])


def test_what_is_found_is_a_warning_of_the_configuration() -> None:
    rules = "".join(f"- {{name: {n}, when: {{outcome: failed}}, then: [chat]}}\n" for n in "ab")

    warnings = configuration.read(*parse(HEAD + rules, "f")).warnings

    assert "f:9:3: rules[1]: this rule changes nothing: `a`" in "\n".join(map(str, warnings))


# Properties: what is said to change nothing is left out, and nothing has changed.

WORDS = ["failed", "warned", "succeeded", "clean"]
JOBS = ["Daily build", "daily*", "*", "7", "!Daily build", "!7", "name:daily build", "other"]
KEYS: dict[str, Any] = {
    "job": st.lists(st.sampled_from(JOBS), min_size=1, max_size=2),
    "environment": st.sampled_from(["Production", "prod*", "55", "!dev", ["*", "!55"]]),
    "trigger": st.sampled_from(["scheduled", "!ci", "ci", ["!ci", "!merge"]]),
    "event": st.sampled_from(["completed", "errored", ["errored", "completed"]]),
    "nodes": st.sampled_from([{"tag": "a"}, {"name": "orders"}, {"tag": ["*", "!a"]}]),
}


ALERTS = [{"per": "node"}, {"per": "run"}, {"remind": "1h"}, {"after": {"runs": 2}}, {}]
OUTCOMES = [["failed"], ["failed", "warned"], ["warned"], ["succeeded"], ["clean"], WORDS]


@st.composite
def rule(draw: st.DrawFn) -> dict[str, Any]:
    """Any rule that a configuration may have."""
    outcome = draw(st.sampled_from(OUTCOMES))
    is_problem = set(outcome) <= {"failed", "warned"}
    when: dict[str, Any] = {"outcome": outcome}
    for key in draw(st.sets(st.sampled_from(sorted(KEYS)), max_size=2)):
        if key != "nodes" or is_problem:
            when[key] = draw(KEYS[key])
    told = ["oncall", "chat"] if is_problem else ["chat"]
    others = ["report"] if "failed" not in outcome else []
    then = draw(st.lists(st.sampled_from([*told, *others]), min_size=1, max_size=2, unique=True))
    found: dict[str, Any] = {"when": when, "then": then}
    if is_problem and draw(st.booleans()):
        found["alert"] = draw(st.sampled_from([*ALERTS, False] if then == ["chat"] else ALERTS))
    if draw(st.sampled_from([False, False, True])):
        found |= draw(st.sampled_from([{"title": "{job}"}, {"severity": "info"}, {"note": "x"}]))
    if then == ["report"] and draw(st.booleans()):
        found["refresh"] = {"on_failure": ["chat"]}
    return found


@st.composite
def related(draw: st.DrawFn) -> tuple[Rule, ...]:
    """Three rules that are alike, but for one thing or another: most of what is found is so."""
    first = draw(rule())
    rules = [first]
    for _ in range(2):
        base, other = draw(st.sampled_from(rules)), draw(rule())
        made = {**base, "when": dict(base["when"])}
        for key in draw(
            st.sets(st.sampled_from(["when", "alert", "words", "outcome"]), max_size=2)
        ):
            if key == "outcome":
                made["when"]["outcome"] = draw(st.sampled_from(OUTCOMES))
            elif key == "when":
                name = draw(st.sampled_from(sorted(KEYS)))
                made["when"].pop(name, None)
                made["when"] |= draw(st.sampled_from([{}, {name: draw(KEYS[name])}]))
            elif key == "alert":
                made["alert"] = draw(st.sampled_from(ALERTS))
            else:
                words = {
                    word: other[word] for word in ("title", "note", "severity") if word in other
                }
                made = {k: v for k, v in made.items() if k not in ("title", "note", "severity")}
                made |= words
        rules.append(made)
    draw(st.randoms(use_true_random=False)).shuffle(rules)
    named = [{**each, "name": f"rule {number}"} for number, each in enumerate(rules)]
    content = {
        "version": 1,
        "dbt_cloud": {"token": "env:TOKEN"},
        "destinations": {
            name: each.as_written() | {"kind": each.kind()}
            for name, each in BASE.destinations.items()
        },
        "rules": named,
    }
    try:
        return configuration.read(content, Lines("f")).rules
    except Mistake:
        reject()


NODES = [
    a_result("model.shop.orders", tags=("a",), is_described=True, path="models/orders.sql"),
    a_result("model.shop.items", tags=("b",), is_described=True, path="models/items.sql"),
    a_result("model.shop.other"),
]
FAILURES = st.builds(
    lambda nodes, trigger: Answer(
        results=tuple(nodes),
        is_complete=True,
        run=RunDetails(outcome=Outcome.FAILED, trigger=trigger) if trigger is not None else None,
    ),
    st.lists(st.sampled_from(NODES), unique_by=lambda each: each.unique_id),
    st.sampled_from([None, "", "scheduled", "ci"]),
)
GOOD = st.sampled_from(
    [
        Answer(is_complete=True),
        Answer(),
        Answer(results=(replace(NODES[0], status=Status.WARNED, said="warn"),), is_complete=True),
    ]
)
RUNS = st.lists(
    st.tuples(
        st.sampled_from([("7", "Daily build"), ("8", "other"), ("8", "")]),
        st.sampled_from([("55", "Production"), ("56", "dev"), ("56", "")]),
        st.one_of(
            st.tuples(st.sampled_from(["completed", "errored"]), st.just(20), FAILURES),
            st.tuples(st.just("completed"), st.just(10), GOOD),
        ),
    ),
    min_size=1,
    max_size=4,
)


def told(kept: Configuration, runs: list[Any]) -> list[Any]:
    """All that is told of `runs`, one after the other, by whichever rules."""
    rehearsal = Rehearsal(kept, NOW)
    for number, (job, environment, (kind, code, answer)) in enumerate(runs):
        body = a_body(
            run_id=100 + number,
            event_id=f"wev_{number}",
            event_type=f"job.run.{kind}",
            status="Errored" if code == 20 else "Success",
            code=code,
            job_id=job[0],
            jobName=job[1],
            environmentId=environment[0],
            environmentName=environment[1],
        )
        rehearsal.hear(Entry(body, answer), rehearsal.now)
        rehearsal.until(rehearsal.now + timedelta(minutes=50))
    return sorted(((each.at, each.action) for each in rehearsal.told), key=str)


@settings(max_examples=200, deadline=None)
@given(related(), RUNS)
def test_what_is_said_to_change_nothing_changes_nothing(
    three: tuple[Rule, ...], runs: list[Any]
) -> None:
    kept = replace(BASE, rules=three)

    for finding in overlaps.found(three, (), BASE.destinations, Lines("f")):
        index = int(finding.key[6])
        if finding.key.endswith(".alert"):
            plain = three[index].model_copy(update={"alert": _another(three[index])})
            without = [*three[:index], plain, *three[index + 1 :]]
        else:
            without = [*three[:index], *three[index + 1 :]]
        assert told(replace(BASE, rules=tuple(without)), runs) == told(kept, runs)


def _another(rule: Rule) -> Any:
    """The alert of `rule` with settings that would be seen if they held."""
    assert rule.alert is not None
    return rule.alert.model_copy(update={"remind": timedelta(minutes=10)})
