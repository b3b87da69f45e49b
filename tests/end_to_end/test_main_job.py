"""The main job on the lab's Pub/Sub, when things go wrong."""

import pytest

from lab.dbt_cloud import samples
from lab.dbt_cloud.variations import failing
from lab.faults import Fault
from lab.pubsub.server import PubSub
from tests.end_to_end.pager import triggers
from tests.end_to_end.stage import CONFIGURATION, Stage, set_up


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


def test_a_subscriber_killed_between_decision_and_delivery_is_made_up_for(stage: Stage):
    by_node = CONFIGURATION.read_text().replace("[oncall]", "[oncall]\n    alert: {per: node}")
    first = stage.subscriber(by_node)
    pagerduty = stage.stands.pagerduty
    pagerduty.faults.always(Fault("slow", seconds=3_600))
    bad = failing(samples.load("success"), "orders", "stg_customers", "stg_teas")
    run = stage.cloud.run(sample=bad)
    stage.sends(run)
    assert stage.wait(lambda: bool(stage.logged("decided")))

    # none of three deliveries has ended: the first may hang, the others have not begun
    first.kill()
    pagerduty.faults.always(None)
    stage.repush(stage.subscriber(by_node, push=False))
    stage.sends(run, times=2)

    assert stage.wait(lambda: len(stage.heard) == 3, timeout_s=100)
    nodes = ("orders", "stg_customers", "stg_teas")
    assert sorted(stage.heard, key=lambda each: each.failed) == [
        triggers(stage.key(run, f"node/model.teahouse.{node}"), node) for node in nodes
    ]


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


def _settled(stage: Stage) -> int:
    moments = stage.stands.timeline.moments
    return sum(1 for moment in moments if moment.what.startswith("delivered: oncall"))
