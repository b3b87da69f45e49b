"""What is told about a run."""

import json
from dataclasses import asdict
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriber import message
from subscriber.actions import Message
from subscriber.diagnosis import diagnose
from subscriber.digests import Digest
from subscriber.episodes import Bad, Change
from subscriber.message import SIZE_LIMIT_BYTES
from subscriber.run import Answer, Level, Outcome, Result, RunDetails, Status, Step
from tests.builders import NOW, a_result, a_told, an_event
from tests.subscriber.test_episodes import an_open


def told(*results: Result, run: RunDetails | None = None, notes: tuple[str, ...] = ()):
    answer = Answer(run=run, results=results, notes=notes)
    link = "https://dbt.example/run"
    return message.problem(an_event(), answer, diagnose(answer), link, Level.FAILURE)


def test_one_failed_node_is_named_with_the_line_that_says_why():
    error = "Database Error in model orders (models/orders.sql)\n  no such column: amount"

    found = told(a_result(message=error))

    assert (
        found.headline == "Daily build failed in Production: model orders: no such column: amount"
    )


def test_several_failed_nodes_are_counted_and_the_first_are_named():
    found = told(*(a_result(f"model.shop.m{n}") for n in range(7)))

    assert found.headline == (
        "Daily build failed in Production: 7 nodes (m0, m1, m2, m3, m4 and 2 more)"
    )


def test_skipped_nodes_are_counted():
    skipped = [Result(f"model.shop.s{n}", Status.SKIPPED, "skipped") for n in range(25)]

    found = told(a_result(), *skipped)

    assert found.headline.endswith("(25 skipped)")
    assert found.nodes[0].skipped[-1] == "and 5 more"


def test_a_log_stands_for_nodes_that_are_not_known():
    step = Step(3, "dbt build", failed=True, logs="Compilation Error\n  Model 'a' depends on 'b'")

    found = told(run=RunDetails(steps=(step,)))

    assert found.headline.endswith("Compilation Error: Model 'a' depends on 'b'")
    assert "depends on 'b'" in found.text


def test_nothing_known_is_said_with_the_reason():
    found = told(notes=("cloud.getdbt.com answered 503",))

    assert found.headline.endswith("the failed nodes are not known")
    assert found.text == "Not all is known: cloud.getdbt.com answered 503."


def test_a_job_without_a_name_is_told_by_its_id():
    answer = Answer()
    event = an_event(jobName=None, environmentName="")

    found = message.problem(event, answer, diagnose(answer), "", Level.FAILURE)

    assert found.headline.startswith("dbt job 7 failed: ")


def test_five_thousand_characters_of_an_error_are_kept_whole():
    error = "x" * 5_000

    assert told(a_result(message=error)).nodes[0].message == error


def test_a_message_about_a_thousand_huge_errors_fits_the_ledger():
    found = told(*(a_result(f"model.shop.m{n}", message="🧨" * 50_000) for n in range(1_000)))

    assert found.nodes
    assert len(found.nodes) + found.more_nodes == 1_000
    assert as_kept(found) <= SIZE_LIMIT_BYTES


@settings(deadline=None, max_examples=25)
@given(
    st.text(max_size=2_000),
    st.integers(1, 300),
    st.sampled_from(["é", "🧨", '"', "\\", "x", "\ud800"]),
)
def test_whatever_dbt_says_the_message_fits_the_ledger(text, count, repeated):
    names = [f"{repeated * 40}.{repeated * 400}.{n}" for n in range(count)]
    skipped = [Result(name, Status.SKIPPED, "skipped") for name in names]

    found = told(
        *(a_result(name, said=repeated * 400, message=text + repeated * 5_000) for name in names),
        *skipped,
        notes=(repeated * 10_000,),
    )

    assert as_kept(found) <= SIZE_LIMIT_BYTES
    assert len(found.nodes) + found.more_nodes == count


def as_kept(message: Message) -> int:
    """Its size in the ledger."""
    return len(json.dumps(asdict(message)))


def test_the_facts_name_the_run_and_leave_out_what_is_not_known():
    found = told(a_result(), run=RunDetails(trigger="scheduled", git_sha="9f3c1d2"))

    assert found.facts["run_id"] == "100"
    assert found.facts["commit"] == "9f3c1d2"
    assert "branch" not in found.facts


def test_nodes_with_the_same_error_are_one_line_and_so_are_those_of_an_owner():
    timeouts = [
        a_result(f"model.shop.m{n}", message=f"timeout after {n} s", owner="finance")
        for n in range(7)
    ]

    found = told(
        *timeouts, a_result("model.shop.other", message="no such column", is_described=True)
    )

    assert found.causes == (
        "timeout after 0 s: 7 of 8 (m0, m1, m2, m3, m4 and 2 more)",
        "no such column: 1 of 8 (other)",
    )
    assert found.owners == (
        "finance: 7 of 8 (m0, m1, m2, m3, m4 and 2 more)",
        "no owner: 1 of 8 (other)",
    )


def test_groups_that_say_nothing_more_than_the_nodes_are_left_out():
    assert told(a_result(owner="finance")).owners == ()
    different = (a_result("model.shop.a", message="x"), a_result("model.shop.b", message="y"))
    assert told(*different).causes == ()


def test_an_update_says_what_is_new_still_bad_and_fixed():
    change = Change(("model.a.x",), ("model.a.y",), ("test.a.z.1234567890",), is_other=True)

    found = message.updated(a_told(), an_event(), an_open(), change)

    assert found.headline == (
        "Daily build still fails in Production: 1 new (x), 1 still (y), 1 fixed (z)"
    )
    assert (found.new, found.still, found.fixed) == (("x",), ("y",), ("z",))
    assert found.since == "2026-01-05T11:00:00+00:00"


def test_an_update_about_another_error_says_the_error():
    change = Change((), ("model.shop.orders",), (), is_other=True)

    found = message.updated(a_told(), an_event(), an_open(), change)

    assert found.headline == ("Daily build still fails in Production: model orders: no such column")


def test_a_reminder_says_for_how_long_and_does_not_pile_up():
    episode = an_open(since=NOW - timedelta(days=2, hours=3), runs=14)

    once = message.reminded(a_told(), episode, NOW)
    twice = message.reminded(once, episode, NOW + timedelta(days=1))

    assert once.headline == (
        "Still open after 2 d 3 h, 14 runs: "
        "Daily build failed in Production: model orders: no such column"
    )
    assert twice.headline == once.headline.replace("2 d", "3 d")


def test_a_recovery_says_how_long_it_took_and_what_was_bad():
    episode = an_open(nodes={"model.shop.orders": Bad(105, "")}, runs=3)

    found = message.recovered(an_event(), "", episode, "job/7", "")

    assert found.headline == "Daily build recovered in Production"
    assert found.fixed == ("orders",)
    assert found.facts["open_for"] == "59 min 55 s"
    assert found.facts["runs_with_the_problem"] == "3"


def test_the_recovery_of_a_node_names_it():
    found = message.recovered(an_event(), "", an_open(), "node/model.shop.orders", "")

    assert found.headline == "Daily build: orders recovered in Production"


@pytest.mark.parametrize(
    ("outcome", "headline"),
    [
        (Outcome.STARTED, "Daily build started in Production"),
        (Outcome.SUCCEEDED, "Daily build succeeded in Production"),
        (Outcome.CANCELLED, "Daily build was cancelled in Production"),
    ],
)
def test_a_run_that_is_no_problem_is_told_in_a_line(outcome, headline):
    assert message.ended(an_event(), outcome, Answer(), "").headline == headline


def test_a_digest_is_one_line_with_a_list():
    lines = tuple(f"run {n}" for n in range(20))

    found = message.digest(Digest(title="Too late", count=41, lines=lines))

    assert found.headline == "Too late: run 0 and 40 more"
    assert found.text.splitlines() == [*lines, "and 21 more"]
