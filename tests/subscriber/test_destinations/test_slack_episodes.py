"""An episode at Slack from its opening to its end, through the ledger and everything between."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab.serve import serve
from lab.slack import Slack as StandIn
from lab.slack_message import Message
from subscriber.destinations.slack import Slack
from subscriber.owners import Owner
from tests.subscriber.runs import ITEMS, ORDERS, PEOPLE, Runs
from tests.subscriber.story import Story

CHANNEL, MEMBER = "C0123456789", "U012AB3CD"


class Told:
    """Runs of a job, told to people through a Slack that serves; time passes between them."""

    def __init__(self, url: str, stand_in: StandIn, story: Story) -> None:
        self.stand_in, self.story, self.runs = stand_in, story, Runs(story)
        written = {"bot_token": "env:TOKEN", "channel": CHANNEL, "base_url": url}
        destinations: Any = story.configuration.destinations
        destinations["people"] = Slack.model_validate(written)

    def fails(self, run: int, *nodes: str) -> None:
        self.runs.fails(run, *nodes)
        self.story.clock.passes(60)

    def recovers(self, run: int, *nodes: str) -> None:
        self.runs.succeeds(run, *nodes)
        self.story.clock.passes(60)

    @property
    def in_the_channel(self) -> list[Message]:
        return [each for each in self.stand_in.messages if not each.thread]

    def titles(self, thread: str) -> list[str]:
        return [each.shown.split("\n")[0] for each in self.stand_in.thread(thread)]


@pytest.fixture
def told() -> Iterator[Told]:
    story = Story(rules=(PEOPLE,), owners={"Ada": Owner(slack=MEMBER)})
    stand_in = StandIn(
        token="env:TOKEN",
        channels={CHANNEL: "data-alerts"},
        webhook_path="/services/T/B/x",
        clock=story.clock,
    )
    with serve(stand_in.app) as url:
        yield Told(url, stand_in, story)


def test_a_problem_is_one_message_with_what_has_been_in_its_thread(told: Told) -> None:
    told.fails(100, ORDERS)
    told.fails(101, ORDERS)
    told.fails(102, ORDERS, ITEMS)
    told.recovers(103, ORDERS, ITEMS)

    (message,) = told.in_the_channel
    assert message.shown.startswith("✅ Recovered")
    assert told.titles(message.ts) == ["🔴 Still failing", "✅ Recovered"]


def test_the_next_problem_is_a_message_of_its_own(told: Told) -> None:
    told.fails(100, ORDERS)
    told.recovers(101, ORDERS)
    told.fails(102, ORDERS)

    assert [each.shown.split("\n")[0] for each in told.in_the_channel] == [
        "✅ Recovered",
        "🔴 Failed",
    ]


def test_a_message_that_somebody_deleted_is_replaced_once(told: Told) -> None:
    told.fails(100, ORDERS)
    told.stand_in.delete(told.in_the_channel[0].ts)
    told.fails(101, ITEMS)
    told.recovers(102, ORDERS, ITEMS)

    (message,) = told.in_the_channel
    assert message.shown.startswith("✅ Recovered")
    assert told.titles(message.ts) == ["✅ Recovered"]


def test_what_slack_takes_only_as_text_gets_there_though_it_has_to_wait(told: Told) -> None:
    told.stand_in.refuse("invalid_blocks", times=1)
    told.stand_in.refuse("ratelimited", times=1)

    told.fails(100, ORDERS)
    told.story.ticks(60)

    (message,) = told.in_the_channel
    assert (message.blocks, "no such column" in message.text) == ((), True)


def test_a_channel_that_was_archived_is_a_dead_letter_that_says_so(told: Told) -> None:
    told.fails(100, ORDERS)
    told.stand_in.archived.add(CHANNEL)
    told.recovers(101, ORDERS)

    ((_, _, reason),) = told.story.dead_letters.left
    assert "the channel is archived: unarchive it" in reason
