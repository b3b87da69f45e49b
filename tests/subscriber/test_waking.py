"""Waking: alerts that are held, reminders, and what becomes of timers, on every ledger."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from subscriber.actions import Action
from subscriber.ledger.contract import Change, Kind, Ledger, Work
from subscriber.ledger.firestore import FirestoreLedger
from subscriber.ledger.memory import MemoryLedger
from subscriber.ledger.sqlite import SqliteLedger
from subscriber.outbound import UnknownOutcome
from tests.builders import NOW, a_tick
from tests.emulators import ON_FIRESTORE
from tests.fakes import UnreachableLedger
from tests.subscriber.runs import ITEMS, ORDERS, STOCK, Runs, by_run
from tests.subscriber.story import Story, a_rule

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.fixture(params=["memory", "sqlite", pytest.param("firestore", marks=ON_FIRESTORE)])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
    elif request.param == "sqlite":
        with closing(SqliteLedger(tmp_path / "ledger.db")) as sqlite:
            yield sqlite
    else:
        host = request.getfixturevalue("firestore_emulator")
        yield FirestoreLedger(f"test-{uuid4().hex}", "(default)", host, timeout_s=30)


def a_story(alert: object, ledger: Ledger | None = None, **when: object) -> tuple[Story, Runs]:
    rule = a_rule("failures page", "oncall", alert=alert, **{"outcome": "failed", **when})
    story = Story(rules=(rule,), ledger=ledger or MemoryLedger())
    return story, Runs(story)


def timers(story: Story) -> list[Work]:
    after = story.clock() + timedelta(days=1)
    return list(story.ledger.recorded(Kind.TIMER, before=after, limit=1_000))


def nodes(action: Action) -> list[str]:
    return [node.unique_id for node in action.message.nodes]


# held until so many runs


def test_an_alert_waits_for_so_many_runs_with_the_problem(ledger: Ledger) -> None:
    story, runs = a_story({"after": {"runs": 3}}, ledger)

    runs.fails(100, ORDERS)
    runs.fails(101, ORDERS)
    assert story.alerts.verbs() == []
    runs.fails(102, ITEMS)

    assert story.alerts.verbs() == by_run(("open", 102))
    assert ITEMS in nodes(story.alerts.actions[0])


def test_a_good_run_in_between_begins_the_count_anew() -> None:
    story, runs = a_story({"after": {"runs": 2}})

    runs.fails(100, ORDERS)
    runs.succeeds(101)
    runs.fails(102, ORDERS)
    assert story.alerts.verbs() == []
    runs.fails(103, ORDERS)

    assert story.alerts.verbs() == by_run(("open", 103))


def test_a_cancelled_run_neither_counts_nor_begins_the_count_anew() -> None:
    story, runs = a_story({"after": {"runs": 2}})

    runs.fails(100, ORDERS)
    runs.is_cancelled(101)
    assert story.alerts.verbs() == []
    runs.fails(102, ORDERS)

    assert story.alerts.verbs() == by_run(("open", 102))


def test_the_same_run_told_twice_counts_once() -> None:
    story, runs = a_story({"after": {"runs": 2}})

    runs.fails(100, ORDERS, event_type="job.run.errored")
    runs.fails(100, ORDERS)

    assert story.alerts.verbs() == []


# held for so many minutes


def test_an_alert_waits_so_many_minutes_and_goes_out_on_a_tick(ledger: Ledger) -> None:
    story, runs = a_story({"after": {"minutes": 10}}, ledger)

    runs.fails(100, ORDERS)
    story.ticks(10 * MINUTE - 1)
    assert story.alerts.verbs() == []
    story.ticks(1)
    story.ticks(HOUR)

    assert story.alerts.verbs() == by_run(("open", 100))
    assert nodes(story.alerts.actions[0]) == [ORDERS]


def test_what_is_held_goes_out_with_what_the_latest_run_says(ledger: Ledger) -> None:
    story, runs = a_story({"after": {"minutes": 10}}, ledger)

    runs.fails(100, ORDERS)
    story.clock.passes(5 * MINUTE)
    runs.fails(101, ITEMS)
    story.ticks(5 * MINUTE)
    story.ticks(HOUR)

    assert story.alerts.verbs() == by_run(("open", 101))
    assert nodes(story.alerts.actions[0]) == [ITEMS]


def test_what_is_held_goes_out_with_what_became_known_of_the_same_run() -> None:
    story, runs = a_story({"after": {"minutes": 10}})

    runs.fails(100, ORDERS)
    runs.fails(100, ORDERS, ITEMS)
    story.ticks(10 * MINUTE)

    assert story.alerts.verbs() == by_run(("open", 100))
    assert nodes(story.alerts.actions[0]) == [ORDERS, ITEMS]


def test_what_is_known_of_a_run_is_not_lost_to_a_later_event_that_knows_less() -> None:
    story, runs = a_story({"after": {"minutes": 10}})

    runs.fails(100, ORDERS)
    runs.fails(100)
    story.ticks(10 * MINUTE)

    assert nodes(story.alerts.actions[0]) == [ORDERS]


def test_a_recovery_before_it_goes_out_means_that_nothing_is_ever_told(ledger: Ledger) -> None:
    story, runs = a_story({"after": {"minutes": 10}}, ledger)

    runs.fails(100, ORDERS)
    runs.succeeds(101)
    story.ticks(10 * MINUTE)
    story.ticks(DAY)

    assert story.alerts.verbs() == []
    assert all(timer.is_settled for timer in timers(story))


def test_a_problem_that_comes_back_is_held_anew() -> None:
    story, runs = a_story({"after": {"minutes": 10}})

    runs.fails(100, ORDERS)
    story.clock.passes(5 * MINUTE)
    runs.succeeds(101)
    runs.fails(102, ORDERS)
    story.ticks(5 * MINUTE)
    assert story.alerts.verbs() == []
    story.ticks(5 * MINUTE)

    assert story.alerts.verbs() == by_run(("open", 102))


@pytest.mark.parametrize("failing_after", [1, 11])
def test_with_runs_and_minutes_both_must_be_reached(failing_after: int) -> None:
    story, runs = a_story({"after": {"runs": 2, "minutes": 10}})

    runs.fails(100, ORDERS)
    story.ticks(failing_after * MINUTE)
    assert story.alerts.verbs() == []
    runs.fails(101, ORDERS)
    story.ticks(max(10 - failing_after, 0) * MINUTE)

    assert story.alerts.verbs() == by_run(("open", 101))


def test_minutes_alone_are_not_enough_where_runs_are_wanted() -> None:
    story, runs = a_story({"after": {"runs": 2, "minutes": 10}})

    runs.fails(100, ORDERS)
    story.ticks(DAY)

    assert story.alerts.verbs() == []
    assert timers(story) == []


def test_nodes_that_recover_while_an_alert_is_held_are_not_told_as_failing() -> None:
    story, runs = a_story({"after": {"minutes": 10}}, nodes={"name": "*"})

    runs.fails(100, ORDERS, ITEMS)
    runs.succeeds(101, ITEMS)
    story.ticks(10 * MINUTE)

    (opened,) = story.alerts.actions
    assert nodes(opened) == [ORDERS]
    assert opened.message.fixed == ("items",)
    assert opened.message.headline.endswith("(recovered since: items)")


# reminders


def test_what_stays_open_is_said_again_at_each_interval_with_what_was_told_last(
    ledger: Ledger,
) -> None:
    story, runs = a_story({"remind": "24h"}, ledger)

    runs.fails(100, ORDERS)
    for _ in range(3):
        story.ticks(DAY - 1)
        story.ticks(1)

    assert story.alerts.verbs() == by_run(("open", 100), *[("remind", 100)] * 3)
    headlines = [action.message.headline for action in story.alerts.actions]
    assert headlines[1] == f"Still open after 1 d: {headlines[0]}"
    assert headlines[3] == f"Still open after 3 d: {headlines[0]}"
    assert all(nodes(action) == [ORDERS] for action in story.alerts.actions)


def test_an_update_counts_as_telling() -> None:
    story, runs = a_story({"remind": "24h"})

    runs.fails(100, ORDERS)
    story.clock.passes(12 * HOUR)
    runs.fails(101, ORDERS, ITEMS)
    story.ticks(12 * HOUR)
    assert story.alerts.verbs() == by_run(("open", 100), ("update", 100))
    story.ticks(12 * HOUR)

    assert story.alerts.verbs()[2:] == by_run(("remind", 100))
    assert nodes(story.alerts.actions[-1]) == [ORDERS, ITEMS]
    assert "2 runs" in story.alerts.actions[-1].message.headline


def test_a_failing_run_that_comes_when_a_reminder_is_due_does_not_double_it(
    ledger: Ledger,
) -> None:
    story, runs = a_story({"remind": "24h"}, ledger)

    runs.fails(100, ORDERS)
    story.clock.passes(DAY)
    runs.fails(101, ORDERS)
    story.ticks()
    story.ticks(MINUTE)

    assert story.alerts.verbs() == by_run(("open", 100), ("remind", 100))


def test_the_same_run_again_never_reminds() -> None:
    story, runs = a_story({"remind": "24h"})

    runs.fails(100, ORDERS)
    story.clock.passes(DAY)
    runs.fails(100, ORDERS, runFinishedAt=None)

    assert story.alerts.verbs() == by_run(("open", 100))


def test_nothing_is_said_again_after_the_recovery() -> None:
    story, runs = a_story({"remind": "24h"})

    runs.fails(100, ORDERS)
    runs.succeeds(101)
    story.ticks(DAY)

    assert story.alerts.verbs() == by_run(("open", 100), ("close", 100))


def test_without_an_interval_nothing_is_said_again() -> None:
    story, runs = a_story({})

    runs.fails(100, ORDERS)
    runs.fails(101, ORDERS)
    story.ticks(30 * DAY)

    assert story.alerts.verbs() == by_run(("open", 100))
    assert timers(story) == []


def test_two_subscribers_that_tick_at_once_remind_once(ledger: Ledger) -> None:
    story, runs = a_story({"remind": "24h"}, ledger)
    other = Story(rules=story.rules, ledger=ledger, clock=story.clock, alerts=story.alerts)

    runs.fails(100, ORDERS)
    story.clock.passes(DAY)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: each.processor.take(a_tick()), [story, other]))
    story.ticks(2 * MINUTE)

    assert story.alerts.verbs() == by_run(("open", 100), ("remind", 100))


def test_a_long_series_of_failures_keeps_one_timer_and_one_reminder_an_interval() -> None:
    story, runs = a_story({"remind": "1h"})

    for run in range(100, 200):
        runs.fails(run, ORDERS)
        story.ticks(10 * MINUTE)

    assert story.alerts.verbs().count(by_run(("remind", 100))[0]) == 16
    assert sum(not timer.is_settled for timer in timers(story)) == 1
    assert len(timers(story)) == 17
    longest = max(len(timer.key) for timer in timers(story))
    assert longest < 200
    (job,) = story.ledger.subjects(["1/job/7/55"])
    assert len(json.dumps(job.body)) < 2_000


def test_a_destination_that_is_down_is_not_reminded_of_what_it_has_not_heard() -> None:
    story, runs = a_story({"remind": "1h"})
    story.alerts.failures = [UnknownOutcome("busy") for _ in range(100)]

    runs.fails(100, ORDERS)
    for _ in range(60):
        story.ticks(10 * MINUTE)
    story.alerts.failures = []
    story.ticks(HOUR)
    story.ticks(HOUR)

    assert story.alerts.verbs()[:2] == by_run(("open", 100), ("remind", 100))
    assert len(story.alerts.actions) <= 3


def test_an_interval_that_was_changed_counts_from_the_next_failing_run() -> None:
    story, runs = a_story({"remind": "24h"})
    runs.fails(100, ORDERS)
    rule = a_rule("failures page", "oncall", alert={"remind": "1h"}, outcome="failed")
    changed = Story(rules=(rule,), ledger=story.ledger, clock=story.clock, alerts=story.alerts)

    Runs(changed, told=10).fails(101, ORDERS)
    changed.ticks(HOUR)

    assert story.alerts.verbs() == by_run(("open", 100), ("remind", 100))


def test_a_reminder_goes_out_though_what_was_told_last_is_forgotten() -> None:
    class Forgetful(MemoryLedger):
        def work(self, key: str) -> Work | None:
            return None if key.endswith("/open/1") else super().work(key)

    story, runs = a_story({"remind": "24h"}, Forgetful())
    runs.fails(100, ORDERS)

    story.ticks(DAY)

    assert story.alerts.verbs() == by_run(("open", 100), ("remind", 100))
    headline = "Still open after 1 d: Daily build failed in Production: orders"
    assert story.alerts.actions[-1].message.headline == headline


def test_more_nodes_than_are_kept_are_no_news_when_they_fail_again() -> None:
    story, runs = a_story({})
    many = [f"model.shop.m{number}" for number in range(2_500)]

    runs.fails(100, *many)
    runs.fails(101, *many)
    assert story.alerts.verbs() == by_run(("open", 100))
    runs.fails(102, *many, ORDERS)

    assert story.alerts.verbs()[1:] == by_run(("update", 100))


# what may go wrong


@pytest.mark.parametrize("method", ["claim", "subjects", "decide", "work"])
def test_a_ledger_that_is_away_for_a_while_loses_and_doubles_nothing(method: str) -> None:
    away = UnreachableLedger()
    story, runs = a_story({"after": {"minutes": 10}, "remind": "1h"}, away)
    runs.fails(100, ORDERS)

    for wait in (10 * MINUTE, HOUR):
        away.unreachable = {method}
        story.ticks(wait)
        away.unreachable = set()
        story.ticks(2 * MINUTE)
        story.ticks(2 * MINUTE)

    assert story.alerts.verbs() == by_run(("open", 100), ("remind", 100))


def test_whoever_was_too_slow_for_its_lease_tells_nothing(ledger: Ledger) -> None:
    story, runs = a_story({"after": {"minutes": 10}}, ledger)
    runs.fails(100, ORDERS)
    (timer,) = timers(story)
    story.clock.passes(10 * MINUTE)
    slow = ledger.claim(timer.key, owner="slow", now=story.clock(), lease=timedelta(seconds=60))
    assert isinstance(slow, Work)

    story.ticks()
    assert story.alerts.verbs() == []
    story.ticks(61)

    assert story.alerts.verbs() == by_run(("open", 100))
    assert not ledger.settle(timer.key, owner="slow", now=story.clock(), result={})


def test_what_is_woken_twice_tells_once(ledger: Ledger) -> None:
    story, runs = a_story({"after": {"minutes": 10}}, ledger)
    runs.fails(100, ORDERS)
    (timer,) = timers(story)
    story.clock.passes(10 * MINUTE)

    first = story.processor.waking.on(timer.key)
    again = story.processor.waking.on(timer.key)

    assert (len(first), len(again)) == (1, 0)


def test_a_timer_of_another_version_is_left_for_the_program_that_wrote_it() -> None:
    story, _ = a_story({})
    story.ledger.record(Work("timer", Kind.TIMER, {"version": 9}, NOW, NOW))

    story.ticks()
    story.ticks(HOUR)

    kept = story.ledger.work("timer")
    assert kept is not None
    assert not kept.is_settled


def test_a_state_of_another_version_tells_nothing_and_is_left_as_it_is() -> None:
    story, runs = a_story({"after": {"minutes": 10}})
    runs.fails(100, ORDERS)
    (job,) = story.ledger.subjects(["1/job/7/55"])
    story.ledger.decide([Change(job, {"version": 9})], [])

    story.ticks(10 * MINUTE)

    (job,) = story.ledger.subjects(["1/job/7/55"])
    assert (story.alerts.verbs(), job.body) == ([], {"version": 9})
    assert [timer.is_settled for timer in timers(story)] == [False]


def test_one_timer_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    story, runs = a_story({"after": {"minutes": 10}})
    story.ledger.record(Work("broken", Kind.TIMER, {"version": 1}, NOW, NOW))
    runs.fails(100, ORDERS, STOCK)

    story.ticks(10 * MINUTE)

    assert story.alerts.verbs() == by_run(("open", 100))


def test_what_a_timer_writes_stays_in_the_document_of_the_job() -> None:
    rule = a_rule("held", "oncall", outcome="failed", alert={"after": {"minutes": 10}})
    story = Story(rules=(rule,))
    runs = Runs(story)
    runs.fails(100, ORDERS)

    story.ticks(after_s=600)
    runs.succeeds(99, ORDERS)
    runs.fails(98, ORDERS)

    job, environment = story.ledger.subjects(["1/job/7/55", "1/environment/55"])
    assert job.body["newest_run"] == 100
    assert len(job.body["episodes"]) == 1
    assert not environment.body
    assert story.alerts.verbs() == ["open afterrun/1/job/7/100"]
