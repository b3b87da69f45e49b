"""Variations agree with what dbt wrote where the same thing was recorded, and change no sample."""

import re
from copy import deepcopy
from typing import Any

import pytest

from lab.dbt_cloud import samples, variations
from lab.dbt_cloud.samples import Sample
from lab.dbt_cloud.statuses import ERROR, SUCCESS

GOOD = samples.load("success")
WARNED = samples.load("warning")


def rows(sample: Sample) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (sample.steps[-1].artifacts or {})["run_results.json"]["results"]
    return found


def statuses(sample: Sample) -> dict[str, str]:
    return {row["unique_id"]: row["status"] for row in rows(sample)}


def without_measures(sample: Sample, unique_id: str) -> dict[str, Any]:
    """A result, but for what differs from one run of dbt to the next."""
    (found,) = (row for row in rows(sample) if row["unique_id"] == unique_id)
    measured = ("timing", "thread_id", "execution_time", "message", "compiled_code")
    return {key: value for key, value in found.items() if key not in measured}


def said(sample: Sample) -> list[str]:
    """The lines of the last step's log, without their times and colours."""
    plain = re.sub(r"\x1b\[\d*m", "", sample.steps[-1].logs)
    return [line[10:] for line in plain.splitlines()]


@pytest.mark.parametrize(
    ("name", "recorded"),
    [("orders", "model_error"), ("unique_stg_customers_customer_id", "failing_test")],
)
def test_what_is_skipped_is_what_dbt_skipped(name: str, recorded: str) -> None:
    varied = variations.failing(GOOD, name)

    assert varied.status == ERROR
    assert statuses(varied) == statuses(samples.load(recorded))


def test_results_have_the_shape_of_recorded_ones() -> None:
    varied, recorded = variations.failing(GOOD, "orders"), samples.load("model_error")

    for unique_id in statuses(recorded):
        assert without_measures(varied, unique_id) == without_measures(recorded, unique_id)


def test_an_error_begins_with_the_header_of_a_recorded_one() -> None:
    (varied,) = (r for r in rows(variations.failing(GOOD, "orders")) if r["status"] == "error")
    (recorded,) = (r for r in rows(samples.load("model_error")) if r["status"] == "error")

    assert varied["message"].split("\n")[0] == recorded["message"].split("\n")[0]


def test_a_test_of_two_nodes_holds_up_only_what_depends_on_both() -> None:
    name = "relationships_stg_orders_customer_id__customer_id__ref_stg_customers_"

    skipped = {k for k, v in statuses(variations.failing(GOOD, name)).items() if v == "skipped"}

    assert "model.teahouse.customers" in skipped
    assert "model.teahouse.orders" not in skipped


def test_a_warning_reads_as_a_recorded_one() -> None:
    varied = variations.warning(GOOD, "not_null_stg_teas_origin")

    assert varied.status == SUCCESS
    assert statuses(varied) == statuses(WARNED)


def test_the_log_ends_as_a_recorded_one_does() -> None:
    varied = said(variations.failing(GOOD, "orders"))
    recorded = said(samples.load("model_error"))

    assert varied[0] in recorded
    assert varied[2] in recorded
    assert varied[-1] == recorded[-1]


def test_a_retry_executes_what_had_failed_or_been_skipped() -> None:
    failed = variations.failing(GOOD, "customers")

    retried = variations.retrying(failed, GOOD)

    assert retried.status == SUCCESS
    assert retried.steps[-1].command == "dbt retry"
    bad = {k for k, v in statuses(failed).items() if v in ("error", "skipped")}
    assert statuses(retried).keys() == bad
    assert set(statuses(retried).values()) <= {"success", "pass"}


def test_a_selection_executes_nothing_else() -> None:
    selected = variations.selecting(variations.failing(GOOD, "orders"), "orders")

    assert statuses(selected) == {"model.teahouse.orders": "error"}
    assert variations.selecting(GOOD, "orders", "customers").status == SUCCESS


def test_a_node_that_was_removed_is_in_neither_file_and_nothing_depends_on_it() -> None:
    removed = variations.without(GOOD, "customers")

    artifacts = removed.steps[-1].artifacts or {}
    assert "customers_customer_id" not in str(rows(removed)).replace("stg_customers", "")
    assert "model.teahouse.customers" not in str(artifacts["manifest.json"])
    assert "model.teahouse.orders" in statuses(removed)


def test_a_large_project_has_as_many_nodes_as_were_asked_for() -> None:
    found = list(statuses(variations.large(GOOD, 200, 30)).values())

    assert (len(found), found.count("error"), found.count("success")) == (200, 30, 170)


def test_a_sample_stays_as_it_was_recorded() -> None:
    before = deepcopy(GOOD)

    variations.failing(GOOD, "orders", "raw_teas")
    variations.without(variations.warning(GOOD, "not_null_stg_teas_origin"), "orders")

    assert before == GOOD
