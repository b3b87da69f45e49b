"""Handles: what a destination answered when an episode opened comes back with what follows."""

from typing import Any

from pydantic import Field

from subscriber.actions import Action, Handle
from subscriber.outbound import Outbound, Refused, UnknownOutcome
from tests.fakes import FakePeople
from tests.subscriber.runs import ITEMS, ORDERS, PEOPLE, Runs
from tests.subscriber.story import Story


class Channel(FakePeople):
    """Answers each message with a handle of its own, and remembers which it was given."""

    opened: Any = Field(default_factory=list, exclude=True)

    def deliver(self, action: Action, outbound: Outbound, opened: Handle | None = None) -> Handle:
        self.opened.append((str(action.verb), opened and opened.key))
        self.received.deliver(action)
        return Handle(key=f"message {len(self.opened)}")


def a_channel() -> tuple[Story, Channel]:
    story = Story(rules=(PEOPLE,))
    channel = Channel(received=story.people)
    destinations: Any = story.configuration.destinations
    destinations["people"] = channel
    return story, channel


def test_what_follows_an_open_is_given_its_handle() -> None:
    story, channel = a_channel()
    runs = Runs(story)

    runs.fails(100, ORDERS)
    runs.fails(101, ITEMS)
    runs.succeeds(102, ORDERS, ITEMS)

    assert channel.opened == [("open", None), ("update", "message 1"), ("close", "message 1")]


def test_of_an_open_that_went_unanswered_there_is_no_handle() -> None:
    story, channel = a_channel()
    story.people.failures = [UnknownOutcome("no answer")]
    runs = Runs(story)

    runs.fails(100, ORDERS)
    runs.succeeds(101, ORDERS)
    story.ticks(after_s=61)
    story.ticks(after_s=61)

    assert channel.opened[-1] == ("close", None)


def test_an_update_that_opened_what_was_refused_is_what_the_close_belongs_to() -> None:
    story, channel = a_channel()
    story.people.failures = [UnknownOutcome("no answer"), Refused("answered 404", 404)]
    runs = Runs(story)

    runs.fails(100, ORDERS)
    runs.fails(101, ITEMS)
    story.ticks(after_s=61)
    story.ticks(after_s=61)
    runs.succeeds(102, ORDERS, ITEMS)
    story.ticks(after_s=61)

    assert channel.opened[-2:] == [("update", None), ("close", "message 3")]
