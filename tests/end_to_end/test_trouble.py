"""Sequences of runs while PagerDuty is away, and with two subscribers that get everything."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from lab.dbt_cloud import samples
from lab.dbt_cloud.variations import failing
from lab.faults import Fault
from lab.pubsub.server import PubSub
from tests.emulators import ON_FIRESTORE
from tests.end_to_end.pager import resolves, triggers
from tests.end_to_end.stage import NOTHING_ELSE, Stage, on_firestore, set_up

GOOD = samples.load("success")
BAD = failing(GOOD, "orders")

ON_ONE_STAGE = pytest.mark.xdist_group("PagerDuty away")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    with PubSub().running() as pubsub, set_up(pubsub.host, folder) as stage:
        stage.subscriber()
        yield stage


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    yield running.cleared()
    running.stands.pagerduty.faults.always(None)


@pytest.fixture(params=["lab", pytest.param("google", marks=ON_FIRESTORE)])
def stage_with_two(request: pytest.FixtureRequest, tmp_path) -> Iterator[Stage]:
    """Two subscribers on one ledger, each of which gets every event and every tick."""
    if request.param == "lab":
        with PubSub().running() as pubsub, two(pubsub.host, tmp_path) as made:
            yield made
        return
    firestore = request.getfixturevalue("firestore_emulator")
    with two(request.getfixturevalue("pubsub_emulator"), tmp_path, firestore) as made:
        yield made


@contextmanager
def two(pubsub: str, folder, firestore: str = "") -> Iterator[Stage]:
    with set_up(pubsub, folder) as made:
        environ: Mapping[str, str] = NOTHING_ELSE
        if firestore:
            environ = on_firestore(firestore, made.stands.project)
        for number in (1, 2):
            made.subscriber(environ=environ, number=number)
        yield made


@ON_ONE_STAGE
def test_a_failure_and_a_recovery_while_pagerduty_is_away_open_nothing(stage: Stage):
    pagerduty, job = stage.stands.pagerduty, stage.job("Production")
    pagerduty.faults.always(Fault("answer", 503))
    stage.tells(stage.cloud.run(job, BAD), delivered=False)
    assert stage.wait(lambda: bool(stage.logged("not delivered yet")))

    stage.tells(stage.cloud.run(job, GOOD), delivered=False)
    pagerduty.faults.always(None)

    assert stage.wait(lambda: len(stage.logged("superseded")) == 2)
    assert {each.facts["verb"] for each in stage.logged("superseded")} == {"open", "close"}
    assert stage.heard == []


@ON_ONE_STAGE
def test_what_pagerduty_may_have_opened_is_resolved_in_the_end(stage: Stage):
    pagerduty, job = stage.stands.pagerduty, stage.job("Production")
    pagerduty.faults.always(Fault("lost"))
    failed = stage.cloud.run(job, BAD)
    stage.tells(failed, delivered=False)
    assert stage.wait(lambda: bool(stage.logged("not delivered yet")))

    stage.tells(stage.cloud.run(job, GOOD), delivered=False)
    pagerduty.faults.always(None)

    assert stage.wait(lambda: bool(stage.logged("delivered")))
    *opened, closed = stage.heard
    assert set(opened) == {triggers(stage.key(failed), "orders")}
    assert closed == resolves(stage.key(failed))
    assert not pagerduty.open_alerts


@ON_ONE_STAGE
def test_changes_while_pagerduty_is_away_are_told_in_their_order(stage: Stage):
    pagerduty, job = stage.stands.pagerduty, stage.job("Production")
    pagerduty.faults.always(Fault("answer", 503))
    first = stage.cloud.run(job, BAD)
    stage.tells(first, delivered=False)
    stage.tells(stage.cloud.run(job, failing(GOOD, "stg_teas")), delivered=False)
    assert stage.wait(lambda: bool(stage.logged("not delivered yet")))

    pagerduty.faults.always(None)

    assert stage.wait(lambda: len(stage.logged("delivered")) == 2)
    key = stage.key(first)
    assert stage.heard == [
        triggers(key, "orders"),
        triggers(key, "stg_teas", new=("stg_teas",), fixed=("orders",)),
    ]


def test_two_subscribers_that_get_every_event_three_times_tell_everything_once(
    stage_with_two: Stage,
):
    stage = stage_with_two
    jobs = [stage.cloud.add_job(f"Job {n}") for n in range(3)]
    sequence = (BAD, failing(GOOD, "orders", number=9), failing(GOOD, "stg_teas"), GOOD, BAD)

    runs = []
    for sample in sequence:
        for job in jobs:
            runs.append(stage.cloud.run(job, sample))
            stage.tells(runs[-1], times=3, subscriptions=2)

    told = [[each for each in stage.heard if f"/{job.id}/" in each.key] for job in jobs]
    assert told == [
        [
            triggers(stage.key(first), "orders"),
            triggers(stage.key(first), "stg_teas", new=("stg_teas",), fixed=("orders",)),
            resolves(stage.key(first)),
            triggers(stage.key(again), "orders"),
        ]
        for first, again in zip(runs[:3], runs[-3:], strict=True)
    ]
