"""The main job on Google's own Pub/Sub and Firestore emulators."""

import pytest

from lab.stand_ins import REPORT, WORKSPACE
from tests.emulators import ON_FIRESTORE
from tests.end_to_end.stage import Stage, on_firestore, set_up

# both emulators: the worker that has Firestore's starts Pub/Sub's as well
pytestmark = ON_FIRESTORE


@pytest.fixture
def stage(pubsub_emulator, firestore_emulator, tmp_path):
    with set_up(pubsub_emulator, tmp_path) as made:
        made.subscriber(environ=on_firestore(firestore_emulator, made.stands.project))
        yield made


def test_a_failure_pages_once_a_recovery_closes_it_and_good_data_refreshes(stage: Stage):
    cloud = stage.stands.cloud

    stage.sends(cloud.run(sample="model_error"), times=3)
    assert stage.wait(lambda: bool(stage.stands.pagerduty.open_alerts))
    stage.sends(cloud.run(sample="success"))
    assert stage.wait(lambda: not stage.stands.pagerduty.open_alerts)
    stage.sends(cloud.run(cloud.add_job("Revenue marts"), sample="success"), times=2)
    assert stage.wait(lambda: bool(stage.stands.mode.runs))

    assert len(stage.triggers()) == 1
    (run,) = stage.stands.mode.runs
    assert (run.workspace, run.report, run.parameters) == (WORKSPACE, REPORT, {"region": "EMEA"})


def test_a_message_that_is_not_ours_becomes_a_dead_letter_with_its_reason(stage: Stage):
    stage.queue.publisher.publish(stage.queue.events, b"hello", colour="blue").result(timeout=10)

    answer = stage.queue.subscriber.pull(
        subscription=stage.queue.subscription("dbt-cloud-events-dead-letters"),
        max_messages=10,
        timeout=30,
    )

    (received,) = answer.received_messages
    assert received.message.data == b"hello"
    assert received.message.attributes["colour"] == "blue"
    assert received.message.attributes["reason"] == "not a JSON object"


def test_a_message_without_data_does_not_come_again(stage: Stage):
    stage.queue.publisher.publish(stage.queue.events, b"", colour="blue").result(timeout=10)

    answer = stage.queue.subscriber.pull(
        subscription=stage.queue.subscription("dbt-cloud-events-dead-letters"),
        max_messages=10,
        timeout=30,
    )

    (received,) = answer.received_messages
    assert received.message.attributes["reason"] == "not a JSON object"
