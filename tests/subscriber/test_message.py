"""What is told about a run."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from subscriber import message
from subscriber.actions import Message
from subscriber.diagnosis import diagnose
from subscriber.message import SIZE_LIMIT_BYTES
from subscriber.run import Answer, Result, RunDetails, Status, Step
from tests.builders import a_result, an_action, an_event


def told(*results: Result, run: RunDetails | None = None, notes: tuple[str, ...] = ()):
    answer = Answer(run=run, results=results, notes=notes)
    return message.failed(an_event(), answer, diagnose(answer), "https://dbt.example/run")


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

    found = message.failed(event, answer, diagnose(answer), "")

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
    return len(json.dumps(an_action(message=message).body()))


def test_the_facts_name_the_run_and_leave_out_what_is_not_known():
    found = told(a_result(), run=RunDetails(trigger="scheduled", git_sha="9f3c1d2"))

    assert found.facts["run_id"] == "100"
    assert found.facts["commit"] == "9f3c1d2"
    assert "branch" not in found.facts
