"""The samples say what real dbt said; these are the facts that others rely on."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lab.dbt_cloud import samples
from lab.dbt_cloud.samples import RUNS, Sample
from lab.dbt_cloud.statuses import ERROR, SUCCESS

NAMES = sorted(folder.name for folder in RUNS.iterdir())
FILES = sorted(path for path in RUNS.rglob("*") if path.is_file())


def results(sample: Sample, path: str = "run_results.json") -> list[dict[str, Any]]:
    """The results of all steps."""
    return [r for s in sample.steps for r in (s.artifacts or {}).get(path, {}).get("results", ())]


def statuses(name: str, path: str = "run_results.json") -> Counter[str]:
    return Counter(result["status"] for result in results(samples.load(name), path))


def test_there_is_a_sample_of_everything_that_the_lab_tells() -> None:
    assert NAMES == [
        "compile_error",
        "failing_test",
        "model_error",
        "seed_failure",
        "several_steps",
        "source_freshness",
        "success",
        "tolerated_freshness",
        "warning",
    ]


def test_a_success_executed_everything_and_nothing_warned() -> None:
    assert samples.load("success").status == SUCCESS
    assert set(statuses("success")) == {"success", "pass", "no-op"}


def test_a_failing_model_is_an_error_and_what_depends_on_it_is_skipped() -> None:
    found = statuses("model_error")

    assert samples.load("model_error").status == ERROR
    assert found["error"] == 1
    assert found["skipped"] > 5
    failed = [r for r in results(samples.load("model_error")) if r["status"] == "error"]
    assert failed[0]["unique_id"] == "model.teahouse.orders"
    assert "Could not convert string" in failed[0]["message"]


def test_a_failing_test_fails_the_run_and_skips_what_depends_on_the_tested() -> None:
    found = statuses("failing_test")

    assert samples.load("failing_test").status == ERROR
    assert (found["fail"], found["error"]) == (1, 0)
    assert found["skipped"] > 0


def test_a_test_that_only_warns_leaves_the_run_successful() -> None:
    assert samples.load("warning").status == SUCCESS
    assert statuses("warning")["warn"] == 1
    assert set(statuses("warning")) == {"success", "pass", "warn", "no-op"}


def test_a_seed_that_cannot_be_loaded_is_an_error() -> None:
    failed = [r for r in results(samples.load("seed_failure")) if r["status"] == "error"]

    assert [result["unique_id"] for result in failed] == ["seed.teahouse.raw_orders"]


def test_a_project_that_does_not_compile_leaves_a_log_and_no_artifact() -> None:
    last = samples.load("compile_error").steps[-1]

    assert last.status == ERROR
    assert not last.artifacts
    assert "depends on a node named 'stg_custmers' which was not found" in last.logs


def test_a_stale_source_fails_the_step_that_looks_and_ends_the_run() -> None:
    sample = samples.load("source_freshness")

    assert [step.command for step in sample.steps] == ["dbt deps", "dbt source freshness"]
    assert sample.status == ERROR
    assert statuses("source_freshness", "sources.json") == {"error": 1, "warn": 1, "pass": 1}


def test_where_dbt_cloud_tolerates_a_stale_source_the_run_goes_on_and_succeeds() -> None:
    sample = samples.load("tolerated_freshness")

    assert [step.status for step in sample.steps] == [SUCCESS, ERROR, SUCCESS]
    assert sample.status == SUCCESS


def test_the_results_of_docs_generate_say_success_of_what_was_not_executed() -> None:
    last = samples.load("several_steps").steps[-1]

    assert last.artifacts is not None
    docs = last.artifacts["run_results.json"]
    assert docs["args"]["which"] == "generate"
    assert {r["status"] for r in docs["results"]} == {"success"}
    assert any(r["unique_id"].startswith("test.") for r in docs["results"])


@pytest.mark.parametrize("name", NAMES)
def test_the_log_of_every_step_has_its_colours(name: str) -> None:
    assert all("\x1b[0m" in step.logs for step in samples.load(name).steps)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "compile_error"])
def test_every_result_is_of_a_node_of_the_manifest(name: str) -> None:
    sample = samples.load(name)
    manifest = next(a["manifest.json"] for s in sample.steps if (a := s.artifacts))

    known = manifest["nodes"].keys() | manifest["sources"].keys() | manifest["exposures"].keys()

    found = results(sample) + results(sample, "sources.json")
    assert {result["unique_id"] for result in found} <= known


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(RUNS)))
def test_no_file_tells_of_the_machine_it_was_made_on(path: Path) -> None:
    text = path.read_text()

    assert not any(f"{place}/" in text for place in ("/home", "/root", "/tmp", "/Users", "/var"))  # noqa: S108


def test_all_of_them_together_are_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < 1_000_000
