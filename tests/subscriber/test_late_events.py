"""Events that come when they are older than `max_event_age`: one line instead of a flood."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.event import RunEvent
from subscriber.decisions import event_key
from subscriber.rules import Rule
from subscriber.run import Answer, Question, Result, Status
from tests.builders import an_event
from tests.fakes import FakeDbtCloud
from tests.subscriber.runs import ONCALL, ORDERS, PEOPLE, Runs, by_run, silenced
from tests.subscriber.story import REFRESH, Story, a_rule

MINUTE, HOUR = 60, 3_600


class KnowsTheNewest(FakeDbtCloud):
    """As told, and which run of the job is the newest one; None: that cannot be had."""

    def __init__(self, newest_run: int | None) -> None:
        super().__init__()
        self.newest_run = newest_run

    def about(self, event: RunEvent, question: Question) -> Answer:
        answer = super().about(event, question)
        return replace(answer, newest_run=self.newest_run) if question.newest_run else answer


def an_outage(*rules: Rule, newest_run: int | None = 900) -> tuple[Story, Runs]:
    story = Story(rules=rules or (PEOPLE,), dbt_cloud=KnowsTheNewest(newest_run))
    return story, Runs(story)


def ended(story: Story, ago: timedelta = timedelta(hours=25)) -> dict[str, str]:
    """What an event tells of a run that ended so long ago."""
    return {"runFinishedAt": (story.clock() - ago).isoformat()}


def test_late_failures_are_one_line_after_five_minutes_however_many_come() -> None:
    story, runs = an_outage()

    for run in range(100, 130):
        runs.fails(run, ORDERS, **ended(story))
    story.ticks(5 * MINUTE - 1)
    assert story.people.actions == []
    story.ticks(1)
    story.ticks(HOUR)

    (told,) = story.people.actions
    assert told.verb == "tell"
    assert told.message.headline == (
        "Events that came too late to be told one by one: run 100: Daily build failed in "
        "Production: model orders: no such column and 29 more"
    )
    assert told.message.text.endswith("\nand 10 more")


def test_each_destination_that_would_have_been_told_has_its_line() -> None:
    story, runs = an_outage(PEOPLE, ONCALL, a_rule("good", "people", outcome="succeeded"))

    runs.fails(100, ORDERS, **ended(story))
    runs.succeeds(101, **ended(story))
    story.ticks(5 * MINUTE)

    assert [a.message.text.count("\n") + 1 for a in story.people.actions] == [2]
    assert [a.message.text.count("\n") + 1 for a in story.alerts.actions] == [1]


def test_what_comes_after_the_line_was_told_begins_another() -> None:
    story, runs = an_outage()

    runs.fails(100, ORDERS, **ended(story))
    story.ticks(5 * MINUTE)
    runs.fails(101, ORDERS, **ended(story))
    story.ticks(5 * MINUTE - 1)
    assert len(story.people.actions) == 1
    story.ticks(1)

    assert [action.message.text.partition(":")[0] for action in story.people.actions] == [
        "run 100",
        "run 101",
    ]


def test_a_late_event_refreshes_nothing() -> None:
    story, runs = an_outage(REFRESH)

    runs.succeeds(100, **ended(story))
    story.ticks(5 * MINUTE)

    assert story.reports.actions == []


def test_a_late_event_changes_no_alert_that_is_open() -> None:
    story, runs = an_outage()
    runs.fails(90, ORDERS)

    runs.fails(100, "model.shop.items", **ended(story))
    runs.fails(101, ORDERS, **ended(story))
    story.ticks(5 * MINUTE)

    told = [action.verb for action in story.people.actions]
    assert told == ["open", "tell"]
    assert story.people.actions[1].message.text.startswith("run 100: ")
    assert "\n" not in story.people.actions[1].message.text


def test_a_close_is_never_held_back_by_age() -> None:
    story, runs = an_outage()
    runs.fails(90, ORDERS)

    runs.succeeds(100, **ended(story))

    assert story.people.verbs() == by_run(("open", 90), ("close", 90))


def test_a_node_is_closed_by_a_late_run_that_failed_elsewhere() -> None:
    rule = a_rule("each node", "people", alert={"per": "node"}, outcome="failed")
    story, runs = an_outage(rule)
    runs.fails(90, ORDERS)
    bad = Result("model.shop.items", Status.FAILED, "error")
    good = Result(ORDERS, Status.GOOD, "success")

    runs.comes(100, Answer(results=(bad, good), is_complete=True), **ended(story))

    assert [action.verb for action in story.people.actions] == ["open", "close"]


@pytest.mark.parametrize("newest_run", [100, None])
def test_the_newest_run_is_decided_on_as_usual_and_so_is_one_of_which_that_is_not_known(
    newest_run: int | None,
) -> None:
    story, runs = an_outage(newest_run=newest_run)

    runs.fails(100, ORDERS, **ended(story))

    assert story.people.verbs() == by_run(("open", 100))


@pytest.mark.parametrize(
    ("told", "opened"),
    [
        (lambda story: ended(story, timedelta(hours=24)), True),
        (lambda story: ended(story, timedelta(hours=24, seconds=1)), False),
    ],
)
def test_an_event_is_late_when_it_is_older_than_a_day(
    *, told: Callable[[Story], dict[str, str]], opened: bool
) -> None:
    story, runs = an_outage()

    runs.fails(100, ORDERS, **told(story))

    assert bool(story.people.actions) is opened


def test_age_is_that_of_the_day_it_was_recorded_on() -> None:
    story, runs = an_outage(a_rule("held", "people", outcome="failed"))
    story.dbt_cloud.answer = Answer(is_final=False)

    runs.comes(100, Answer(is_final=False), **ended(story, timedelta(hours=23, minutes=59)))
    story.ticks(2 * MINUTE)

    assert story.people.verbs() == by_run(("open", 100))


def test_a_replayed_event_ignores_its_age() -> None:
    story, runs = an_outage()
    runs.fails(100, ORDERS, **ended(story))
    key = event_key(an_event(event_id="wev_1"))

    assert story.ledger.reopen(key, now=story.clock())
    story.ticks()

    assert story.people.verbs() == by_run(("open", 100))


def test_late_failures_do_not_count_towards_an_alert() -> None:
    rule = a_rule("held", "people", alert={"after": {"runs": 2}}, outcome="failed")
    story, runs = an_outage(rule)

    runs.fails(100, ORDERS, **ended(story))
    runs.fails(101, ORDERS, **ended(story))
    story.ticks(5 * MINUTE)

    assert story.people.actions == []


def test_what_comes_late_to_a_silenced_destination_waits_for_the_end_of_the_silence() -> None:
    story, runs = an_outage(PEOPLE, a_rule("good", "people", outcome="succeeded"))
    silenced(story, 60)

    runs.fails(100, ORDERS, **ended(story))
    runs.succeeds(101, **ended(story))
    story.ticks(HOUR - 1)
    assert story.people.actions == []
    story.ticks(1)

    (told,) = story.people.actions
    assert told.message.headline.startswith("While silenced by Ada")
    assert told.message.text.count("\n") == 1
