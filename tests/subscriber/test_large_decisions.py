"""What one decision cannot hold is decided on in parts, and nothing of it is lost."""

from dataclasses import replace

import pytest

from subscriber.destination import Destination
from tests.fakes import FakeAlerts, Received
from tests.subscriber.runs import Runs
from tests.subscriber.story import Story, a_rule

DESTINATIONS = 6


def with_destinations(number: int, **alert: object) -> tuple[Story, Received]:
    """A story in which so many destinations are told of the same failures."""
    received = Received()
    names = [f"d{n}" for n in range(number)]
    found: dict[str, Destination] = {name: FakeAlerts(received=received) for name in names}
    rules = tuple(a_rule(name, name, alert=alert, outcome="failed") for name in names)
    story = Story()
    # before anything is made of it
    vars(story)["configuration"] = replace(story.configuration, rules=rules, destinations=found)
    return story, received


def verbs(received: Received) -> dict[str, int]:
    told = [str(action.verb) for action in received.actions]
    return {verb: told.count(verb) for verb in sorted(set(told))}


def test_five_hundred_alerts_of_nodes_are_closed_by_one_run() -> None:
    story, received = with_destinations(1, per="node")
    runs = Runs(story)
    nodes = [f"model.shop.n{n}" for n in range(500)]
    for n in range(25):
        runs.fails(100 + n, *nodes[: 20 * (n + 1)])

    runs.succeeds(200, *nodes)

    assert verbs(received) == {"close": 500, "open": 500}
    assert story.dead_letters.left == []


def test_another_error_of_many_nodes_updates_each_of_their_alerts() -> None:
    story, received = with_destinations(1, per="node", remind="24h")
    runs = Runs(story)
    nodes = [f"model.shop.n{n}" for n in range(260)]
    for n in range(13):
        runs.fails(100 + n, *nodes[: 20 * (n + 1)])

    runs.fails(300, *nodes, error="warehouse suspended")

    assert verbs(received) == {"open": 260, "update": 260}


def test_the_alerts_of_many_runs_are_closed_at_every_destination() -> None:
    story, received = with_destinations(DESTINATIONS, per="run")
    runs = Runs(story)
    for n in range(90):
        runs.fails(100 + n, "model.shop.a")

    runs.succeeds(300, "model.shop.a")

    assert verbs(received) == {"close": 90 * DESTINATIONS, "open": 90 * DESTINATIONS}


@pytest.mark.parametrize("error", ["x" * 20_000, "错误" * 10_000, "😀" * 10_000])
def test_long_errors_of_many_nodes_reach_every_destination(error: str) -> None:
    story, received = with_destinations(DESTINATIONS, per="node")

    Runs(story).fails(100, *(f"model.shop.n{n}" for n in range(20)), error=error)

    assert verbs(received) == {"open": 20 * DESTINATIONS}
    record = story.ledger.work("1/event/wev_1")
    assert record
    assert len(record.result["actions"]) == 20 * DESTINATIONS


@pytest.mark.parametrize(
    "unique_id",
    ["model.shop." + "n" * 2_000, "model.shop.\ud800x", "", "model", "model.shop.a\x00b"],
    ids=["long", "surrogate", "empty", "short", "null"],
)
@pytest.mark.parametrize("per", ["node", "job"])
def test_an_id_that_is_no_id_keeps_no_other_node_from_being_told(unique_id: str, per: str) -> None:
    story, received = with_destinations(1, per=per)

    Runs(story).fails(100, unique_id, "model.shop.good_name")

    assert sum(len(action.message.nodes) for action in received.actions) == 2
