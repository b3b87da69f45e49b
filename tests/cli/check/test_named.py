"""Names in a configuration that nothing in the account bears."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.check.named import strangers
from subscriber.dbt_cloud.account import Named, Names
from subscriber.patterns import Patterns
from subscriber.rules import Override, Rule
from subscriber.yaml_lines import Lines, Place


def named(*rows: tuple[str, str, str]) -> dict[str, Named]:
    return {id_: Named(id_, name, parent) for id_, name, parent in rows}


ACCOUNT = Names(
    projects=named(("9", "Shop", ""), ("10", "Finance", "")),
    environments=named(("55", "Production", "9"), ("56", "Staging", "9"), ("57", "Live", "10")),
    jobs=named(("7", "Daily build", "9"), ("8", "Monthly close", "10"), ("9", "2024", "9")),
)


def said(accounts: dict[str, Names] | None = None, **when: Any) -> list[str]:
    rule = Rule.model_validate({"name": "a", "when": {"outcome": "failed", **when}, "then": ["x"]})
    found = strangers([rule], [], accounts or {"1": ACCOUNT}, Lines("f"))
    return [f"{each.key}: {each.what}" for each in found]


@pytest.mark.parametrize(
    "when",
    [
        {"job": ["Daily build", "daily BUILD", 7, "name:2024", "name:daily build", "x*", "[ab]"]},
        {"job": "!monthly close"},
        {"environment": [55, "live"], "project": ["Shop", 10]},
        {"project": "Shop", "environment": "Production", "job": "Daily build"},
        {"project": "!Finance", "environment": "Staging"},
        {"account": 1},
        {"trigger": "anything"},
    ],
)
def test_what_something_bears_and_what_is_a_glob_is_right(when: dict[str, Any]) -> None:
    assert said(**when) == []


@pytest.mark.parametrize(
    ("when", "finding"),
    [
        ({"job": "Dialy build"}, "job: no job bears this name; did you mean `Daily build`?"),
        ({"job": "!Dialy build"}, "job: no job bears this name; did you mean `Daily build`?"),
        ({"job": 2024}, "job: no job has this id; did you mean `name:2024`?"),
        ({"job": "build"}, "job: no job bears this name; did you mean `Daily build`?"),
        (
            {"job": 77},
            "job: no job has this id; there are: 2024, Daily build, Monthly close",
        ),
        (
            {"environment": "UAT"},
            "environment: no environment bears this name; there are: Live, Production, Staging",
        ),
        (
            {"project": "Shop", "environment": "Live"},
            "environment: this environment is not of the `project` of the rule, but of `Finance`",
        ),
        (
            {"project": "Finance", "job": 7},
            "job: this job is not of the `project` of the rule, but of `Shop`",
        ),
        ({"project": "Shops"}, "project: no project bears this name; did you mean `Shop`?"),
        ({"account": 2}, "account: the token sees no such account, only 1"),
        ({"account": "!2"}, "account: the token sees no such account, only 1"),
    ],
)
def test_what_nothing_bears_is_said_with_what_may_be_meant(
    when: dict[str, Any], finding: str
) -> None:
    assert said(**when) == [f"rules[0].when.{finding}"]


def test_a_project_that_is_not_there_is_said_once() -> None:
    assert len(said(project="Shpo", environment="Production", job="Daily build")) == 1


def test_of_several_accounts_those_that_the_rule_is_for_are_looked_at() -> None:
    both = {"1": ACCOUNT, "2": Names(named(("3", "Other", "")), {}, named(("4", "Mine", "3")))}

    assert said(both, job="Mine") == []
    assert said(both, account=2, job="Mine") == []
    assert len(said(both, account=1, job="Mine")) == 1


def test_what_the_token_may_not_list_is_not_compared() -> None:
    blind = Names(ACCOUNT.projects, {}, {}, hidden=("environments", "jobs"))

    assert said({"1": blind}, project="Shpo", environment="x", job="y") == [
        "rules[0].when.project: no project bears this name; did you mean `Shop`?"
    ]


def test_overrides_are_compared_too_and_each_has_its_place() -> None:
    override = Override.model_validate({"environment": ["dev*", "Stagin"], "then": ["x"]})
    place = ("overrides", 0, "environment", 1)

    (found,) = strangers([], [override], {"1": ACCOUNT}, Lines("f", {place: Place(9, 24)}))

    assert str(found) == (
        "f:9:24: overrides[0].environment[1]: no environment bears this name; "
        "did you mean `Staging`?"
    )


@given(st.sampled_from(sorted(ACCOUNT.jobs)), st.text(min_size=1, max_size=8))
def test_a_name_of_the_account_is_never_a_stranger(id_: str, name: str) -> None:
    jobs = {**ACCOUNT.jobs, id_: Named(id_, name, "9")}
    try:
        rule = Rule.model_validate(
            {"name": "a", "when": {"outcome": "failed", "job": f"name:{name}"}, "then": ["x"]}
        )
    except ValueError:
        return
    is_borne = Patterns(rule.when.job.written if rule.when.job else ()).match(id=id_, name=name)

    found = strangers([rule], [], {"1": Names(ACCOUNT.projects, {}, jobs)}, Lines("f"))

    assert not (is_borne and found)
