"""Handles: what a destination answered when an episode opened comes back with what follows."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from subscriber.actions import Action, Handle, Verb
from subscriber.ledger.contract import Change
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import Outbound, Refused, UnknownOutcome
from tests.fakes import FakePeople
from tests.subscriber.runs import ITEMS, ORDERS, PEOPLE, Runs
from tests.subscriber.story import Story, a_rule


class Channel(FakePeople):
    """Answers each message with a handle of its own, and remembers which it was given."""

    opened: Any = Field(default_factory=list, exclude=True)

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        self.opened.append((str(action.verb), action.opened and action.opened.key))
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


def test_a_message_that_had_to_be_posted_anew_takes_the_place_of_the_first() -> None:
    class Posted(Channel):
        def deliver(self, action: Action, outbound: Outbound) -> Handle:
            handle = super().deliver(action, outbound)
            return replace(handle, replaces=action.verb is Verb.UPDATE)

    story, _ = a_channel()
    channel = Posted(received=story.people)
    destinations: Any = story.configuration.destinations
    destinations["people"] = channel
    runs = Runs(story)

    runs.fails(100, ORDERS)
    runs.fails(101, ITEMS)
    runs.succeeds(102, ORDERS, ITEMS)

    assert channel.opened == [("open", None), ("update", "message 1"), ("close", "message 2")]


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


def test_a_reminder_is_given_the_handle_of_the_open() -> None:
    story, channel = a_channel()
    story.rules = (a_rule("people", "people", outcome="failed", alert={"remind": "1h"}),)
    vars(story)["configuration"] = replace(story.configuration, rules=story.rules)
    runs = Runs(story)

    runs.fails(100, ORDERS)
    runs.fails(101, ITEMS)
    story.ticks(after_s=3_700)

    assert channel.opened[-1] == ("remind", "message 1")


def test_what_opened_an_alert_is_kept_until_some_time_after_its_close() -> None:
    ledger = Remembers()
    story = Story(rules=(PEOPLE,), ledger=ledger)
    runs = Runs(story)

    runs.fails(100, ORDERS)
    kept = ledger.expire_at("opened/people/afterrun/1/job/7/100")
    runs.succeeds(101, ORDERS)
    closed = ledger.expire_at("opened/people/afterrun/1/job/7/100")

    assert kept == story.clock() + timedelta(days=365)
    assert closed == story.clock() + timedelta(days=30)


def test_so_it_is_after_a_close_that_was_refused() -> None:
    ledger = Remembers()
    story = Story(rules=(PEOPLE,), ledger=ledger)
    runs = Runs(story)
    runs.fails(100, ORDERS)
    story.people.failures = [Refused("answered 404", 404)]

    runs.succeeds(101, ORDERS)

    assert ledger.expire_at("opened/people/afterrun/1/job/7/100") is not None


class Remembers(MemoryLedger):
    """A ledger that can say until when it was last told to keep a subject."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: dict[str, Change] = {}

    def decide(self, changes: Any, due: Any, settles: Any = None) -> bool:
        self.changes |= {change.before.key: change for change in changes}
        return super().decide(changes, due, settles)

    def expire_at(self, key: str) -> datetime | None:
        return self.changes[key].expire_at
