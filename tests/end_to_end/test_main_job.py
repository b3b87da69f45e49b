"""The main job on the lab's Pub/Sub, when things go wrong."""

import pytest

from lab.faults import Fault
from lab.pubsub.server import PubSub
from tests.end_to_end.stage import Stage, set_up


@pytest.fixture
def stage(tmp_path):
    with PubSub().running() as pubsub, set_up(pubsub.host, tmp_path) as made:
        yield made


def test_two_subscribers_on_one_ledger_that_both_get_every_event_send_each_alert_once(
    stage: Stage,
):
    stage.subscriber(number=1)
    stage.subscriber(number=2)
    jobs = [stage.stands.cloud.add_job(f"Job {n}") for n in range(10)]

    for job in jobs:
        stage.sends(stage.stands.cloud.run(job, "model_error"), times=2)

    assert stage.wait(lambda: len(stage.stands.pagerduty.alerts) == 10)
    assert stage.wait(lambda: _settled(stage) >= 10)
    assert len(stage.triggers()) == 10


def test_a_subscriber_killed_in_the_middle_of_a_delivery_is_made_up_for(stage: Stage):
    first = stage.subscriber()
    pagerduty = stage.stands.pagerduty
    pagerduty.faults.next(Fault("slow", seconds=3_600))
    stage.sends(stage.stands.cloud.run(sample="model_error"))
    assert stage.wait(lambda: _has_decided(stage))

    first.kill()
    stage.repush(stage.subscriber(push=False))

    assert stage.wait(lambda: len(pagerduty.alerts) == 1, timeout_s=100)
    assert len(stage.triggers()) == 1


def test_an_alert_goes_out_with_what_is_known_when_dbt_cloud_is_down(stage: Stage):
    stage.subscriber()
    down = Fault("answer", 503)
    stage.stands.cloud.admin_faults.always(down)
    stage.stands.cloud.discovery_faults.always(down)

    stage.sends(stage.stands.cloud.run(sample="model_error"))

    assert stage.wait(lambda: bool(stage.stands.pagerduty.open_alerts))
    (trigger,) = stage.triggers()
    assert "Nightly build failed in Production" in trigger["payload"]["summary"]
    assert "answered 503" in trigger["payload"]["custom_details"]["text"]


def test_pagerduty_being_away_for_a_while_delays_the_alert_and_loses_nothing(stage: Stage):
    stage.subscriber()
    stage.stands.pagerduty.faults.next(Fault("answer", 503), times=3)

    stage.sends(stage.stands.cloud.run(sample="model_error"))

    assert stage.wait(lambda: bool(stage.stands.pagerduty.open_alerts))


def test_a_lost_answer_of_pagerduty_opens_no_second_alert(stage: Stage):
    stage.subscriber()
    stage.stands.pagerduty.faults.next(Fault("lost"))

    stage.sends(stage.stands.cloud.run(sample="model_error"))

    assert stage.wait(lambda: len(stage.triggers()) == 2)
    assert len(stage.stands.pagerduty.alerts) == 1


@pytest.mark.parametrize(
    ("sample", "named"),
    [
        ("model_error", ["orders"]),
        ("failing_test", ["unique_stg_customers_customer_id"]),
        ("seed_failure", ["raw_orders"]),
        ("source_freshness", ["till.receipts"]),
    ],
)
def test_the_alert_names_what_dbt_itself_says_has_failed(stage: Stage, sample, named):
    stage.subscriber()

    stage.sends(stage.stands.cloud.run(sample=sample))

    assert stage.wait(lambda: bool(stage.stands.pagerduty.open_alerts))
    (trigger,) = stage.triggers()
    failed = trigger["payload"]["custom_details"]["failed"]
    assert [node["name"] for node in failed] == named


def test_a_run_that_wrote_no_results_is_explained_by_its_log(stage: Stage):
    stage.subscriber()

    stage.sends(stage.stands.cloud.run(sample="compile_error"))

    assert stage.wait(lambda: bool(stage.stands.pagerduty.open_alerts))
    (trigger,) = stage.triggers()
    assert "Compilation Error: Model 'model.teahouse.customers'" in trigger["payload"]["summary"]


def _settled(stage: Stage) -> int:
    moments = stage.stands.timeline.moments
    return sum(1 for moment in moments if moment.what.startswith("delivered: oncall"))


def _has_decided(stage: Stage) -> bool:
    return any(moment.what.startswith("decided") for moment in stage.stands.timeline.moments)
