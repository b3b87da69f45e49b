"""Steps: what their names say of what they did."""

import pytest

from subscriber.dbt_cloud import steps
from subscriber.run import Step


def a_step(command: str, *, failed: bool = False, has_begun: bool = True) -> Step:
    return Step(3, f"Invoke dbt with `{command}`", failed, has_begun=has_begun)


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ("dbt build", "build"),
        ("dbt build --select tag:freshness", "build"),
        ("dbt --warn-error --log-level debug run -s test", "run"),
        ("dbt docs generate", "docs"),
        ("dbt source freshness --select source:till", "source"),
        ("dbt something-new", ""),
        ("dbt", ""),
    ],
)
def test_a_command_is_found_whatever_its_flags(written, command):
    assert steps.command(a_step(written)) == command


def test_a_name_without_quotes_has_its_command_all_the_same():
    assert steps.command(Step(1, "dbt test --select orders", failed=False)) == "test"


@pytest.mark.parametrize(
    "command",
    ["build", "run", "test", "seed", "snapshot", "retry", "source freshness", "freshness", "new"],
)
def test_what_may_execute_nodes_is_read(command):
    assert steps.executed(a_step(f"dbt {command}"))


@pytest.mark.parametrize(
    "command", ["docs generate", "compile", "parse", "list", "ls", "deps", "clone", "show"]
)
def test_what_executes_no_node_is_not_read(command):
    assert not steps.executed(a_step(f"dbt {command}"))


@pytest.mark.parametrize("name", ["Clone git repository", "Create profile from connection X"])
def test_steps_of_dbt_clouds_own_have_no_results(name):
    failed = Step(1, name, failed=True)

    assert not steps.executed(failed)
    assert not steps.failed(failed)


@pytest.mark.parametrize(
    ("command", "reads"), [("build", True), ("compile", True), ("deps", False)]
)
def test_a_step_that_failed_is_read_if_it_may_say_for_which_nodes(command, reads):
    assert steps.failed(a_step(f"dbt {command}", failed=True)) is reads


def test_a_step_that_was_never_reached_is_not_read():
    assert not steps.executed(a_step("dbt build", has_begun=False))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("build --select tag:freshness", "run_results.json"),
        ("source freshness", "sources.json"),
        ("source snapshot-freshness", "sources.json"),
        ("freshness", "freshness.json"),
        ("run -s freshness", "run_results.json"),
    ],
)
def test_only_checks_of_freshness_have_their_results_elsewhere(command, name):
    assert steps.artifact(a_step(f"dbt {command}")) == name
