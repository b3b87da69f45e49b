"""Spelling: slips in the configuration, found in what happened lately."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from subscriber import configuration
from subscriber.configuration import Configuration
from subscriber.decisions import event_key
from subscriber.ledger.contract import Kind, Ledger, Work
from subscriber.ledger.memory import MemoryLedger
from subscriber.spelling import EVENTS, Spelling, lately, slips
from subscriber.yaml_lines import parse
from tests.builders import NOW, Clock, a_body, a_tick, an_event
from tests.fakes import UnreachableLedger
from tests.subscriber.story import Story

FILE = """\
version: 1
dbt_cloud: {token: env:TOKEN}
destinations:
  oncall: {kind: pagerduty, routing_key: env:KEY}
rules:
  - name: page
    when:
      outcome: failed
      environment: Productoin
    then: [oncall]
"""
SLIP = (
    "afterrun.yaml:9:7: rules[0].when.environment: no environment of the last events matches; "
    "did you mean `Production`?"
)


def a_configuration(text: str = FILE) -> Configuration:
    return configuration.read(*parse(text, "afterrun.yaml"))


def record(ledger: Ledger, body: bytes, at: datetime = NOW - timedelta(hours=1)) -> None:
    key = event_key(an_event(event_id=json.loads(body)["eventId"]))
    ledger.record(Work(key, Kind.EVENT, {"event": body.decode()}, recorded_at=at, due_at=at))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The reasons of the warnings that are logged of the configuration."""
    warnings = [each for each in caplog.records if each.levelname == "WARNING"]
    return [vars(each)["fields"]["reason"] for each in warnings if each.msg == "configuration"]


def test_a_slip_is_said_with_file_line_and_the_name_that_was_meant() -> None:
    assert [*map(str, slips(a_configuration(), [an_event()]))] == [SLIP]


def test_without_a_file_there_is_nothing_to_misspell(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()
    record(story.ledger, a_body())

    Spelling(story.configuration, story.ledger, story.clock).check()

    assert slips(story.configuration, [an_event()]) == []
    assert said(caplog) == []


def test_what_is_found_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    record(ledger, a_body())
    spelling = Spelling(a_configuration(), ledger, Clock())

    spelling.check()
    spelling.check()

    assert said(caplog) == [SLIP]


def test_a_ledger_that_does_not_answer_is_asked_at_the_next_tick(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = UnreachableLedger("recorded")
    record(ledger, a_body())
    spelling = Spelling(a_configuration(), ledger, Clock())

    spelling.check()
    assert said(caplog) == []
    ledger.unreachable.clear()
    spelling.check()

    assert said(caplog) == [SLIP]


def test_before_the_first_event_there_is_nothing_to_compare_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger, clock = MemoryLedger(), Clock()
    spelling = Spelling(a_configuration(), ledger, clock)

    spelling.check()
    record(ledger, a_body(), at=clock.now)
    clock.passes(60)
    spelling.check()

    assert said(caplog) == [SLIP]


def test_the_last_events_are_those_that_could_be_read_the_newest_first() -> None:
    ledger = MemoryLedger()
    for number in range(EVENTS + 5):
        at = NOW - timedelta(hours=1) + timedelta(seconds=number)
        record(ledger, a_body(event_id=f"wev_{number}", run_id=number + 1), at)
    unreadable = {"message_id": "5", "size_bytes": 3}
    ledger.record(
        Work("unreadable/5", Kind.EVENT, unreadable, NOW - timedelta(minutes=1), due_at=None)
    )

    seen = lately(ledger, NOW)

    assert len(seen) == EVENTS - 1
    assert [event.run_id for event in seen[:2]] == [str(EVENTS + 5), str(EVENTS + 4)]


def test_the_first_tick_checks_the_spelling_and_none_after_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    story = Story()
    record(story.ledger, a_body())
    spelling = Spelling(a_configuration(), story.ledger, story.clock)
    processor = replace(story.processor, spelling=spelling)

    processor.take(a_tick())
    processor.take(a_tick())

    assert said(caplog) == [SLIP]
