"""Checks: what is wrong with rules though every key of them is right."""

from functools import cache
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.errors import Mistake
from subscriber import configuration
from subscriber.actions import Verb
from subscriber.checks import typos
from subscriber.configuration import Configuration
from subscriber.episodes import action_key
from subscriber.rules import Rule, said
from subscriber.run import Outcome
from subscriber.yaml_lines import Lines, parse
from tests.builders import an_event

BASE: dict[str, Any] = {
    "version": 1,
    "dbt_cloud": {"token": "env:TOKEN"},
    "destinations": {
        "oncall": {"kind": "pagerduty", "routing_key": "env:KEY"},
        "report": {
            "kind": "mode",
            "workspace": "acme",
            "report": "r1",
            "token": "env:T",
            "secret": "env:S",
        },
    },
}
FAILED = {"name": "page", "when": {"outcome": "failed"}, "then": ["oncall"]}
SUCCEEDED = {"name": "refresh", "when": {"outcome": "succeeded"}, "then": ["report"]}


def read(*rules: dict[str, Any], **keys: Any) -> Configuration:
    """A configuration of these rules, and one for each destination that they leave unused."""
    named = {name for rule in rules for name in rule["then"]}
    rest = [each for each in (FAILED, SUCCEEDED) if not named & set(each["then"])]
    beside = [{**each, "name": f"{each['name']}, beside"} for each in rest]
    content = {**BASE, **keys, "rules": [*rules, *beside]}
    return configuration.read(*parse(yaml.safe_dump(content, sort_keys=False), "f"))


def mistakes(*rules: dict[str, Any], **keys: Any) -> list[str]:
    """Key and text of each mistake."""
    try:
        read(*rules, **keys)
    except Mistake as mistake:
        return [line.split(": ", 1)[1] for line in str(mistake).splitlines()]
    return []


def a_rule(then: str = "oncall", alert: Any = None, **when: Any) -> dict[str, Any]:
    rule = {"name": "a rule", "when": {"outcome": "failed", **when}, "then": [then]}
    return rule if alert is None else {**rule, "alert": alert}


LEFT_OUT = "this can never match: it leaves out all that it asks for"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (a_rule(job=["a", "!A"]), f"rules[0].when.job: {LEFT_OUT}"),
        (a_rule(project="!*"), f"rules[0].when.project: {LEFT_OUT}"),
        (a_rule(trigger=["ci", "!ci"]), f"rules[0].when.trigger: {LEFT_OUT}"),
        (a_rule(environment=["prod eu", "!prod*"]), f"rules[0].when.environment: {LEFT_OUT}"),
        (a_rule(nodes={"tag": ["a", "!a"]}), f"rules[0].when.nodes.tag: {LEFT_OUT}"),
        (a_rule(nodes={"name": "!*"}), f"rules[0].when.nodes.name: {LEFT_OUT}"),
        (
            a_rule(account=2),
            "rules[0].when.account: this can never match: it is none of `dbt_cloud: accounts`",
        ),
        (
            a_rule(job=["a", "99999999999999999999"]),
            (
                "rules[0].when.job[1]: this can never match: digits alone are an id, and none "
                "looks so; a name is written `name:...`"
            ),
        ),
        (
            a_rule(job="007"),
            (
                "rules[0].when.job: this can never match: digits alone are an id, and none "
                "looks so; a name is written `name:...`"
            ),
        ),
        (
            a_rule(event="started"),
            (
                "rules[0].when.event: this can never match: "
                "a run that failed is told by `errored` and `completed` only"
            ),
        ),
        (
            a_rule(event=["errored", "started"]),
            ("rules[0].when.event[1]: this can never match: `started` tells of no run that failed"),
        ),
        (
            a_rule("report", outcome=["succeeded", "clean"], event="errored"),
            (
                "rules[0].when.event: this can never match: "
                "a run that succeeded is told by `completed` only\n"
                "rules[0].when.event: this can never match: "
                "a run that was clean is told by `completed` only"
            ),
        ),
        (
            a_rule("report", outcome="succeeded", nodes={"tag": "a"}),
            (
                "rules[0].when.nodes: nodes are looked at when a run failed or warned, "
                "not when it succeeded\n"
                "rules[0].when.nodes: `report` refreshes on good data only: "
                "nodes are looked at when a run failed or warned"
            ),
        ),
        (
            a_rule(alert=False),
            (
                "rules[0].alert: `oncall` opens an alert for a problem and closes it when it is "
                "over: it cannot tell each run by itself; leave `alert: false` out"
            ),
        ),
        (
            a_rule("report", outcome="succeeded", alert={"per": "run"}),
            "rules[0].alert: none of its destinations alerts or tells; leave this out",
        ),
        (
            {**a_rule(), "then": ["oncall", "oncall"]},
            "rules[0].then[1]: this destination stands here twice; it is told once",
        ),
        (
            {**FAILED, "name": "refresh, beside"},
            "rules[1].name: another rule has this name",
        ),
    ],
)
def test_a_rule_that_can_never_do_what_it_says_is_a_mistake(
    rule: dict[str, Any], said: str
) -> None:
    dbt_cloud = {"token": "env:TOKEN", "accounts": [1]}

    assert mistakes(rule, dbt_cloud=dbt_cloud) == said.split("\n")


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(job=["a*", "!ab"]),
        a_rule(trigger=["!ci", "!merge"]),
        a_rule(account=[1, 2]),
        a_rule(account="!2"),
        a_rule(event=["errored", "completed"]),
        a_rule(outcome=["failed", "warned"], nodes={"kind": "test", "tag": ["a", "!b"]}),
        a_rule(nodes={"owner": "!*"}),
        a_rule(nodes={"tag": ["!*"], "group": "!*"}),
        a_rule(nodes={"tag": "007"}),
        a_rule(job="name:99999999999999999999"),
        a_rule("report", outcome=["succeeded", "clean", "warned"]),
        a_rule("report", outcome="clean", event="completed"),
    ],
)
def test_a_rule_that_can_do_what_it_says_is_none(rule: dict[str, Any]) -> None:
    assert mistakes(rule, dbt_cloud={"token": "env:TOKEN", "accounts": [1]}) == []


WORDS = ["failed", "succeeded", "warned", "clean", "started", "cancelled"]
ACTS_ON = {"oncall": {"failed", "warned"}, "report": {"succeeded", "clean", "warned"}}


@pytest.mark.parametrize(("word", "name"), list(product(WORDS, ACTS_ON)))
def test_a_kind_is_asked_only_for_what_it_can_do(word: str, name: str) -> None:
    found = mistakes(a_rule(name, outcome=word))

    assert (found == []) is (word in ACTS_ON[name])
    assert all(f"`{name}`" in said and "ask for" in said for said in found)


def test_a_refresh_under_a_rule_for_failures_is_a_mistake() -> None:
    assert mistakes(a_rule("report")) == [
        (
            "rules[0].when.outcome: `report` refreshes on good data only: "
            "it has nothing to do when a run failed; ask for succeeded or clean or warned"
        )
    ]


def a_refresh(then: str = "report", outcome: str = "succeeded", **refresh: Any) -> dict[str, Any]:
    when = {"outcome": outcome}
    return {"name": "refreshes", "when": when, "refresh": refresh, "then": [then]}


def test_who_hears_of_a_refresh_is_used_though_no_rule_names_it_otherwise() -> None:
    rule = {**SUCCEEDED, "refresh": {"on_failure": ["oncall"]}}
    content = {**BASE, "rules": [rule]}

    found = configuration.read(*parse(yaml.safe_dump(content, sort_keys=False), "f"))

    assert found.warnings == ()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            a_refresh(on_failure=["nobody"]),
            "rules[0].refresh.on_failure[0]: no destination bears this name",
        ),
        (
            a_refresh(on_failure=["report"]),
            "rules[0].refresh.on_failure[0]: this refreshes; name what alerts or tells people",
        ),
        (
            a_refresh("oncall", "failed", on_failure=["oncall"]),
            "rules[0].refresh: none of its destinations refreshes; leave this out",
        ),
        (a_refresh(timeout="1m"), "rules[0].refresh.timeout: write a duration from 5m to 24h"),
        (a_refresh(timeout="25h"), "rules[0].refresh.timeout: write a duration from 5m to 24h"),
        (a_refresh(on_failure=[]), "rules[0].refresh.on_failure: this list is empty"),
    ],
)
def test_who_hears_of_a_refresh_that_could_not_be_meant_is_a_mistake(
    rule: dict[str, Any], said: str
) -> None:
    found = mistakes(rule)

    assert len(found) == 1
    assert found[0].startswith(said)


EVENTS = {"completed": [20, 10, 30], "errored": [20], "started": [3]}


@pytest.mark.parametrize(("outcome", "event"), list(product(WORDS, EVENTS)))
def test_what_is_said_never_to_match_never_does(outcome: str, event: str) -> None:
    name = "report" if outcome == "succeeded" else "oncall"
    rule = a_rule(name, outcome=outcome, event=event)
    found = " ".join(mistakes(rule))

    told = {
        word
        for code in EVENTS[event]
        for warned in (True, False)
        for word in said(_ended(code), warned=warned)
    }

    assert ("this can never match" in found) is (outcome not in told)


def _ended(code: int) -> Outcome:
    endings = {3: Outcome.STARTED, 10: Outcome.SUCCEEDED, 20: Outcome.FAILED}
    return endings.get(code, Outcome.CANCELLED)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            {"environment": "dev", "then": ["oncal"]},
            "overrides[0].then[0]: no destination bears this name; did you mean `oncall`?",
        ),
        (
            {"environment": ["dev", "!d*"], "then": ["oncall"]},
            f"overrides[0].environment: {LEFT_OUT}",
        ),
        (
            {"environment": "dev", "then": ["report"]},
            (
                "overrides[0].then: failures there would be told to nobody; "
                "name one that alerts or tells as well"
            ),
        ),
        (
            {"environment": "dev", "then": ["oncall", "oncall"]},
            "overrides[0].then[1]: this destination stands here twice; it is told once",
        ),
        (
            {"environment": "dev", "then": []},
            "overrides[0].then: this list is empty; write at least one",
        ),
        ({"then": ["oncall"]}, "overrides[0]: `environment` is missing"),
    ],
)
def test_an_override_that_could_not_be_meant_is_a_mistake(
    override: dict[str, Any], said: str
) -> None:
    assert mistakes(FAILED, overrides=[override]) == [said]


def test_a_destination_that_only_an_override_names_is_used() -> None:
    content = {
        **BASE,
        "destinations": {
            "oncall": BASE["destinations"]["oncall"],
            "sandbox": {"kind": "pagerduty", "routing_key": "env:SANDBOX"},
        },
        "rules": [FAILED],
        "overrides": [{"environment": "dev", "then": ["sandbox"]}],
    }

    assert configuration.read(*parse(yaml.safe_dump(content), "f")).warnings == ()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            a_rule(trigger="schedule"),
            "rules[0].when.trigger: dbt has no such word; did you mean `scheduled`?",
        ),
        (
            a_rule(trigger=["!ci", "!merged"]),
            "rules[0].when.trigger[1]: dbt has no such word; did you mean `merge`?",
        ),
        (
            a_rule(nodes={"kind": "tests"}),
            "rules[0].when.nodes.kind: dbt has no such word; did you mean `test`?",
        ),
    ],
)
def test_a_word_that_dbt_does_not_use_is_worth_a_warning(rule: dict[str, Any], said: str) -> None:
    (warning,) = read(rule).warnings

    assert f"{warning.key}: {warning.what}" == said


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(trigger=["SCHEDULED", "job *", "!ci"]),
        a_rule(nodes={"kind": ["*test", "name:model"]}),
    ],
)
def test_words_and_globs_of_dbt_are_not(rule: dict[str, Any]) -> None:
    assert read(rule).warnings == ()


def found_typos(pattern: Any, *, key: str = "environment", **told: Any) -> list[str]:
    found = read(a_rule(**{key: pattern}))
    assert found.lines
    said = typos(found.rules, found.overrides, found.lines, [an_event(**told)])
    return [f"{each.key}: {each.what}" for each in said]


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("Productoin", "Production", "Production"),
        ("productoin", "Production", "Production"),
        ("name:Productoin", "Production", "Production"),
        ("Prodcution*", "Production EU", "Production EU"),
        ("*Prodcution", "EU Production", "EU Production"),
        ("!Productoin", "Production", "Production"),
        (2024, "2024", "name:2024"),
    ],
)
def test_a_pattern_that_almost_matches_what_happened_is_a_typo(
    pattern: Any, name: str, meant: str
) -> None:
    assert found_typos(pattern, environmentName=name) == [
        (
            "rules[0].when.environment: no environment of the last events matches; "
            f"did you mean `{meant}`?"
        )
    ]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("Production", "Production"),
        ("PROD*", "Production"),
        ("!Production", "Production"),
        ("Staging", "Production"),
        ("Sta*", "Production"),
        ("*ing", "Production"),
        ("*", "Production"),
        (55, "Production"),
        (56, "Production"),
        ("ab", "ac"),
        ("Production", ""),
    ],
)
def test_a_pattern_that_matches_or_looks_like_nothing_is_none(pattern: Any, name: str) -> None:
    assert found_typos(pattern, environmentName=name) == []


@pytest.mark.parametrize(("key", "told"), [("job", "jobName"), ("project", "projectName")])
def test_names_of_jobs_and_projects_are_compared_too(key: str, told: str) -> None:
    (said,) = found_typos(["Revenue marst"], key=key, **{told: "Revenue marts"})

    assert said == (
        f"rules[0].when.{key}[0]: no {key} of the last events matches; "
        "did you mean `Revenue marts`?"
    )


def test_without_events_there_are_no_typos() -> None:
    found = read(a_rule(environment="Productoin"))

    assert found.lines
    assert typos(found.rules, found.overrides, found.lines, []) == []


def test_the_environments_of_overrides_are_compared_too() -> None:
    found = read(FAILED, overrides=[{"environment": "Devlopment", "then": ["oncall"]}])

    assert found.lines
    (said,) = typos(
        found.rules, found.overrides, found.lines, [an_event(environmentName="Development")]
    )

    assert said.key == "overrides[0].environment"


@given(st.text(min_size=1, max_size=12), st.text(max_size=12))
def test_no_pattern_and_no_name_is_too_odd_to_be_compared(pattern: str, name: str) -> None:
    try:
        rule = Rule.model_validate(a_rule(job=[f"name:{pattern}", f"*{pattern}", pattern]))
    except ValidationError:
        return

    said = typos([rule], [], Lines("f"), [an_event(jobName=name)])

    assert all(each.key.startswith("rules[0].when.job") for each in said)


@cache
def is_taken(name: str) -> bool:
    """Whether a destination may bear this name."""
    content = {**BASE, "destinations": {name: BASE["destinations"]["oncall"]}}
    content["rules"] = [{**FAILED, "then": [name]}]
    try:
        configuration.read(*parse(yaml.safe_dump(content), "f"))
    except Mistake:
        return False
    return True


SUBJECTS = st.sampled_from(["job/7", "job/1", "run/7", "node/a", "node/a/node/b", "node/b/node/b"])
ACTIONS = st.tuples(
    st.sampled_from(["oncall", "a", "a/node/a", "a/job/7", "job", "event", "a b", "node"]),
    SUBJECTS,
    st.sampled_from(["7", "1"]),
    st.sampled_from([Verb.OPEN, Verb.TELL]),
    st.integers(1, 2),
)


@given(ACTIONS, ACTIONS)
def test_two_actions_never_have_one_key_at_destinations_that_may_be_named(
    one: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    if is_taken(one[0]) and is_taken(other[0]):
        assert (action_key("1", *one) == action_key("1", *other)) is (one == other)


def test_with_a_slash_in_a_name_two_actions_could_have_one_key() -> None:
    one = action_key("1", "a", "node/a/node/b", "7", Verb.OPEN)
    other = action_key("1", "a/node/a", "node/b", "7", Verb.OPEN)

    assert one == other
    assert is_taken("a")
    assert not is_taken("a/node/a")
