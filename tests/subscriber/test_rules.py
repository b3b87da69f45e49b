"""Rules: what a run must look like, and how alerts are kept together."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from subscriber.rules import POSSIBLE, Alert, Nodes, Override, Rule, When, said
from subscriber.run import Outcome
from tests.builders import a_result, an_event

WORDS = ["failed", "succeeded", "warned", "clean", "started", "cancelled"]


def a_when(**when: Any) -> When:
    return When.model_validate({"outcome": "failed", **when})


def a_rule(**fields: Any) -> Rule:
    return Rule.model_validate(
        {"name": "page", "when": {"outcome": "failed"}, "then": ["oncall"], **fields}
    )


@pytest.mark.parametrize(
    ("when", "missed"),
    [
        ({}, ""),
        ({"account": 1}, ""),
        ({"account": 2}, "another account"),
        ({"account": "!2"}, ""),
        ({"account": ["!1"]}, "another account"),
        ({"project": "Shop"}, ""),
        ({"project": 9}, ""),
        ({"project": "Other"}, "another project"),
        ({"environment": "prod*"}, ""),
        ({"environment": 55}, ""),
        ({"environment": "Staging"}, "another environment"),
        ({"job": "Daily build"}, ""),
        ({"job": [8, 7]}, ""),
        ({"job": "Nightly"}, "another job"),
        ({"job": 7, "environment": "Staging"}, "another environment"),
        ({"event": "completed"}, ""),
        ({"event": ["errored", "completed"]}, ""),
        ({"event": "errored"}, "another event"),
        ({"event": "errored", "job": 8}, "another job"),
    ],
)
def test_all_that_a_rule_says_of_the_event_must_match(when: dict[str, Any], missed: str) -> None:
    assert a_when(**when).missed(an_event()) == missed


def test_an_id_of_64_bits_is_matched_to_its_last_digit() -> None:
    event = an_event(job_id=9007199254740993)

    assert a_when(job=9007199254740993).missed(event) == ""
    assert a_when(job=9007199254740992).missed(event) == "another job"


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ({"environment": "Production"}, {"environmentName": None}),
        ({"environment": "Production"}, {"environmentName": "None", "environmentId": None}),
        ({"environment": 55}, {"environmentId": None}),
        ({"environment": "!Staging"}, {"environmentName": ""}),
        ({"project": "Shop"}, {"projectName": ""}),
        ({"job": "Daily*"}, {"jobName": None}),
    ],
)
def test_what_the_event_does_not_tell_holds_no_alert_back(
    when: dict[str, Any], told: dict[str, Any]
) -> None:
    assert a_when(**when).missed(an_event(**told)) == ""


def test_a_rule_covers_its_jobs_whichever_event_tells_of_them() -> None:
    when = a_when(job=7, event="errored")

    assert when.covers(an_event(event_type="job.run.completed"))
    assert not when.covers(an_event(event_type="job.run.errored", job_id=8))


@pytest.mark.parametrize(
    ("trigger", "run", "missed"),
    [
        (None, "ci", False),
        ("scheduled", "scheduled", False),
        ("scheduled", "ci", True),
        (["!ci", "!merge"], "api", False),
        (["!ci", "!merge"], "merge", True),
        ("CI", "ci", False),
        ("job *", "job completion", False),
    ],
)
def test_a_trigger_matches_by_its_word(
    trigger: Any,
    run: str,
    missed: bool,  # noqa: FBT001 - a table
) -> None:
    when = a_when() if trigger is None else a_when(trigger=trigger)

    assert when.missed_trigger(run) is missed


@pytest.mark.parametrize("trigger", ["scheduled", "ci", ["!ci"], 7, "!7"])
def test_a_trigger_that_nobody_knows_holds_no_alert_back(trigger: Any) -> None:
    assert not a_when(trigger=trigger).missed_trigger("")


@pytest.mark.parametrize(
    ("ended", "warned", "words"),
    [
        (Outcome.FAILED, None, {"failed"}),
        (Outcome.FAILED, True, {"failed"}),
        (Outcome.SUCCEEDED, True, {"succeeded", "warned"}),
        (Outcome.SUCCEEDED, False, {"succeeded", "clean"}),
        (Outcome.SUCCEEDED, None, {"succeeded"}),
        (Outcome.STARTED, None, {"started"}),
        (Outcome.CANCELLED, None, {"cancelled"}),
        (Outcome.UNKNOWN, None, set()),
    ],
)
def test_how_a_run_ended_has_words_that_rules_use(
    ended: Outcome,
    warned: bool | None,  # noqa: FBT001 - a table
    words: set[str],
) -> None:
    assert said(ended, warned=warned) == words


@pytest.mark.parametrize(("ended", "warned"), list(product(Outcome, [None, True, False])))
def test_what_is_said_in_the_end_was_possible_from_the_beginning(
    ended: Outcome,
    warned: bool | None,  # noqa: FBT001 - a table
) -> None:
    assert said(ended, warned=warned) <= POSSIBLE[ended]


@pytest.mark.parametrize(
    ("outcome", "ended", "could"),
    [
        ("failed", Outcome.FAILED, True),
        ("failed", Outcome.SUCCEEDED, False),
        ("warned", Outcome.SUCCEEDED, True),
        ("warned", Outcome.FAILED, False),
        ("clean", Outcome.SUCCEEDED, True),
        (["failed", "warned"], Outcome.CANCELLED, False),
        (WORDS, Outcome.UNKNOWN, False),
    ],
)
def test_a_rule_could_match_before_results_are_known(
    outcome: Any,
    ended: Outcome,
    could: bool,  # noqa: FBT001 - a table
) -> None:
    assert a_when(outcome=outcome).could_match(an_event(), ended) is could


def test_a_rule_of_another_job_could_never_match() -> None:
    assert not a_when(job=8).could_match(an_event(), Outcome.FAILED)


@pytest.mark.parametrize(
    ("nodes", "matches"),
    [
        ({"kind": "model"}, True),
        ({"kind": ["test", "unit_test"]}, False),
        ({"tag": "finance"}, True),
        ({"tag": "FIN*"}, True),
        ({"tag": ["marketing", "!wip"]}, False),
        ({"tag": "!finance"}, False),
        ({"group": "revenue"}, True),
        ({"group": "!revenue"}, False),
        ({"owner": "Ada Lovelace"}, True),
        ({"owner": "ada@shop.example"}, True),
        ({"owner": "*@shop.example"}, True),
        ({"owner": "!*@shop.example"}, False),
        ({"name": "orders"}, True),
        ({"name": "model.shop.*"}, True),
        ({"name": "order"}, False),
        ({"path": "models/finance/*"}, True),
        ({"path": "models/marketing/*"}, False),
        ({"tag": "finance", "name": "customers"}, False),
    ],
)
def test_all_that_a_rule_says_of_a_node_must_match(
    nodes: dict[str, Any],
    matches: bool,  # noqa: FBT001 - a table
) -> None:
    node = a_result(
        tags=("daily", "finance"),
        group="revenue",
        owner="Ada Lovelace",
        owner_email="ada@shop.example",
        path="models/finance/orders.sql",
        is_described=True,
    )

    assert Nodes.model_validate(nodes).match(node) is matches


@pytest.mark.parametrize(
    ("nodes", "matches"),
    [
        ({"tag": "finance"}, False),
        ({"tag": "!finance"}, True),
        ({"group": "*"}, False),
        ({"owner": "finance"}, False),
        ({"owner": "!finance"}, True),
        ({"owner": "!*"}, True),
        ({"path": "models/finance/*"}, True),
    ],
)
def test_of_a_node_that_was_looked_up_only_a_missing_path_is_not_known(
    nodes: dict[str, Any],
    matches: bool,  # noqa: FBT001 - a table
) -> None:
    assert Nodes.model_validate(nodes).match(a_result(is_described=True)) is matches


@pytest.mark.parametrize("key", ["tag", "group", "owner", "path"])
@pytest.mark.parametrize("written", ["finance", "!finance", ["a", "b"]])
def test_what_could_not_be_looked_up_of_a_node_holds_nothing_back(key: str, written: Any) -> None:
    assert Nodes.model_validate({key: written}).match(a_result())


def test_what_a_nodes_id_tells_must_match_though_nothing_was_looked_up() -> None:
    assert not Nodes.model_validate({"tag": "finance", "kind": "test"}).match(a_result())
    assert not Nodes.model_validate({"tag": "finance", "name": "customers"}).match(a_result())


def test_a_path_that_is_known_must_match_though_nothing_else_was_looked_up() -> None:
    rule = Nodes.model_validate({"tag": "finance", "path": "models/finance/*"})

    assert rule.match(a_result(path="models/finance/orders.sql"))
    assert not rule.match(a_result(path="models/crm/visits.sql"))


@pytest.mark.parametrize(
    ("nodes", "path", "can_tell"),
    [
        ({"kind": "model", "name": "orders"}, "", True),
        ({"path": "models/*"}, "models/orders.sql", True),
        ({"path": "models/*"}, "", False),
        ({"kind": "model", "tag": "a"}, "models/orders.sql", False),
        ({"group": "a"}, "", False),
        ({"owner": "a"}, "", False),
    ],
)
def test_a_node_that_was_not_looked_up_matches_for_certain_by_what_is_known_of_it(
    nodes: dict[str, str],
    path: str,
    can_tell: bool,  # noqa: FBT001 - a table
) -> None:
    rule = Nodes.model_validate(nodes)

    assert rule.can_tell(a_result(path=path)) is can_tell
    assert rule.can_tell(a_result(path=path, is_described=True))


def test_a_test_is_named_without_the_hash_that_dbt_puts_behind() -> None:
    node = a_result("test.shop.not_null_orders_id.cf6c17daed")

    assert Nodes.model_validate({"name": "not_null_orders_id", "kind": "test"}).match(node)


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("tag", "group", "owner", "path"), st.sampled_from("ab"))
    ).filter(bool),
    st.sampled_from(["a", "b", ""]),
)
def test_to_look_up_less_of_a_node_never_holds_more_back(nodes: dict[str, str], is_: str) -> None:
    known = a_result(tags=(is_,) if is_ else (), group=is_, owner=is_, path=is_, is_described=True)

    rule = Nodes.model_validate(nodes)

    assert rule.match(a_result()) >= rule.match(known)


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"outcome": []},
        {"outcome": None},
        {"outcome": "errored"},
        {"outcome": "failed", "event": []},
        {"outcome": "failed", "event": None},
        {"outcome": "failed", "event": "job.run.errored"},
        {"outcome": "failed", "job": None},
        {"outcome": "failed", "job": []},
        {"outcome": "failed", "jobs": 7},
        {"outcome": "failed", "nodes": {}},
        {"outcome": "failed", "nodes": None},
        {"outcome": "failed", "nodes": {"tag": None}},
        {"outcome": "failed", "nodes": {"tags": "a"}},
        {"outcome": "failed", "account": "acme"},
        {"outcome": "failed", "account": "1*"},
        {"outcome": "failed", "account": "٣"},
    ],
)
def test_a_condition_that_could_not_be_meant_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        When.model_validate(written)


@pytest.mark.parametrize("name", ["", "  ", " page", "page\n", "a\x1bb", "x" * 101])
def test_a_rule_has_a_name_that_a_line_of_the_log_can_hold(name: str) -> None:
    with pytest.raises(ValidationError):
        a_rule(name=name)


def test_a_rule_names_at_least_one_destination() -> None:
    with pytest.raises(ValidationError, match="this list is empty"):
        a_rule(then=[])


def test_alerts_are_opened_at_once_for_each_job_and_closed_by_a_recovery() -> None:
    alert = a_rule().alert

    assert alert is not None
    assert (alert.per, alert.after.runs, alert.after.minutes) == ("job", 1, 0)
    assert (alert.remind, alert.auto_close) == (None, True)


def test_alert_false_tells_each_run_by_itself() -> None:
    assert a_rule(alert=False).alert is None


@pytest.mark.parametrize(
    "alert",
    [
        None,
        True,
        "no",
        {"per": "team"},
        {"per": None},
        {"after": None},
        {"after": {"runs": 0}},
        {"after": {"runs": 1_001}},
        {"after": {"runs": None}},
        {"after": {"minutes": -1}},
        {"after": {"minutes": 10_081}},
        {"after": {"hours": 1}},
        {"remind": None},
        {"remind": "9m"},
        {"remind": "29d"},
        {"auto_close": None},
        {"auto_close": "perhaps"},
        {"per": "run", "after": {"runs": 2}},
    ],
)
def test_settings_of_alerts_that_could_not_be_meant_are_refused(alert: Any) -> None:
    with pytest.raises(ValidationError):
        a_rule(alert=alert)


@pytest.mark.parametrize(
    ("written", "alert"),
    [
        ({"remind": "10m"}, Alert(remind=timedelta(minutes=10))),
        ({"remind": "28d"}, Alert(remind=timedelta(days=28))),
        (
            {"per": "run", "after": {"minutes": 5}},
            Alert.model_validate({"per": "run", "after": {"minutes": 5}}),
        ),
    ],
)
def test_settings_of_alerts_are_taken_up_to_their_limits(written: Any, alert: Alert) -> None:
    assert a_rule(alert=written).alert == alert


@pytest.mark.parametrize(
    ("environment", "told", "matches"),
    [
        ("Prod*", {}, True),
        ("!Production", {}, False),
        ("!Production", {"environmentName": "Staging"}, True),
        ("Production", {"environmentName": None}, False),
        ("!Production", {"environmentName": None}, False),
        ("!55", {"environmentId": None}, False),
        ("*", {"environmentName": None, "environmentId": None}, True),
    ],
)
def test_an_override_takes_over_only_what_is_certainly_of_its_environment(
    environment: str,
    told: dict[str, Any],
    matches: bool,  # noqa: FBT001 - a table
) -> None:
    override = Override.model_validate({"environment": environment, "then": ["sandbox"]})

    assert override.matches(an_event(**told)) is matches
