from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.exits import Exit
from lab import queue
from lab.pubsub.server import PubSub
from lab.queue import Queue
from subscriber.ledger.contract import Kind, Work
from subscriber.ledger.sqlite import SqliteLedger
from tests.cli.running import afterrun

GUIDES = {"DBT_CLOUD_SERVICE_TOKEN": "dbt-token", "PD_ROUTING_KEY": "k" * 32}
LONG_AGO = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    with PubSub().running() as running, queue.connected(running.host, "lab", signed=False) as made:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", running.host)
        made.create_topics()
        yield made


def pulled_ticks(made: Queue) -> str:
    name = made.subscription("ticks")
    made.subscriber.create_subscription(request={"name": name, "topic": made.ticks})
    return name


def test_a_tick_is_a_message_as_the_scheduler_sends_it(made: Queue) -> None:
    name = pulled_ticks(made)

    ran = afterrun("tick", "--project", "lab")

    (received,) = made.subscriber.pull(subscription=name, max_messages=5).received_messages
    assert (received.message.data, dict(received.message.attributes)) == (
        b"tick",
        {"content": "tick"},
    )
    assert (ran.code, ran.out) == (0, f"Sent a tick to {made.ticks}.\n")


def test_what_was_sent_where_is_there_as_json(made: Queue) -> None:
    assert afterrun("tick", "--project", "lab", "--json").data == {"topic": made.ticks}


def test_a_topic_that_is_not_there_is_refused_with_what_to_do(made: Queue) -> None:
    ran = afterrun("tick", "--project", "lab", "--topic", "dbt-ticks")

    assert (ran.code, ran.out) == (Exit.REFUSED, "")
    assert "projects/lab/topics/dbt-ticks takes nothing (NotFound): create it" in ran.err
    assert "set --topic" in ran.err


def test_a_wrong_name_of_a_topic_is_a_mistake() -> None:
    ran = afterrun("tick", "--topic", "a b")

    assert ran.code == Exit.MISTAKE
    assert ran.err.startswith("error: --topic: this is no name of a topic; write a short one")


def a_ledger(*keys: str) -> SqliteLedger:
    """One in which these timers are due."""
    ledger = SqliteLedger(Path("afterrun.db"))
    ledger.check()
    for number, key in enumerate(keys):
        due_at = LONG_AGO + timedelta(minutes=number)
        ledger.record(Work(key, Kind.TIMER, {}, recorded_at=LONG_AGO, due_at=due_at))
    return ledger


def test_here_it_says_that_nothing_was_due() -> None:
    a_ledger()

    ran = afterrun("tick", "--here", environ=GUIDES)

    assert (ran.code, ran.out) == (0, "Nothing was due.\n")


def test_here_it_says_what_became_of_what_was_due() -> None:
    ledger = a_ledger("70/timer/1")

    ran = afterrun("tick", "--here", "--json", environ=GUIDES)

    (due,) = ran.data["due"]
    work = ledger.work("70/timer/1")
    assert work is not None
    assert work.attempts == 1
    assert (due["key"], due["kind"], due["was_due_at"]) == (
        "70/timer/1",
        "timer",
        "2026-11-01T12:00:00+00:00",
    )
    assert due["is_settled"] is work.is_settled


def test_here_it_makes_no_ledger() -> None:
    ran = afterrun("tick", "--here", environ=GUIDES)

    assert ran.code == Exit.MISTAKE
    assert "there is no file ./afterrun.db" in ran.err
    assert not Path("afterrun.db").exists()


def test_here_it_needs_the_configuration() -> None:
    a_ledger()

    ran = afterrun("tick", "--here")

    assert ran.code == Exit.MISTAKE
    assert "nothing to do: write afterrun.yaml" in ran.err


def test_without_an_answer_it_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")

    ran = afterrun("tick", "--project", "lab")

    assert (ran.code, ran.out) == (Exit.BUSY, "")
    assert ran.err == "error: the topic of ticks: Pub/Sub does not answer\n"
