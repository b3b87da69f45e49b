"""Sequences of runs, and exactly what PagerDuty is sent of them: on both ledgers and queues."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from lab.dbt_cloud import samples
from lab.dbt_cloud.readiness import Readiness
from lab.dbt_cloud.state import Run
from lab.dbt_cloud.variations import failing, large, retrying, selecting, warning, without
from lab.pubsub.server import PubSub
from tests.emulators import ON_FIRESTORE
from tests.end_to_end.pager import resolves, triggers
from tests.end_to_end.stage import NOTHING_ELSE, Stage, on_firestore, set_up

GOOD = samples.load("success")

FINANCE, ASSORTMENT = "f" * 32, "a" * 32  # routing keys of two teams

# each test has a job, and an environment, of its own; the environment's name chooses the rules
CONFIGURATION = """
version: 1
dbt_cloud:
  {token: secret:dbt-cloud-service-token, accounts: [ACCOUNT],
   base_url: DBT_CLOUD_URL, metadata_url: METADATA_URL}
destinations:
  oncall: {kind: pagerduty, routing_key: secret:pd-routing-key, base_url: PAGERDUTY_URL}
  finance: {kind: pagerduty, routing_key: secret:pd-finance, base_url: PAGERDUTY_URL}
  assortment: {kind: pagerduty, routing_key: secret:pd-assortment, base_url: PAGERDUTY_URL}
rules:
  - {name: jobs, when: {outcome: failed, environment: By job}, then: [oncall]}
  - name: nodes
    when: {outcome: failed, environment: By node}
    alert: {per: node}
    then: [oncall]
  - name: runs
    when: {outcome: failed, environment: By run}
    alert: {per: run}
    then: [oncall]
  - name: what is tagged
    when: {outcome: failed, environment: By tag, nodes: {tag: finance}}
    then: [oncall]
  - {name: warnings too, when: {outcome: [failed, warned], environment: Warnings}, then: [oncall]}
  - name: finance
    when: {outcome: failed, environment: By team, nodes: {group: finance}}
    then: [finance]
  - name: assortment
    when: {outcome: failed, environment: By team, nodes: {group: assortment}}
    then: [assortment]
  - name: at the third
    when: {outcome: failed, environment: At the third}
    alert: {after: {runs: 3}}
    then: [oncall]
"""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("lab", marks=pytest.mark.xdist_group("episodes on the lab's Pub/Sub")),
        pytest.param("google", marks=ON_FIRESTORE),
    ],
)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The lab's Pub/Sub with SQLite, or Google's emulators; one subscriber for all tests."""
    folder = tmp_path_factory.mktemp("stage")
    if request.param == "lab":
        with PubSub().running() as pubsub, set_up(pubsub.host, folder) as stage:
            yield with_teams(stage)
    else:
        host = request.getfixturevalue("firestore_emulator")
        with set_up(request.getfixturevalue("pubsub_emulator"), folder) as stage:
            yield with_teams(stage, on_firestore(host, stage.stands.project))


def with_teams(stage: Stage, environ: Mapping[str, str] = NOTHING_ELSE) -> Stage:
    """`stage` with the routing keys of two teams, and a subscriber."""
    stage.stands.pagerduty.routing_keys |= {FINANCE, ASSORTMENT}
    stage.stands.secrets.put("pd-finance", FINANCE)
    stage.stands.secrets.put("pd-assortment", ASSORTMENT)
    stage.subscriber(CONFIGURATION, environ)
    return stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    return running.cleared()


def test_a_problem_is_told_once_then_what_changed_then_that_it_is_over(stage: Stage):
    job = stage.job("By job")

    first = stage.ends(job, failing(GOOD, "orders", number=7))
    stage.ends(job, failing(GOOD, "orders", number=12))
    stage.ends(job, failing(GOOD, "stg_teas", "tea_prices"))
    stage.ends(job, failing(GOOD, "stg_teas"))
    stage.ends(job, failing(GOOD, "stg_teas", error="Permission Error: {number} is not yours"))
    stage.ends(job, GOOD)
    stage.ends(job, GOOD)
    again = stage.ends(job, failing(GOOD, "orders"))

    key = stage.key(first)
    both = ("stg_teas", "tea_prices")
    assert stage.heard == [
        triggers(key, "orders"),
        triggers(key, *both, new=both, fixed=("orders",)),
        triggers(key, "stg_teas", still=("stg_teas",), fixed=("tea_prices",)),
        triggers(key, "stg_teas", still=("stg_teas",)),
        resolves(key),
        triggers(stage.key(again), "orders"),
    ]
    assert stage.key(again) != key


def test_a_recovery_whose_event_comes_first_leaves_nothing_to_tell(stage: Stage):
    job = stage.job("By job")
    failed, recovered = stage.cloud.run(job, "model_error"), stage.cloud.run(job, GOOD)

    stage.tells(recovered)
    stage.tells(failed)

    assert stage.heard == []


def test_older_runs_that_come_late_change_nothing(stage: Stage):
    job = stage.job("By job")
    good, other = stage.cloud.run(job, GOOD), stage.cloud.run(job, failing(GOOD, "stg_teas"))
    failed = stage.ends(job, failing(GOOD, "orders"))

    stage.tells(good)
    stage.tells(other)

    assert stage.heard == [triggers(stage.key(failed), "orders")]


def test_errored_and_completed_are_one_problem_told_when_the_nodes_are_known(stage: Stage):
    job = stage.job("By job")
    artifacts, metadata = Readiness(None), Readiness(None)
    run = stage.cloud.run(job, "model_error", artifacts=artifacts, metadata=metadata)

    stage.tells(run, "job.run.errored")
    waited = list(stage.heard)
    artifacts.become_ready()
    metadata.become_ready()
    stage.tells(run)
    stage.tells(run, "job.run.errored")
    stage.ends(job, GOOD)

    assert waited == []
    assert stage.heard == [triggers(stage.key(run), "orders"), resolves(stage.key(run))]


def test_a_node_is_closed_by_whichever_job_proves_it_good(stage: Stage):
    job = stage.job("By node")
    other = stage.cloud.add_job("Another build", job.environment)
    failed = stage.ends(job, failing(GOOD, "orders", "stg_teas"))

    stage.ends(other, selecting(GOOD, "customers"))
    upstream = stage.ends(other, failing(GOOD, "stg_orders"))
    stage.ends(other, selecting(GOOD, "orders"))

    orders, teas, source = (
        f"node/model.teahouse.{name}" for name in ("orders", "stg_teas", "stg_orders")
    )
    assert sorted(stage.heard[:2], key=lambda each: each.failed) == [
        triggers(stage.key(failed, orders), "orders"),
        triggers(stage.key(failed, teas), "stg_teas"),
    ]
    # in the second run of the other job `orders` was skipped, and `stg_teas` was good
    assert sorted(stage.heard[2:4], key=lambda each: each.action) == [
        resolves(stage.key(failed, teas)),
        triggers(stage.key(upstream, source), "stg_orders"),
    ]
    assert stage.heard[4:] == [resolves(stage.key(failed, orders))]


def test_an_older_failure_of_a_node_that_another_job_has_proven_good_tells_nothing(stage: Stage):
    job = stage.job("By node")
    other = stage.cloud.add_job("Another build", job.environment)
    failed = stage.ends(job, failing(GOOD, "orders"))
    late = stage.cloud.run(job, failing(GOOD, "orders"))
    stage.ends(other, selecting(GOOD, "orders"))

    stage.tells(late)

    key = stage.key(failed, "node/model.teahouse.orders")
    assert stage.heard == [triggers(key, "orders"), resolves(key)]


def test_a_node_that_left_the_project_is_closed(stage: Stage):
    job = stage.job("By node")
    failed = stage.ends(job, failing(GOOD, "customers"))

    stage.ends(job, without(GOOD, "customers"))

    key = stage.key(failed, "node/model.teahouse.customers")
    assert stage.heard == [triggers(key, "customers"), resolves(key)]


def test_alerts_of_single_runs_are_closed_together_by_the_next_good_one(stage: Stage):
    job = stage.job("By run")
    first, second = (stage.ends(job, "model_error") for _ in range(2))
    keys = [stage.key(run, f"run/{run.id}") for run in (first, second)]

    stage.ends(job, GOOD)

    assert stage.heard[:2] == [triggers(key, "orders") for key in keys]
    assert sorted(stage.heard[2:], key=lambda each: each.key) == [resolves(key) for key in keys]


def test_a_rule_about_tagged_nodes_follows_these_over_all_jobs(stage: Stage):
    job = stage.job("By tag")
    other = stage.cloud.add_job("Another build", job.environment)
    stage.ends(job, failing(GOOD, "stg_teas"))
    failed = stage.ends(job, failing(GOOD, "orders", "stg_customers"))
    stage.ends(job, selecting(GOOD, "stg_customers"))
    stage.ends(other, selecting(GOOD, "stg_orders"))
    not_proven = list(stage.heard)
    stage.ends(other, selecting(GOOD, "orders"))

    key = stage.key(failed)
    assert not_proven == [triggers(key, "orders")]
    assert stage.heard == [triggers(key, "orders"), resolves(key)]


def test_each_team_is_told_of_its_own_nodes(stage: Stage):
    job = stage.job("By team")

    first = stage.ends(job, failing(GOOD, "orders", "stg_teas", "customers"))
    stage.ends(job, failing(GOOD, "stg_teas"))
    stage.ends(job, GOOD)

    key = stage.key(first)
    assert sorted(stage.heard[:2], key=lambda each: each.failed) == [
        triggers(key, "orders", to=FINANCE),
        triggers(key, "stg_teas", to=ASSORTMENT),
    ]
    assert stage.heard[2:] == [resolves(key, to=FINANCE), resolves(key, to=ASSORTMENT)]


def test_runs_that_were_cancelled_neither_count_nor_close(stage: Stage):
    job = stage.job("At the third")
    stage.ends(job, "model_error")
    stage.ends(job, "cancelled")
    stage.ends(job, "model_error")
    held = list(stage.heard)
    third = stage.ends(job, "model_error")
    stage.ends(job, "cancelled")
    still_open = list(stage.heard)
    stage.ends(job, GOOD)

    key = stage.key(third)
    assert held == []
    assert still_open == [triggers(key, "orders")]
    assert stage.heard == [triggers(key, "orders"), resolves(key)]


def test_a_problem_changes_its_level_and_is_over_without_warnings(stage: Stage):
    job = stage.job("Warnings")
    test = "not_null_stg_teas_origin"

    first = stage.ends(job, warning(GOOD, test))
    stage.ends(job, warning(GOOD, test, number=3))
    stage.ends(job, failing(GOOD, "orders"))
    stage.ends(job, warning(GOOD, test))
    stage.ends(job, GOOD)

    key = stage.key(first)
    assert stage.heard == [
        triggers(key, test, severity="warning"),
        triggers(key, "orders", new=("orders",), fixed=(test,)),
        triggers(key, test, severity="warning", new=(test,), fixed=("orders",)),
        resolves(key),
    ]


def test_a_success_with_a_failed_checkbox_is_a_warning_to_who_asks_for_warnings(stage: Stage):
    job = stage.job("Warnings")

    first = stage.ends(job, "tolerated_freshness")
    stage.ends(job, GOOD)

    (opened, closed) = stage.heard
    assert (opened.action, opened.severity, opened.key) == ("trigger", "warning", stage.key(first))
    assert "receipts" in " ".join(opened.failed)
    assert closed == resolves(stage.key(first))


@pytest.mark.parametrize("recovery", ["warning", "tolerated_freshness", "several_steps"])
def test_a_rule_about_failures_takes_any_good_run_for_a_recovery(stage: Stage, recovery: str):
    job = stage.job("By job")

    failed = stage.ends(job, "failing_test")
    stage.ends(job, recovery)

    key = stage.key(failed)
    assert stage.heard == [triggers(key, "unique_stg_customers_customer_id"), resolves(key)]


@pytest.mark.parametrize("environment", ["By job", "By tag"])
def test_dbt_clouds_retry_from_the_point_of_failure_closes(stage: Stage, environment: str):
    job = stage.job(environment)
    broken = failing(GOOD, "orders")

    failed = stage.ends(job, broken)
    retried = stage.cloud.run(job, retrying(broken, GOOD), cause_category="rerun")
    stage.tells(retried)

    key = stage.key(failed)
    assert stage.heard == [triggers(key, "orders"), resolves(key)]


def test_a_run_whose_nodes_are_not_known_opens_and_then_changes_nothing(stage: Stage):
    job = stage.job("By job")

    first = stage.ends(job, "compile_error")
    stage.ends(job, "clone_failure")
    stage.ends(job, failing(GOOD, "orders"))
    stage.ends(job, "compile_error")
    stage.ends(job, GOOD)

    key = stage.key(first)
    assert stage.heard == [triggers(key), triggers(key, "orders", new=("orders",)), resolves(key)]


def test_an_event_of_two_days_ago_opens_nothing_where_newer_runs_exist_but_still_closes(
    stage: Stage,
):
    long_ago = datetime.now(UTC) - timedelta(days=2)
    job, closed = stage.job("By job"), stage.job("By job")
    late = stage.cloud.run(job, failing(GOOD, "orders"), at=long_ago)
    failed = stage.ends(closed, failing(GOOD, "orders"))
    recovered = stage.cloud.run(closed, GOOD, at=long_ago)
    for newest in (job, closed):
        stage.cloud.run(newest, GOOD)

    stage.tells(late)
    stage.tells(recovered)

    key = stage.key(failed)
    assert stage.heard == [triggers(key, "orders"), resolves(key)]


def test_an_event_of_two_days_ago_is_told_if_its_run_is_still_the_newest(stage: Stage):
    job = stage.job("By job")
    long_ago = datetime.now(UTC) - timedelta(days=2)
    late = stage.cloud.run(job, failing(GOOD, "orders"), at=long_ago)

    stage.tells(late)

    assert stage.heard == [triggers(stage.key(late), "orders")]


def test_a_thousand_failures_of_ten_thousand_nodes_are_one_message(stage: Stage):
    job = stage.job("By job")

    failed = stage.ends(job, large(GOOD, 10_000, 1_000))

    (told,) = stage.heard
    assert (told.action, told.key) == ("trigger", stage.key(failed))
    assert told.failed[:2] == ("mart_00000", "mart_00001")
    assert told.more == f"and {1_000 - len(told.failed)} more"
    assert len(told.failed) >= 50


def test_the_same_event_again_and_again_tells_nothing_new(stage: Stage):
    job = stage.job("By job")
    runs: list[Run] = []
    for sample in (failing(GOOD, "orders"), failing(GOOD, "stg_teas"), GOOD):
        runs.append(stage.cloud.run(job, sample))
        stage.tells(runs[-1], times=3)
    for run in runs:
        stage.tells(run, times=2)
        stage.tells(run)

    key = stage.key(runs[0])
    assert stage.heard == [
        triggers(key, "orders"),
        triggers(key, "stg_teas", new=("stg_teas",), fixed=("orders",)),
        resolves(key),
    ]


@pytest.mark.parametrize(
    ("sample", "named"),
    [
        ("model_error", "orders"),
        ("failing_test", "unique_stg_customers_customer_id"),
        ("seed_failure", "raw_orders"),
        ("source_freshness", "till.receipts"),
    ],
)
def test_the_alert_names_what_dbt_itself_says_has_failed(stage: Stage, sample: str, named: str):
    failed = stage.ends(stage.job("By job"), sample)

    assert stage.heard == [triggers(stage.key(failed), named)]


def test_a_run_that_wrote_no_results_is_explained_by_its_log(stage: Stage):
    stage.ends(stage.job("By job"), "compile_error")

    summary = stage.triggers()[-1]["payload"]["summary"]
    assert "Compilation Error: Model 'model.teahouse.customers'" in summary
