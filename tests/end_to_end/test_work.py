"""The main job with `afterrun work`: a real receiver, Pub/Sub, real workers, PagerDuty."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from lab.faults import Fault
from lab.pubsub.server import PubSub, Running
from tests.emulators import ON_PUBSUB
from tests.end_to_end.stage import Stage, set_up
from tests.end_to_end.worker import SUBSCRIPTION, Worker, subscribe, working

HOUR_S = 3_600


@pytest.fixture
def pubsub() -> Iterator[Running]:
    with PubSub().running() as running:
        yield running


@pytest.fixture
def stage(pubsub: Running, tmp_path) -> Iterator[Stage]:
    with set_up(pubsub.host, tmp_path) as made:
        subscribe(made)
        yield made


@pytest.fixture(params=["lab", pytest.param("emulator", marks=ON_PUBSUB)])
def either(request: pytest.FixtureRequest, tmp_path) -> Iterator[Stage]:
    """A stage on the lab's Pub/Sub, and one on Google's emulator."""
    if request.param == "lab":
        yield request.getfixturevalue("stage")
        return
    with set_up(request.getfixturevalue("pubsub_emulator"), tmp_path) as made:
        subscribe(made)
        yield made


def undelivered(stage: Stage, pubsub: Running) -> int:
    return pubsub.undelivered(stage.queue.subscription(SUBSCRIPTION))


def test_a_failure_told_three_times_pages_once_and_a_recovery_closes(either: Stage):
    cloud, pagerduty = either.cloud, either.stands.pagerduty
    with working(either) as worker:
        either.sends(cloud.run(sample="model_error"), times=3)
        assert either.wait(lambda: bool(pagerduty.open_alerts)), worker.lines
        assert either.wait(lambda: len(either.logged("event recorded")) == 3), worker.lines
        either.sends(cloud.run(sample="success"))
        assert either.wait(lambda: not pagerduty.open_alerts), worker.lines

        worker.told(signal.SIGTERM)
        assert worker.ends() == 0, worker.lines

    assert len(either.triggers()) == 1
    assert [line for line in worker.lines if '"severity": "ERROR"' in line] == []


def test_it_ticks_by_itself(stage: Stage):
    stage.stands.pagerduty.faults.next(Fault("answer", 503), times=3)

    with working(stage) as worker:
        stage.sends(stage.cloud.run(sample="model_error"))

        assert stage.wait(lambda: bool(stage.stands.pagerduty.open_alerts)), worker.lines


def test_told_to_stop_in_the_middle_of_a_delivery_it_finishes_it_first(
    stage: Stage, pubsub: Running
):
    stage.stands.pagerduty.faults.next(Fault("slow", seconds=2))

    with working(stage) as worker:
        stage.sends(stage.cloud.run(sample="model_error"))
        assert stage.wait(lambda: bool(stage.logged("decided"))), worker.lines
        worker.told(signal.SIGTERM)
        assert worker.ends() == 0, worker.lines

    assert len(stage.stands.pagerduty.open_alerts) == 1
    assert len(stage.logged("delivered")) == 1
    assert undelivered(stage, pubsub) == 0


def test_killed_before_an_event_was_recorded_it_comes_again(stage: Stage, pubsub: Running):
    with working(stage) as first, closing(sqlite3.connect(_ledger(stage))) as ledger:
        assert stage.wait(lambda: bool(stage.logged("working"))), first.lines
        ledger.execute("BEGIN EXCLUSIVE")
        stage.sends(stage.cloud.run(sample="model_error"))
        assert stage.wait(lambda: bool(stage.logged("not recorded"))), first.lines
        first.told(signal.SIGKILL)
        assert first.ends() == -signal.SIGKILL
        ledger.execute("ROLLBACK")
    assert undelivered(stage, pubsub) == 1

    with working(stage) as second:
        assert stage.wait(lambda: bool(stage.stands.pagerduty.open_alerts)), second.lines
        second.told(signal.SIGTERM)
        assert second.ends() == 0, second.lines
    assert undelivered(stage, pubsub) == 0
    assert len(stage.triggers()) == 1


def test_a_ledger_that_is_busy_delays_and_loses_nothing(stage: Stage, pubsub: Running):
    with working(stage) as worker, closing(sqlite3.connect(_ledger(stage))) as ledger:
        assert stage.wait(lambda: bool(stage.logged("working"))), worker.lines
        ledger.execute("BEGIN EXCLUSIVE")
        stage.sends(stage.cloud.run(sample="model_error"))
        assert stage.wait(lambda: bool(stage.logged("not recorded"))), worker.lines
        ledger.execute("ROLLBACK")

        assert stage.wait(lambda: bool(stage.stands.pagerduty.open_alerts)), worker.lines
    assert len(stage.triggers()) == 1


def test_three_workers_on_one_subscription_and_one_ledger_page_once_for_each_job(stage: Stage):
    jobs = [stage.cloud.add_job(f"Job {number}") for number in range(12)]

    with ExitStack() as stack:
        workers: list[Worker] = [stack.enter_context(working(stage)) for _ in range(3)]
        assert stage.wait(lambda: len(stage.logged("working")) == 3), workers
        for job in jobs:
            stage.sends(stage.cloud.run(job, "model_error"), times=2)
        assert stage.wait(lambda: len(stage.stands.pagerduty.alerts) == 12)
        assert stage.wait(lambda: len(stage.logged("event recorded")) == 24)
        for worker in workers:
            worker.told(signal.SIGTERM)
        assert [worker.ends() for worker in workers] == [0, 0, 0]

    assert len(stage.triggers()) == 12
    assert all("event recorded" in "".join(worker.lines) for worker in workers)


def test_a_stream_that_is_cut_off_at_first_is_opened_again(stage: Stage, pubsub: Running):
    pubsub.faults.next(Fault("answer", 503, path="/StreamingPull"))

    with working(stage) as worker:
        assert stage.wait(lambda: bool(stage.logged("pulling again"))), worker.lines
        stage.sends(stage.cloud.run(sample="model_error"))
        assert stage.wait(lambda: bool(stage.stands.pagerduty.open_alerts)), worker.lines

    assert [each.facts["message"] for each in stage.logged("not pulling", "pulling again")] == [
        "not pulling; to be tried again",
        "pulling again",
    ]


def test_once_takes_what_has_gathered_and_ends(stage: Stage, pubsub: Running):
    stage.sends(stage.cloud.run(sample="model_error"), times=2)

    with working(stage, "--once") as worker:
        assert worker.ends() == 0, worker.lines

    assert len(stage.stands.pagerduty.open_alerts) == 1
    assert undelivered(stage, pubsub) == 0


def test_told_twice_it_ends_at_once_as_a_shell_expects(stage: Stage):
    stage.stands.pagerduty.faults.always(Fault("slow", seconds=HOUR_S))

    with working(stage) as worker:
        stage.sends(stage.cloud.run(sample="model_error"))
        assert stage.wait(lambda: bool(stage.logged("decided"))), worker.lines
        worker.told(signal.SIGINT)
        assert stage.wait(lambda: bool(stage.logged("stopping"))), worker.lines
        worker.told(signal.SIGINT)

        assert worker.ends() == 128 + signal.SIGINT


def test_it_says_what_it_works_with(stage: Stage):
    with working(stage):
        assert stage.wait(lambda: bool(stage.logged("working")))

    (said,) = stage.logged("working")
    assert said.facts["subscription"] == stage.queue.subscription(SUBSCRIPTION)
    assert said.facts["ledger"] == "sqlite:./afterrun.db"
    assert said.facts["rules"] == "2"
    assert said.facts["destinations"] == '["oncall", "revenue"]'


def _ledger(stage: Stage) -> str:
    return f"{stage.folder}/worker/afterrun.db"
