"""What an alert says of itself: how urgent it is, by what rules find it, and its details."""

import json
from dataclasses import replace

import pytest

from subscriber.actions import Message, Verb
from subscriber.saying.pagerduty import about, details, links, severity, to_rules, what
from tests.builders import a_node, a_told, an_action

WHERE = {"job": "Daily build", "project": "Shop", "environment": "Production"}


@pytest.mark.parametrize("default", ["critical", "error", "warning", "info"])
def test_where_nobody_says_how_urgent_it_is_the_default_holds(default: str) -> None:
    assert severity(a_told(), default) == default


def test_a_rules_word_stands_before_the_default() -> None:
    assert severity(a_told(severity="info"), "critical") == "info"
    assert severity(a_told(severity="critical"), "info") == "critical"


def test_a_nodes_word_stands_before_the_rules() -> None:
    assert severity(a_told(severity="warning", severities=("critical",)), "error") == "critical"
    assert severity(a_told(severity="critical", severities=("info",)), "error") == "info"


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        (("info", "warning", "error", "critical"), "critical"),
        (("error", "info"), "error"),
        (("critical", "error"), "critical"),
        (("info", "warning"), "warning"),
    ],
)
def test_of_what_nodes_say_the_most_urgent_holds(said: tuple[str, ...], holds: str) -> None:
    assert severity(a_told(severities=said), "info") == holds
    assert severity(a_told(severities=said[::-1]), "critical") == holds


def test_nodes_that_say_nothing_count_as_the_rule_or_else_the_default_has_it() -> None:
    said = ("", "warning")

    assert severity(a_told(severities=said), "error") == "error"
    assert severity(a_told(severities=said), "info") == "warning"
    assert severity(a_told(severities=said, severity="critical"), "info") == "critical"


@pytest.mark.parametrize("default", ["critical", "error", "warning"])
def test_a_warning_of_which_nobody_says_how_urgent_it_is_is_one(default: str) -> None:
    assert severity(a_told(level="warning"), default) == "warning"


def test_a_warning_is_as_urgent_as_a_rule_or_its_nodes_say() -> None:
    assert severity(a_told(level="warning", severity="critical"), "error") == "critical"
    assert severity(a_told(level="warning", severities=("error",)), "warning") == "error"


def test_a_node_that_calls_its_warning_harmless_makes_that_of_another_no_more_urgent() -> None:
    assert severity(a_told(level="warning", severities=("", "info")), "critical") == "warning"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"outcome": "failed"}, "dbt run failed"),
        ({"outcome": "warned", "level": "warning"}, "dbt run warned"),
        ({"outcome": "recovered"}, "dbt run failed"),  # in part: the alert is open still
        ({"outcome": "started", "level": ""}, "dbt run started"),
        ({"outcome": "succeeded", "level": ""}, "dbt run succeeded"),
        ({"outcome": "cancelled", "level": ""}, "dbt run cancelled"),
        ({"outcome": "digest", "level": ""}, "afterrun digest"),
        ({"outcome": "", "level": ""}, "dbt run"),
        ({"outcome": "failed", "facts": {"refresh": "revenue"}}, "refresh failed"),
    ],
)
def test_its_class_says_what_kind_of_thing_it_is(fields: dict[str, object], said: str) -> None:
    assert what(a_told(**fields)) == said


def test_rules_find_it_by_its_job_its_place_and_its_class() -> None:
    assert to_rules(a_told(facts=WHERE)) == {
        "component": "Daily build",
        "group": "Shop / Production",
        "class": "dbt run failed",
    }


def test_what_is_not_known_is_left_out_for_rules() -> None:
    assert to_rules(a_told(facts={})) == {"class": "dbt run failed"}
    assert to_rules(a_told(facts={"environment": "Production"}))["group"] == "Production"


def test_what_rules_compare_is_one_line_of_255_characters_at_the_most() -> None:
    found = to_rules(
        a_told(facts={"job": "x" * 100_000, "project": "a\nb\x00", "environment": "y"})
    )

    assert found["component"] == "x" * 254 + "…"
    assert found["group"] == "a b / y"


def test_the_run_and_the_job_are_linked() -> None:
    told = a_told(link="https://x/runs/100", job_link="https://x/jobs/7")

    assert links(an_action(message=told), told) == [
        {"href": "https://x/runs/100", "text": "Open the run"},
        {"href": "https://x/jobs/7", "text": "Open the job"},
    ]


@pytest.mark.parametrize("address", ["", "javascript:alert(1)", "/runs/100", "https://x/a b"])
def test_what_is_no_address_is_not_linked(address: str) -> None:
    told = a_told(link=address, job_link=address)

    assert links(an_action(message=told), told) == []


def details_of(message: Message, owner: str = "") -> dict[str, object]:
    return details(an_action(Verb.UPDATE, message=message, owner=owner), message)


def test_only_the_failed_nodes_are_a_list() -> None:
    told = a_told(
        note="Ask in #data.",
        new=("orders", "items"),
        still=("customers",),
        fixed=("revenue",),
        causes=("no such table: 2 of 3 (orders, items)", "no such column: 1 of 3 (customers)"),
        owners=("finance: 3 of 3 (orders, items, customers)",),
        nodes=(a_node(tags=("daily", "finance"), skipped=("a", "b")),),
        skipped=2,
        left_out="Left out here: the ends of long errors.",
    )

    found = details_of(told, owner="Finance")

    assert [name for name, value in found.items() if isinstance(value, list)] == ["failed"]
    assert found["note"] == "Ask in #data."
    assert found["new"] == "orders, items"
    assert found["still_failing"] == "customers"
    assert found["fixed"] == "revenue"
    assert found["by_cause"] == "\n".join(told.causes)
    assert found["by_owner"] == told.owners[0]
    assert found["owner"] == "Finance"
    assert found["skipped"] == 2
    assert found["left_out"] == told.left_out


def test_details_that_say_nothing_are_left_out() -> None:
    bare = Message(headline="x", source="y", facts={"job": "", "run_id": "100"})

    assert details_of(bare) == {"run_id": "100"}


def test_a_fact_does_not_take_the_place_of_what_happened() -> None:
    found = details_of(a_told(facts={"failed": "x", "text": "y"}, text=""))

    assert isinstance(found["failed"], list)
    assert found["text"] == "y"


def test_errors_keep_their_lines_and_names_are_one_line() -> None:
    found = details_of(a_told(nodes=(a_node(name="a\nb", message="one\n  two\x00"),)))

    (node,) = json.loads(json.dumps(found["failed"]))
    assert (node["name"], node["error"]) == ("a b", "one\n  two")


def test_what_looks_like_a_secret_is_not_told() -> None:
    nasty = a_told(note="password=hunter2", text="token: hunter2", facts={"branch": "pwd=hunter2"})

    assert "hunter2" not in json.dumps(details_of(nasty))


def test_a_summary_is_as_long_as_it_may_be_however_little_else_there_is_room_for() -> None:
    told = a_told(headline="x" * 5_000, source="y" * 5_000)

    found = about(an_action(message=told))

    assert found["summary"] == "x" * 1_023 + "…"
    assert found["source"] == "y" * 1_023 + "…"


def test_without_a_headline_it_says_what_kind_of_thing_happened() -> None:
    digest = replace(a_told(headline=" ", level=""), outcome="digest")

    assert about(an_action(message=digest))["summary"] == "An afterrun digest"
    assert about(an_action(message=a_told(headline="\x00")))["summary"] == "A dbt run failed"
