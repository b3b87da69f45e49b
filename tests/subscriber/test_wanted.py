"""Wanted: the alerts that rules want of a run, by destination and subject."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from subscriber.configuration import Configuration, DbtCloudSettings
from subscriber.episodes import Bad, Episode
from subscriber.matching import judged
from subscriber.rules import Alert, Rule
from subscriber.run import Answer, Level, Outcome, Result, Status
from subscriber.states import SIZE_LIMIT_BYTES, Slot, State
from subscriber.wanted import (
    BY_NODES_LIMIT,
    EPISODES_LIMIT,
    NODE_EPISODES,
    RUN_EPISODES,
    Wanted,
    wanted,
)
from tests.builders import NOW, a_result, an_event
from tests.fakes import FakeAlerts, FakePeople, FakeReports

JOB = ("oncall", "job/7")
FINANCE = a_result("model.shop.orders", tags=("finance",), is_described=True)
MARKETING = a_result("model.shop.campaigns", tags=("marketing",), is_described=True)
SKIPPED = a_result("model.shop.later", status=Status.SKIPPED)
BOTH = (FINANCE, MARKETING)


def a_rule(name: str = "page", then: str = "oncall", **fields: Any) -> Rule:
    when = {"outcome": "failed", **fields.pop("when", {})}
    return Rule.model_validate({"name": name, "when": when, "then": [then], **fields})


def of_nodes(*nodes: str, **fields: Any) -> Episode:
    return Episode(
        NOW,
        90,
        Level.FAILURE,
        Alert(),
        by_nodes=True,
        nodes={node: Bad(90, "") for node in nodes},
        **fields,
    )


def failed(count: int) -> tuple[Result, ...]:
    return tuple(a_result(f"model.shop.m{number}") for number in range(count))


def asked(
    *rules: Rule,
    results: tuple[Result, ...] = BOTH,
    state: State | None = None,
    ended: Outcome = Outcome.FAILED,
    answer: Answer | None = None,
) -> Mapping[Slot, Wanted]:
    found = Configuration(
        DbtCloudSettings(token=SecretStr("env:TOKEN")),
        {
            "oncall": FakeAlerts(received=None),
            "people": FakePeople(received=None),
            "report": FakeReports(received=None),
        },
        rules,
    )
    event = an_event()
    verdicts = judged(found, rules, event, ended, answer or Answer(results=results))
    return wanted(found, event, verdicts, state or State())


def nodes_of(found: Mapping[Slot, Wanted]) -> dict[Slot, set[str]]:
    return {slot: set(each.diagnosis.nodes) for slot, each in found.items()}


ORDERS, CAMPAIGNS = FINANCE.unique_id, MARKETING.unique_id


def test_a_failed_job_is_one_alert_with_all_of_its_nodes() -> None:
    found = asked(a_rule())

    assert nodes_of(found) == {JOB: {ORDERS, CAMPAIGNS}}
    assert not found[JOB].by_nodes


def test_a_rule_with_nodes_alerts_of_the_job_until_those_nodes_recover() -> None:
    found = asked(a_rule(when={"nodes": {"tag": "finance"}}))

    assert nodes_of(found) == {JOB: {ORDERS}}
    assert found[JOB].by_nodes


def test_per_node_each_node_has_an_alert_of_its_own() -> None:
    found = asked(a_rule(alert={"per": "node"}))

    assert nodes_of(found) == {
        ("oncall", f"node/{ORDERS}"): {ORDERS},
        ("oncall", f"node/{CAMPAIGNS}"): {CAMPAIGNS},
    }
    assert all(each.by_nodes for each in found.values())


@pytest.mark.parametrize("rule", [{"alert": {"per": "node"}}, {"when": {"nodes": {"tag": "a"}}}])
def test_where_nodes_are_not_known_it_is_the_job_that_has_to_recover(rule: dict[str, Any]) -> None:
    found = asked(a_rule(**rule), results=())

    assert nodes_of(found) == {JOB: set()}
    assert not found[JOB].by_nodes


def test_per_run_each_run_has_an_alert_of_its_own() -> None:
    assert nodes_of(asked(a_rule(alert={"per": "run"}))) == {
        ("oncall", "run/100"): {ORDERS, CAMPAIGNS}
    }


def test_what_is_told_refreshed_or_no_problem_is_no_alert() -> None:
    assert asked(a_rule(alert=False, then="people")) == {}
    assert asked(a_rule(then="report")) == {}
    assert asked(a_rule(when={"job": 8})) == {}
    succeeded = a_rule(then="people", when={"outcome": "succeeded"})
    assert asked(succeeded, ended=Outcome.SUCCEEDED) == {}


def test_rules_that_name_one_destination_want_one_alert_with_the_nodes_of_both() -> None:
    finance = a_rule("finance", when={"nodes": {"tag": "finance"}}, alert={"remind": "1h"})
    marketing = a_rule("marketing", when={"nodes": {"tag": "marketing"}}, alert={"remind": "2h"})

    found = asked(finance, marketing)

    assert nodes_of(found) == {JOB: {ORDERS, CAMPAIGNS}}
    assert found[JOB].rules == ("finance", "marketing")
    assert found[JOB].alert == finance.alert
    assert found[JOB].by_nodes


@pytest.mark.parametrize("order", [1, -1])
def test_beside_a_rule_about_all_nodes_the_job_as_a_whole_has_to_recover(order: int) -> None:
    rules = [a_rule("all"), a_rule("some", when={"nodes": {"tag": "finance"}})][::order]

    found = asked(*rules, results=(*BOTH, SKIPPED))

    assert nodes_of(found) == {JOB: {ORDERS, CAMPAIGNS}}
    assert not found[JOB].by_nodes
    assert found[JOB].diagnosis.skipped == 1


def test_what_was_skipped_for_no_node_that_is_known_is_counted_though_two_rules_ask() -> None:
    found = asked(a_rule("one"), a_rule("other"), results=(*BOTH, SKIPPED))

    assert found[JOB].diagnosis.skipped == 1


def test_one_rule_about_warnings_makes_them_a_problem_of_the_alert() -> None:
    found = asked(a_rule("one"), a_rule("other", when={"outcome": ["failed", "warned"]}))

    assert found[JOB].warnings
    assert found[JOB].level is Level.FAILURE


FIXED = State(newest_run=99, fixed={ORDERS: 101})


def test_an_alert_of_nodes_leaves_out_those_that_a_newer_run_has_proven_good() -> None:
    assert nodes_of(asked(a_rule(alert={"per": "node"}), state=FIXED)) == {
        ("oncall", f"node/{CAMPAIGNS}"): {CAMPAIGNS}
    }
    assert asked(a_rule(when={"nodes": {"tag": "finance"}}), state=FIXED) == {}


def test_nodes_proven_good_by_an_older_run_or_this_one_have_failed_anew() -> None:
    for run in (99, 100):
        state = State(fixed={ORDERS: run})
        assert asked(a_rule(when={"nodes": {"tag": "finance"}}), state=state)


@pytest.mark.parametrize("alert", [{}, {"per": "run"}])
def test_a_job_that_failed_is_alerted_though_another_job_has_fixed_its_node(
    alert: dict[str, str],
) -> None:
    found = asked(a_rule(alert=alert), results=(FINANCE,), state=FIXED)

    assert [set(each.diagnosis.nodes) for each in found.values()] == [{ORDERS}]


OWN_NODES = a_rule(when={"nodes": {"tag": "finance"}}, alert={"per": "node"})


def test_a_node_that_was_not_looked_up_has_no_alert_beside_those_that_are_the_rules() -> None:
    found = asked(OWN_NODES, results=(*BOTH, *failed(3)))

    assert nodes_of(found) == {("oncall", f"node/{ORDERS}"): {ORDERS}}


def test_nodes_of_which_none_is_the_rules_for_certain_are_one_alert_of_the_job() -> None:
    found = asked(OWN_NODES, results=(MARKETING, *failed(3)))

    assert nodes_of(found) == {JOB: {node.unique_id for node in failed(3)}}
    assert found[JOB].by_nodes


def test_an_alert_that_a_node_has_already_goes_on_though_it_was_not_looked_up_now() -> None:
    slot = ("oncall", f"node/{ORDERS}")
    state = State(episodes={slot: of_nodes(ORDERS)})

    found = asked(OWN_NODES, results=(MARKETING, a_result(ORDERS)), state=state)

    assert nodes_of(found) == {slot: {ORDERS}}


def test_where_no_node_of_the_run_was_looked_up_each_has_an_alert_of_its_own() -> None:
    assert len(asked(OWN_NODES, results=failed(3))) == 3


def test_as_many_new_nodes_as_there_may_be_have_alerts_of_their_own() -> None:
    found = asked(a_rule(alert={"per": "node"}), results=failed(NODE_EPISODES))

    assert len(found) == NODE_EPISODES


def test_more_new_nodes_are_one_alert_of_the_job() -> None:
    found = asked(a_rule(alert={"per": "node"}), results=failed(NODE_EPISODES + 1))

    assert list(found) == [JOB]
    assert len(found[JOB].diagnosis.nodes) == NODE_EPISODES + 1
    assert found[JOB].by_nodes


def test_nodes_that_are_alerted_with_the_job_stay_there_and_have_no_second_alert() -> None:
    together = State(episodes={JOB: of_nodes(ORDERS)})

    assert nodes_of(asked(a_rule(alert={"per": "node"}), state=together)) == {
        JOB: {ORDERS},
        ("oncall", f"node/{CAMPAIGNS}"): {CAMPAIGNS},
    }


def test_nodes_with_an_alert_of_their_own_keep_it_though_many_others_fail() -> None:
    slot = ("oncall", f"node/{ORDERS}")
    state = State(episodes={slot: of_nodes(ORDERS)})

    found = asked(
        a_rule(alert={"per": "node"}), results=(FINANCE, *failed(NODE_EPISODES + 1)), state=state
    )

    assert set(found) == {slot, JOB}
    assert ORDERS not in found[JOB].diagnosis.nodes


def test_an_environment_full_of_alerts_of_nodes_gets_one_of_the_job() -> None:
    many = {("people", f"node/m{number}"): of_nodes("m") for number in range(EPISODES_LIMIT)}

    assert list(asked(a_rule(alert={"per": "node"}), state=State(episodes=many))) == [JOB]


def test_an_environment_that_is_full_leaves_a_job_to_end_by_its_own_next_good_run() -> None:
    rule = a_rule(when={"outcome": "failed", "nodes": {"tag": "finance"}})
    full = {("people", f"job/{n}"): of_nodes(f"m{n}") for n in range(BY_NODES_LIMIT)}
    known = dict(list(full.items())[1:]) | {JOB: of_nodes(ORDERS)}

    assert not asked(rule, state=State(episodes=full))[JOB].by_nodes
    assert asked(rule, state=State(episodes=known))[JOB].by_nodes
    _, environment = State(episodes=full).bodies()
    assert len(json.dumps(environment)) < SIZE_LIMIT_BYTES


def test_a_job_with_many_open_runs_gets_one_alert_of_the_job_rather_than_none() -> None:
    many = {
        ("oncall", f"run/{number}"): Episode(NOW, number, Level.FAILURE, Alert())
        for number in range(1, RUN_EPISODES + 1)
    }
    known = many | {("oncall", "run/100"): many["oncall", "run/100"]}
    others = {slot: each for slot, each in many.items() if slot[1] != "run/100"} | {
        ("oncall", "run/0"): many["oncall", "run/100"]
    }

    rule = a_rule(alert={"per": "run"})

    assert list(asked(rule, state=State(episodes=known))) == [("oncall", "run/100")]
    assert list(asked(rule, state=State(episodes=others))) == [JOB]


def test_every_failure_that_a_rule_alerts_of_is_wanted_somewhere() -> None:
    for per in ("job", "node", "run"):
        for results in ((), BOTH, failed(NODE_EPISODES + 5)):
            found = asked(a_rule(alert={"per": per}), results=results)
            assert found
            assert {node for each in found.values() for node in each.diagnosis.nodes} == {
                result.unique_id for result in results
            }
