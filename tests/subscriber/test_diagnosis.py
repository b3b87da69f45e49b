"""What failed, why, and what was skipped because of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.diagnosis import LOG_LINES, clean, diagnose
from subscriber.run import Answer, Result, RunDetails, Status, Step
from tests.builders import a_result


def skipped(unique_id: str, *depends_on: str) -> Result:
    return Result(unique_id, Status.SKIPPED, "skipped", depends_on=depends_on)


def good(unique_id: str) -> Result:
    return Result(unique_id, Status.GOOD, "success")


def explained(*results: Result) -> dict[str, tuple[str, ...]]:
    """The names of skipped nodes, by the name of the node they were skipped for."""
    found = diagnose(Answer(results=results))
    return {cause.result.name: cause.skipped for cause in found.causes}


def from_log(log: str, name: str = "Invoke dbt with `dbt build`") -> str:
    step = Step(3, name, failed=True, logs=log)
    return diagnose(Answer(run=RunDetails(steps=(step,)))).text


def test_causes_are_told_apart_from_what_was_skipped():
    found = diagnose(
        Answer(results=(good("model.s.a"), a_result("model.s.b"), skipped("model.s.c")))
    )

    assert [cause.result.name for cause in found.causes] == ["b"]
    assert found.skipped == 1


def test_a_node_is_skipped_for_the_failed_node_above_it_however_far():
    found = explained(
        a_result("model.s.orders"),
        a_result("model.s.customers"),
        skipped("model.s.report", "model.s.daily"),
        skipped("model.s.daily", "model.s.orders"),
        skipped("model.s.mail", "model.s.customers"),
    )

    assert found == {"orders": ("daily", "report"), "customers": ("mail",)}


def test_a_failed_test_explains_what_was_skipped_below_the_model_it_tests():
    found = explained(
        a_result("test.s.unique_orders_id.abc", depends_on=("model.s.orders",)),
        a_result("model.s.other"),
        skipped("model.s.daily", "model.s.orders"),
    )

    assert found == {"unique_orders_id": ("daily",), "other": ()}


def test_the_only_failed_node_explains_all_that_was_skipped():
    found = explained(a_result("seed.s.raw"), skipped("model.s.a"), skipped("model.s.b"))

    assert found == {"raw": ("a", "b")}


def test_nodes_skipped_for_nothing_known_are_counted_all_the_same():
    found = diagnose(
        Answer(results=(a_result("model.s.a"), a_result("model.s.b"), skipped("model.s.c")))
    )

    assert found.skipped == 1
    assert [cause.skipped for cause in found.causes] == [(), ()]


def test_dependencies_in_a_circle_come_to_an_end():
    found = explained(
        a_result("model.s.a"),
        a_result("model.s.b"),
        skipped("model.s.c", "model.s.d"),
        skipped("model.s.d", "model.s.c"),
    )

    assert found == {"a": (), "b": ()}


def test_the_path_is_read_from_the_header_of_the_error():
    message = "Database Error in model orders (models/marts/orders.sql)\n  no such column: n"

    (cause,) = diagnose(Answer(results=(a_result(message=message),))).causes

    assert cause.path == "models/marts/orders.sql"
    assert cause.message == message


def test_colours_and_control_characters_are_removed_from_what_dbt_says():
    assert clean("\x1b[0m\x1b[31mError\x1b[0m\x07 in\r\nmodel\x00") == "Error in\nmodel"


@given(st.text())
def test_whatever_is_said_can_be_sent_on(text):
    found = clean(text)

    found.encode("utf-8")
    assert not any(ord(character) < 32 and character not in "\n\t" for character in found)


def test_without_nodes_the_failed_step_explains_from_its_first_error_on():
    log = (
        "10:00:01  Running with dbt=1.10\n10:00:02  Encountered an error:\nCompilation Error\n  bad"
    )

    assert from_log(log) == (
        "Step failed: Invoke dbt with `dbt build`\nEncountered an error:\nCompilation Error\n  bad"
    )


def test_a_failed_clone_is_explained_by_its_log():
    log = "Cloning into '.'...\nERROR: Repository not found.\nfatal: Could not read"

    assert "Repository not found" in from_log(log, "Clone git repository")


def test_of_a_long_log_only_the_end_is_told():
    log = "\n".join(f"line {n}" for n in range(10_000))

    text = from_log(log)

    assert text.count("\n") == LOG_LINES
    assert text.endswith("line 9999")


def test_a_run_of_which_nothing_is_known_has_no_causes_and_no_text():
    found = diagnose(Answer(notes=("dbt Cloud did not answer",)))

    assert (found.causes, found.text, found.notes) == ((), "", ("dbt Cloud did not answer",))


@pytest.mark.parametrize(
    ("unique_id", "kind", "name"),
    [
        ("model.shop.orders", "model", "orders"),
        ("test.shop.unique_orders_id.fed79b3a6e", "test", "unique_orders_id"),
        ("test.shop.singular_test", "test", "singular_test"),
        ("source.shop.till.receipts", "source", "till.receipts"),
        ("snapshot.shop.customers_snapshot", "snapshot", "customers_snapshot"),
        ("operation.shop.shop-on-run-end-0", "operation", "shop-on-run-end-0"),
        ("odd", "odd", "odd"),
    ],
)
def test_kind_and_name_are_read_from_the_unique_id(unique_id, kind, name):
    result = a_result(unique_id)

    assert (result.kind, result.name) == (kind, name)


def test_ten_thousand_nodes_are_diagnosed_in_one_go():
    failing = [a_result(f"model.s.f{n}") for n in range(1_000)]
    chain = [skipped(f"model.s.k{n}", f"model.s.f{n % 1_000}") for n in range(9_000)]

    found = diagnose(Answer(results=(*failing, *chain)))

    assert len(found.causes) == 1_000
    assert all(len(cause.skipped) == 9 for cause in found.causes)


def test_a_chain_of_ten_thousand_skipped_nodes_in_any_order_is_diagnosed_in_one_go():
    chain = [skipped(f"model.s.k{n}", f"model.s.k{n - 1}") for n in range(10_000, 1, -1)]

    found = explained(
        a_result("model.s.k1"),
        a_result("model.s.other"),
        *chain,
    )

    assert len(found["k1"]) == 9_999
