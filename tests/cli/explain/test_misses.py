"""Whatever keeps a rule from matching is said, with what the rule asks for and what is so."""

from itertools import product
from typing import Any

import pytest

from cli import sample
from cli.explain.misses import misses
from shared.event import read
from subscriber import configuration
from subscriber.configuration import Configuration
from subscriber.matching import Verdict, judged
from subscriber.run import Answer, outcome
from subscriber.yaml_lines import parse
from tests.builders import a_body, a_result, an_event

WHENS = [
    "outcome: failed",
    "outcome: [clean, warned]",
    "outcome: succeeded, job: Nightly*",
    "outcome: [failed, warned], job: 7",
    "outcome: [failed, warned], project: Shop, environment: Staging",
    "outcome: failed, account: 5, event: errored",
    'outcome: failed, trigger: ["!ci", "!merge"]',
    "outcome: [failed, warned], nodes: {tag: finance}",
    'outcome: [failed, warned], nodes: {kind: test, owner: "!Assortment", path: models/x/*}',
    "outcome: [started, cancelled]",
]


def a_configuration(when: str) -> Configuration:
    rules = (
        "version: 1\ndbt_cloud: {token: env:TOKEN}\n"
        "destinations: {people: {kind: slack, webhook_url: env:URL}}\n"
        f"rules: [{{name: it, when: {{{when}}}, then: [people]}}]\n"
    )
    return configuration.read(*parse(rules, "rules.yaml"))


def said(when: str, body: bytes, answer: Answer) -> tuple[Verdict, list[str]]:
    event = read(body)
    ended = outcome(event)
    found = a_configuration(when)
    (verdict,) = judged(found, found.rules, event, ended, answer)
    return verdict, misses(verdict, event, ended, answer)


@pytest.mark.parametrize(("name", "when"), [*product(sample.names(), WHENS)])
def test_a_rule_misses_if_and_only_if_something_is_said(name: str, when: str) -> None:
    entry = sample.load(name)

    verdict, reasons = said(when, entry.body, entry.answer)

    assert bool(reasons) is not verdict.matches
    assert all(reasons)


@pytest.mark.parametrize(
    ("when", "event", "reasons"),
    [
        ("outcome: succeeded", {}, ["the run failed; the rule asks for succeeded"]),
        (
            "outcome: failed, job: [8, Hourly*], environment: Staging",
            {},
            [
                "the environment is Production (55); the rule asks for Staging",
                "the job is Daily build (7); the rule asks for 8 or Hourly*",
            ],
        ),
        (
            "outcome: failed, event: completed",
            {"event_type": "job.run.errored"},
            ["the event is `errored`; the rule asks for completed"],
        ),
        ("outcome: failed, account: [5, 6]", {}, ["the account is 1; the rule asks for 5 or 6"]),
        ("outcome: clean", {"code": 30}, ["the run was cancelled; the rule asks for clean"]),
        (
            "outcome: clean",
            {"code": 10},
            ["the run succeeded, and whether it warned is not known; the rule asks for clean"],
        ),
        (
            'outcome: failed, nodes: {tag: [daily, "!tmp", "!old"]}',
            {},
            ["model orders: its tag is none; the rule asks for daily, not tmp or old"],
        ),
        (
            "outcome: failed, nodes: {kind: model, name: orders, group: finance}",
            {},
            ["model orders: its group is none; the rule asks for finance"],
        ),
    ],
)
def test_it_says_what_is_so_and_what_is_asked_for(
    when: str, event: dict[str, Any], reasons: list[str]
) -> None:
    failed = (a_result(is_described=True),)
    answer = Answer(results=failed if event.get("code", 20) == 20 else ())

    assert said(when, a_body(**event), answer)[1] == reasons


def test_of_many_nodes_only_the_first_are_explained() -> None:
    nodes = tuple(a_result(f"model.shop.m{i}", is_described=True) for i in range(5))

    _, reasons = said("outcome: failed, nodes: {tag: x}", a_body(), Answer(results=nodes))

    assert len(reasons) == 4
    assert reasons[-1] == "and 2 more nodes that it is not about"


def test_an_event_that_does_not_tell_a_name_keeps_no_rule_from_matching() -> None:
    assert an_event(environmentName="").environment_name == ""

    verdict, reasons = said(
        "outcome: failed, environment: Staging", a_body(environmentName=""), Answer()
    )

    assert verdict.matches
    assert reasons == []
