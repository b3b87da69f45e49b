"""Results: what artifacts say, and what remains of it when several steps say something."""

from typing import Any

import pytest

from subscriber.dbt_cloud.results import Written, from_artifact, joined, merged
from subscriber.run import Result, Status
from tests.builders import a_result

ORDERS = "model.shop.orders"


def run_results(which: str | None = "build", **statuses: str) -> dict[str, Any]:
    args = {} if which is None else {"which": which}
    results = [{"unique_id": f"model.shop.{name}", "status": s} for name, s in statuses.items()]
    return {"metadata": {"env": {}}, "args": args, "results": results}


def statuses(*steps: Written) -> dict[str, Status]:
    return {result.name: result.status for result in merged(steps)}


def written(which: str | None = "build", command: str = "", **said: str) -> Written:
    return from_artifact("run_results.json", run_results(which, **said), command)


def good(unique_id: str = ORDERS) -> Result:
    return a_result(unique_id, status=Status.GOOD, said="success")


@pytest.mark.parametrize("which", ["generate", "compile", "parse", "list", "clone", "show"])
def test_what_only_compiled_is_not_good(which):
    assert statuses(written(which, orders="success")) == {}


def test_what_did_not_compile_failed():
    assert statuses(written("generate", orders="error")) == {"orders": Status.FAILED}


def test_an_artifact_that_does_not_name_its_command_is_taken_for_its_steps():
    assert statuses(written(None, "build", orders="success")) == {"orders": Status.GOOD}
    assert statuses(written(None, "docs", orders="success")) == {}
    assert statuses(written(None, "", orders="success")) == {}


@pytest.mark.parametrize(
    ("first", "second", "remains"),
    [
        ("success", "error", Status.FAILED),
        ("error", "success", Status.GOOD),
        ("success", "skipped", Status.GOOD),
        ("error", "skipped", Status.FAILED),
        ("error", "brand new", Status.FAILED),
        ("skipped", "success", Status.GOOD),
        ("success", "warn", Status.WARNED),
        ("success", "reused", Status.GOOD),
        ("error", "reused", Status.FAILED),
        ("warn", "no-op", Status.WARNED),
        ("reused", "success", Status.GOOD),
        ("reused", "error", Status.FAILED),
        ("skipped", "no-op", Status.REUSED),
    ],
)
def test_a_later_step_wins_only_if_it_executed_the_node(first, second, remains):
    assert statuses(written(orders=first), written(orders=second)) == {"orders": remains}


@pytest.mark.parametrize("said", ["reused", "no-op"])
def test_what_was_left_as_it_was_is_not_called_executed(said):
    assert statuses(written(orders=said)) == {"orders": Status.REUSED}


def test_discovery_does_not_take_back_that_a_step_executed_a_node():
    reused = a_result(status=Status.REUSED, said="reused")

    assert joined([good()], [reused]) == (good(),)
    assert joined([reused], [good()]) == (good(),)


def test_the_age_of_a_source_is_said_as_people_say_it():
    row = {
        "unique_id": "source.shop.till.receipts",
        "status": "error",
        "max_loaded_at_time_ago_in_s": 259_200.4,
        "criteria": {"error_after": {"count": 2, "period": "day"}},
    }

    (result,) = from_artifact("sources.json", {"results": [row]}, "source").results

    assert result.message == "last loaded 3 d before the check, error after 2 days"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("pass", Status.GOOD),
        ("Pass", Status.GOOD),
        ("warn", Status.WARNED),
        ("Warn", Status.WARNED),
        ("error", Status.FAILED),
        ("Error", Status.FAILED),
        ("runtime error", Status.FAILED),
        ("Runtime Error", Status.FAILED),
    ],
)
@pytest.mark.parametrize("name", ["sources.json", "freshness.json"])
def test_freshness_is_read_in_the_words_of_every_version(name, said, status):
    row = {"unique_id": "source.shop.till.receipts", "status": said}

    (result,) = from_artifact(name, {"results": [row]}, "source").results

    assert result.status is status


def test_a_model_that_is_fresh_was_not_executed():
    rows = [
        {"unique_id": ORDERS, "status": "Pass"},
        {"unique_id": "model.shop.old", "status": "Error"},
    ]

    found = from_artifact("freshness.json", {"results": rows}, "freshness")

    assert statuses(found) == {"old": Status.FAILED}


@pytest.mark.parametrize(
    "artifact",
    [{}, {"results": None}, {"results": [1, {}]}, {"args": 1, "metadata": [], "results": []}],
)
def test_an_artifact_that_is_not_what_it_should_be_says_nothing(artifact):
    assert from_artifact("run_results.json", artifact, "build") == Written(())


def test_discovery_is_believed_and_keeps_the_words_of_the_artifact():
    told = a_result(said="fail", message="Got 2 results")
    listed = a_result(said="error", message="")

    assert joined([told], [listed]) == (told,)
    assert joined([told], [good()]) == (good(),)


def test_a_node_that_discovery_calls_skipped_was_executed_if_a_step_says_so():
    assert joined([good()], [a_result(status=Status.SKIPPED, said="skipped")]) == (good(),)
