"""What failed, why, and what was skipped because of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriber.diagnosis import LOG_LIMIT, Cause, Diagnosis, Group, clean, diagnose, groups
from subscriber.run import Answer, Level, Result, RunDetails, Status, Step
from tests.builders import a_result


def skipped(unique_id: str, *depends_on: str) -> Result:
    return Result(unique_id, Status.SKIPPED, "skipped", depends_on=depends_on)


def good(unique_id: str) -> Result:
    return Result(unique_id, Status.GOOD, "success")


def explained(*results: Result) -> dict[str, tuple[str, ...]]:
    """The names of skipped nodes, by the name of the node they were skipped for."""
    found = diagnose(Answer(results=results))
    return {cause.result.name: cause.skipped for cause in found.causes}


def a_step(command: str, logs: str = "") -> Step:
    return Step(3, command, failed=True, logs=logs)


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


def test_a_failed_node_below_another_is_a_cause_of_its_own():
    found = explained(
        a_result("model.s.orders"),
        skipped("model.s.daily", "model.s.orders"),
        a_result("model.s.report", depends_on=("model.s.daily", "model.s.orders")),
        skipped("model.s.mail", "model.s.report"),
    )

    assert found == {"orders": ("daily",), "report": ("mail",)}


def test_a_model_that_failed_itself_is_blamed_before_its_test():
    found = explained(
        a_result("test.s.unique_orders_id.abc", depends_on=("model.s.orders",)),
        a_result("model.s.orders"),
        skipped("model.s.daily", "model.s.orders"),
    )

    assert found == {"unique_orders_id": (), "orders": ("daily",)}


def test_a_failed_test_explains_what_was_skipped_below_the_model_it_tests():
    found = explained(
        a_result("test.s.unique_orders_id.abc", depends_on=("model.s.orders",)),
        a_result("model.s.other"),
        skipped("model.s.daily", "model.s.orders"),
    )

    assert found == {"unique_orders_id": ("daily",), "other": ()}


def test_a_failed_unit_test_explains_the_model_it_tests_and_what_is_below_it():
    found = explained(
        a_result("unit_test.s.orders.adds_up", depends_on=("model.s.orders",)),
        a_result("model.s.other"),
        skipped("model.s.daily", "model.s.orders"),
        skipped("model.s.orders", "model.s.raw"),
    )

    assert found == {"orders.adds_up": ("orders", "daily"), "other": ()}


def test_a_unit_test_without_dependencies_names_its_model_itself():
    found = explained(
        a_result("unit_test.s.orders.adds_up"),
        a_result("unit_test.s.odd"),
        skipped("model.s.daily", "model.s.orders"),
        skipped("model.s.orders"),
    )

    assert found == {"orders.adds_up": ("orders", "daily"), "odd": ()}


def test_a_model_that_two_failed_tests_test_is_counted_once():
    found = explained(
        a_result("unit_test.s.orders.one"),
        a_result("unit_test.s.orders.two"),
        skipped("model.s.orders"),
    )

    assert found == {"orders.one": ("orders",), "orders.two": ()}


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


def test_a_path_that_is_known_goes_before_the_one_in_the_header():
    message = "Database Error in model orders (models/marts/orders.sql)\n  no such column: n"

    (cause,) = diagnose(Answer(results=(a_result(message=message, path="models/o.sql"),))).causes

    assert cause.path == "models/o.sql"


def test_the_line_that_says_most_is_the_one_below_dbts_header():
    message = "Database Error in model orders (models/marts/orders.sql)\n  no such column: n"

    (cause,) = diagnose(Answer(results=(a_result(message=message),))).causes

    assert cause.line == "no such column: n"


def test_colours_and_control_characters_are_removed_from_what_dbt_says():
    assert clean("\x1b[0m\x1b[31mError\x1b[0m\x07 in\r\nmodel\x00") == "Error in\nmodel"


@pytest.mark.parametrize(
    "unseen", ["\u202e", "\u2066", "\u200b", "\u200d", "\u200f", "\ufeff", "\xad", "\U000e0041"]
)
def test_what_is_not_seen_but_changes_how_a_text_reads_is_removed(unseen):
    assert clean(f"model ord{unseen}ers failed") == "model orders failed"


def test_a_secret_is_found_though_what_is_not_seen_stands_in_it():
    assert clean("pass\u200bword: \x1b[31mhunter2\x1b[0m") == "password: [redacted]"


def test_letters_of_every_language_stay():
    assert clean("Umsätze für 日本 🧨 مرحبا") == "Umsätze für 日本 🧨 مرحبا"


@settings(deadline=None)
@given(st.text() | st.text(alphabet="\x1b\x9b[]m0;\\\x07 \u202ea"))
def test_whatever_is_said_can_be_sent_on(text):
    found = clean(text)

    found.encode("utf-8")
    assert not any(ord(character) < 32 and character not in "\n\t" for character in found)
    assert clean(found) == found


def test_no_secret_leaves_with_a_message_a_path_a_note_a_log_or_the_name_of_a_step():
    secret = "hunter2"
    run = RunDetails(steps=(a_step(f"dbt run --token {secret}", f"fatal: password={secret}"),))
    result = a_result(message=f"Database Error\n  password: {secret}", path=f"token={secret}.sql")

    of_node = diagnose(Answer(results=(result,), notes=(f"password: {secret}",)))
    of_step = diagnose(Answer(run=run))

    assert "[redacted]" in of_step.text
    assert secret not in f"{of_node.causes[0].message} {of_node.causes[0].path} {of_node.notes}"
    assert secret not in of_step.text


def test_without_nodes_the_failed_step_is_named_with_what_its_log_says():
    log = (
        "10:00:01  Running with dbt=1.10\n10:00:02  Encountered an error:\nCompilation Error\n  bad"
    )

    assert from_log(log) == ("Step failed: Invoke dbt with `dbt build`\nCompilation Error\n  bad")


def test_a_step_that_wrote_nothing_is_named_all_the_same():
    assert from_log("", "Clone git repository") == "Step failed: Clone git repository"


def test_of_several_failed_steps_the_last_one_ended_the_run():
    run = RunDetails(
        steps=(a_step("dbt source freshness", "stale"), a_step("dbt build", "fatal: bad"))
    )

    assert diagnose(Answer(run=run)).text == "Step failed: dbt build\nfatal: bad"


def test_stale_sources_do_not_explain_why_a_build_could_not_start():
    run = RunDetails(
        steps=(a_step("dbt source freshness"), a_step("dbt build", "Compilation Error\n  bad"))
    )

    found = diagnose(Answer(run=run, results=(a_result("source.s.till.receipts"),)))

    assert [cause.result.name for cause in found.causes] == ["till.receipts"]
    assert found.text == "Step failed: dbt build\nCompilation Error\n  bad"


def test_a_failed_node_explains_its_step():
    run = RunDetails(steps=(a_step("dbt build", "Failure in model orders"),))

    assert diagnose(Answer(run=run, results=(a_result(),))).text == ""


def test_of_a_huge_log_only_the_end_is_read():
    log = "fatal: long ago\n" + "fine and well\n" * (LOG_LIMIT // 10) + "fatal: at last"

    assert from_log(log, "dbt build") == "Step failed: dbt build\nfatal: at last"


def test_a_run_of_which_nothing_is_known_has_no_causes_and_no_text():
    found = diagnose(Answer(notes=("dbt Cloud did not answer",)))

    assert (found.causes, found.text, found.notes) == ((), "", ("dbt Cloud did not answer",))


def test_warnings_are_the_nodes_that_warned_and_the_sources_that_are_not_fresh():
    found = diagnose(
        Answer(
            results=(
                good("model.s.a"),
                a_result("test.s.warns.abc", status=Status.WARNED, said="warn"),
                a_result("source.s.till.receipts"),
                a_result("source.s.till.tills", status=Status.WARNED, said="warn"),
                skipped("model.s.b"),
            )
        ),
        Level.WARNING,
    )

    assert [cause.result.name for cause in found.causes] == ["warns", "till.receipts", "till.tills"]
    assert found.skipped == 0


def test_a_node_that_warned_is_no_cause_of_a_failure():
    warned = a_result("test.s.warns.abc", status=Status.WARNED, said="warn")

    assert not diagnose(Answer(results=(warned,))).is_known


def test_a_step_that_failed_in_a_good_run_is_told_with_what_its_log_says():
    run = RunDetails(steps=(a_step("dbt docs generate", "Encountered an error:\nRuntime Error"),))
    warned = a_result("test.s.warns.abc", status=Status.WARNED, said="warn")

    found = diagnose(Answer(run=run, results=(warned,)), Level.WARNING)

    assert found.text == "Step failed: dbt docs generate\nRuntime Error"
    assert found.is_known


def test_stale_sources_explain_the_freshness_step_of_a_good_run():
    run = RunDetails(
        steps=(a_step("dbt source freshness", "fatal: x"), a_step("dbt docs generate", "fatal: y"))
    )

    found = diagnose(Answer(run=run, results=(a_result("source.s.till.x"),)), Level.WARNING)

    assert found.text == "Step failed: dbt docs generate\nfatal: y"


def test_only_the_causes_that_are_wanted_are_left_with_what_was_skipped_and_every_note():
    found = diagnose(
        Answer(
            results=(
                a_result("model.s.orders", tags=("finance",)),
                a_result("model.s.visits"),
                skipped("model.s.daily", "model.s.orders"),
                skipped("model.s.x", "model.s.visits"),
                skipped("model.s.y", "model.s.visits"),
            ),
            notes=("Discovery did not answer",),
        )
    )

    finance = found.only(lambda result: "finance" in result.tags)

    assert found.skipped == 3
    assert [cause.result.name for cause in finance.causes] == ["orders"]
    assert finance.skipped == 1
    assert (finance.text, finance.notes) == ("", ("Discovery did not answer",))


def test_a_diagnosis_without_causes_may_be_about_wanted_nodes_and_is_left_as_it_is():
    found = diagnose(Answer(run=RunDetails(steps=(a_step("dbt build", "fatal: x"),)), notes=("n",)))

    assert found.only(lambda _: False) is found
    assert found.text
    assert not found.is_known


def test_each_cause_has_the_fingerprint_of_its_error():
    found = diagnose(
        Answer(
            results=(
                a_result("model.s.a", message="Database Error in model a (m/a.sql)\n  took 5 s"),
                a_result("model.s.b", message="Database Error in model b (m/b.sql)\n  took 7 s"),
                a_result("model.s.c", message="Database Error in model c (m/c.sql)\n  no disk"),
            )
        )
    )

    nodes = found.nodes

    assert list(nodes) == ["model.s.a", "model.s.b", "model.s.c"]
    assert nodes["model.s.a"] == nodes["model.s.b"] != nodes["model.s.c"]


def test_a_source_that_goes_from_warning_to_failing_has_another_error():
    age = "last loaded 3 d before the check"
    warned = Cause(a_result("source.s.till.x", status=Status.WARNED, said="warn"), age)
    failed = Cause(a_result("source.s.till.x", said="error"), age)
    older = Cause(a_result("source.s.till.y", said="error"), age.replace("3 d", "4 d 2 h"))

    assert warned.fingerprint != failed.fingerprint == older.fingerprint


def causes_of(*results: Result) -> tuple[Cause, ...]:
    return diagnose(Answer(results=results)).causes


def named(grouped: tuple[Group, ...]) -> list[tuple[str, list[str]]]:
    return [(group.title, [cause.result.name for cause in group.causes]) for group in grouped]


def test_causes_are_grouped_by_owner_the_largest_group_first_else_in_dbts_order():
    causes = causes_of(
        a_result("model.s.a", is_described=True),
        a_result("model.s.b", owner="web"),
        a_result("model.s.c", owner="finance"),
        a_result("model.s.d", owner="finance"),
    )

    assert named(groups(causes, "owner")) == [
        ("finance", ["c", "d"]),
        ("no owner", ["a"]),
        ("web", ["b"]),
    ]


def test_who_owns_a_node_that_was_not_looked_up_is_not_said_to_be_nobody():
    causes = causes_of(
        a_result("model.s.a", is_described=True),
        a_result("model.s.b"),
        a_result("model.s.c"),
        a_result("test.s.d", owner="web"),
    )

    assert named(groups(causes, "owner")) == [
        ("owner not looked up", ["b", "c"]),
        ("no owner", ["a"]),
        ("web", ["d"]),
    ]


def test_causes_are_grouped_by_error_and_titled_with_its_line():
    causes = causes_of(
        a_result("model.s.a", message="Database Error in model a (m/a.sql)\n  no disk"),
        a_result("model.s.b", message="Database Error in model b (m/b.sql)\n  took 7 s"),
        a_result("model.s.c", message="Database Error in model c (m/c.sql)\n  took 5 s"),
        a_result("model.s.d", message=""),
    )

    assert named(groups(causes, "cause")) == [
        ("took 7 s", ["b", "c"]),
        ("no disk", ["a"]),
        ("no message", ["d"]),
    ]


def test_no_causes_make_no_groups():
    assert groups((), "owner") == groups((), "cause") == ()


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


def test_parts_put_together_again_lose_nothing_that_either_says():
    whole = diagnose(Answer(results=(a_result("model.a.x"), a_result("model.a.y")), notes=("n",)))
    one = whole.only(lambda node: node.name == "x")
    other = Diagnosis(whole.only(lambda node: node.name == "y").causes, skipped=3, text="log")

    both = one.joined(other).joined(whole)

    assert list(both.nodes) == ["model.a.x", "model.a.y"]
    assert (both.skipped, both.text, both.notes) == (3, "log", ("n",))


@pytest.mark.parametrize("text", ["👩‍👩‍👧", "🏳️‍🌈", "❤️‍🔥"])
def test_what_joins_pictures_to_one_is_kept(text: str) -> None:
    assert clean(f"a {text} b") == f"a {text} b"


def test_what_joins_letters_that_nobody_sees_is_not() -> None:
    assert clean("or\u200ddesk\u200bs") == "ordesks"
