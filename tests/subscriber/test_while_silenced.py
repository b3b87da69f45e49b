"""What happens while a silence lasts, and what is told at its end, on every ledger."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from subscriber.ledger.contract import Ledger
from subscriber.ledger.firestore import FirestoreLedger
from subscriber.ledger.memory import MemoryLedger
from subscriber.ledger.sqlite import SqliteLedger
from subscriber.run import Answer, Result, Status
from subscriber.silences import Silences
from tests.builders import a_good_body, a_result, a_tick
from tests.emulators import ON_FIRESTORE
from tests.subscriber.runs import ITEMS, ONCALL, ORDERS, PEOPLE, STOCK, Runs, by_run, silenced
from tests.subscriber.story import REFRESH, Story, a_rule

MINUTE, HOUR = 60, 3_600
GOOD_ITEMS = Result(ITEMS, Status.GOOD, "success")


@pytest.fixture(params=["memory", "sqlite", pytest.param("firestore", marks=ON_FIRESTORE)])
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Story]:
    rules = (PEOPLE, ONCALL)
    if request.param == "memory":
        yield Story(rules=rules)
    elif request.param == "sqlite":
        with closing(SqliteLedger(tmp_path / "ledger.db")) as sqlite:
            yield Story(rules=rules, ledger=sqlite)
    else:
        host = request.getfixturevalue("firestore_emulator")
        ledger = FirestoreLedger(f"test-{uuid4().hex}", "(default)", host, timeout_s=30)
        yield Story(rules=rules, ledger=ledger)


def in_memory(*rules: object, ledger: Ledger | None = None) -> tuple[Story, Runs]:
    story = Story(rules=rules or (PEOPLE,), ledger=ledger or MemoryLedger())  # type: ignore[arg-type]
    return story, Runs(story)


def lines(story: Story) -> list[str]:
    """The digests that people were told."""
    return [a.message.text for a in story.people.actions if "/digest/" in a.key]


# a problem


def test_a_problem_that_is_still_there_at_the_end_is_told_then_and_closed_by_its_recovery(
    story: Story,
) -> None:
    runs = Runs(story)
    silenced(story, 60)

    runs.fails(100, ORDERS)
    story.ticks(30 * MINUTE)
    runs.fails(101, ITEMS)
    story.ticks(30 * MINUTE - 1)
    assert story.people.verbs() == []
    assert story.alerts.verbs() == by_run(("open", 100), ("update", 100))
    story.ticks(1)
    story.ticks(HOUR)

    assert story.people.verbs() == by_run(("open", 101))
    assert ITEMS in [node.unique_id for node in story.people.actions[0].message.nodes]
    runs.succeeds(102)
    assert story.people.verbs() == by_run(("open", 101), ("close", 101))


def test_a_problem_that_came_and_went_is_told_in_one_line_at_the_end(story: Story) -> None:
    runs = Runs(story)
    silence = silenced(story, 60, comment="new warehouse")

    runs.fails(100, ORDERS)
    runs.fails(101, ORDERS)
    runs.succeeds(102)
    runs.fails(103, ORDERS)
    runs.succeeds(104)
    story.ticks(HOUR - 1)
    assert story.people.actions == []
    story.ticks(1)
    story.ticks(HOUR)

    (told,) = story.people.actions
    assert told.verb == "tell"
    assert told.message.headline.startswith(f"While silenced {silence.said()}: ")
    assert told.message.text == (
        "Daily build recovered in Production after 2 bad runs\n"
        "Daily build recovered in Production after 1 bad run"
    )


def test_a_problem_that_ends_just_after_its_silence_is_told_in_that_line_as_well() -> None:
    story, runs = in_memory()
    silenced(story, 60)

    runs.fails(100, ORDERS)
    story.clock.passes(HOUR + 1)
    runs.succeeds(101)
    story.ticks()
    story.ticks(HOUR)

    assert lines(story) == ["Daily build recovered in Production after 1 bad run"]
    assert len(story.people.actions) == 1


@pytest.mark.parametrize("after", [{"runs": 2}, {"minutes": 10}])
def test_what_would_not_have_been_told_anyway_is_not_in_the_line(after: dict[str, int]) -> None:
    story, runs = in_memory(a_rule("held", "people", alert={"after": after}, outcome="failed"))
    silenced(story, 60)

    runs.fails(100, ORDERS)
    runs.succeeds(101)
    story.ticks(HOUR)

    assert story.people.actions == []


def test_what_is_held_for_minutes_goes_out_when_both_those_and_the_silence_are_over() -> None:
    rule = a_rule("held", "people", alert={"after": {"minutes": 90}}, outcome="failed")
    story, runs = in_memory(rule)
    silenced(story, 60)

    runs.fails(100, ORDERS)
    story.ticks(HOUR)
    story.ticks(30 * MINUTE - 1)
    assert story.people.verbs() == []
    story.ticks(1)

    assert story.people.verbs() == by_run(("open", 100))


# what is open already


def test_an_update_is_held_back_and_the_last_state_is_told_at_the_end(story: Story) -> None:
    runs = Runs(story)
    runs.fails(100, ORDERS)
    silenced(story, 60)

    runs.fails(101, ORDERS, ITEMS)
    runs.fails(102, ORDERS, ITEMS)
    story.ticks(10 * MINUTE)
    runs.fails(103, ORDERS, ITEMS, STOCK)
    runs.fails(104, ORDERS, ITEMS, STOCK)
    story.ticks(50 * MINUTE - 1)
    assert story.people.verbs() == by_run(("open", 100))
    story.ticks(1)
    story.ticks(HOUR)

    assert story.people.verbs() == by_run(("open", 100), ("update", 100))
    told = story.people.actions[-1].message
    assert [node.unique_id for node in told.nodes] == [ORDERS, ITEMS, STOCK]
    assert (told.new, told.still) == (("items", "stock"), ("orders",))
    assert told.facts["run_id"] == "104"


def test_an_update_that_was_held_back_does_not_wait_for_the_next_reminder() -> None:
    story, runs = in_memory(
        a_rule("people hear", "people", alert={"remind": "24h"}, outcome="failed")
    )
    runs.fails(100, ORDERS)
    silenced(story, 60)

    runs.fails(101, ORDERS, ITEMS)
    story.ticks(HOUR)

    assert story.people.verbs() == by_run(("open", 100), ("update", 100))


def test_a_failing_run_after_the_end_tells_what_has_changed_since_it_was_told_last() -> None:
    story, runs = in_memory()
    runs.fails(100, ORDERS)
    silenced(story, 60)
    runs.fails(101, ORDERS, ITEMS)

    story.clock.passes(HOUR)
    runs.fails(102, ORDERS, ITEMS)
    story.ticks()
    story.ticks(HOUR)

    assert story.people.verbs() == by_run(("open", 100), ("update", 100))
    assert story.people.actions[-1].message.new == ("items",)


def test_nodes_that_came_and_went_under_a_silence_are_no_news_at_its_end() -> None:
    story, runs = in_memory()
    runs.fails(100, ORDERS)
    silenced(story, 60)

    runs.fails(101, ORDERS, ITEMS)
    runs.comes(102, Answer(results=(a_result(ORDERS, message="no such column"), GOOD_ITEMS)))
    story.ticks(HOUR)

    assert story.people.verbs() == by_run(("open", 100)), "it is again as it was told"
    assert story.alerts.verbs() == []


def test_nodes_that_recovered_under_a_silence_are_told_at_its_end() -> None:
    rule = a_rule("nodes", "people", outcome="failed", nodes={"name": "*"})
    story, runs = in_memory(rule)
    runs.fails(100, ORDERS, ITEMS, STOCK)
    silenced(story, 60)

    runs.succeeds(101, ITEMS)
    runs.succeeds(102, STOCK)
    story.ticks(HOUR)

    assert story.people.verbs() == by_run(("open", 100), ("update", 100))
    told = story.people.actions[-1].message
    assert (told.fixed, told.still) == (("items", "stock"), ("orders",))


def test_a_reminder_is_held_back_and_comes_at_the_end_once(story: Story) -> None:
    rule = a_rule("people hear", "people", alert={"remind": "1h"}, outcome="failed")
    story.rules = (rule,)
    runs = Runs(story)
    runs.fails(100, ORDERS)
    silenced(story, 180)

    for _ in range(17):
        story.ticks(10 * MINUTE)
    runs.fails(101, ORDERS)
    assert story.people.verbs() == by_run(("open", 100))
    story.ticks(10 * MINUTE)
    story.ticks(MINUTE)

    assert story.people.verbs() == by_run(("open", 100), ("remind", 100))
    story.ticks(HOUR)
    assert story.people.verbs()[2:] == by_run(("remind", 100))


def test_a_close_is_never_held_back(story: Story) -> None:
    runs = Runs(story)
    runs.fails(100, ORDERS)
    silenced(story, 60)

    runs.fails(101, ITEMS)
    runs.succeeds(102)
    story.ticks(HOUR)

    assert story.people.verbs() == by_run(("open", 100), ("close", 100))


# what is told once


def test_what_would_have_been_told_once_goes_into_the_line() -> None:
    good = a_rule("good runs", "people", outcome="succeeded")
    story, runs = in_memory(good, a_rule("each", "people", alert=False, outcome="failed"))
    silenced(story, 60)

    runs.succeeds(100)
    runs.fails(101, ORDERS)
    story.ticks(HOUR)

    (told,) = lines(story)
    assert told.splitlines() == [
        "Daily build succeeded in Production",
        "Daily build failed in Production: model orders: no such column",
    ]
    assert len(story.people.actions) == 1


def test_each_destination_has_a_line_of_its_own() -> None:
    story, runs = in_memory(PEOPLE, ONCALL)
    silenced(story, 60, job=7)

    runs.fails(100, ORDERS)
    runs.succeeds(101)
    story.ticks(HOUR)

    assert [len(story.people.actions), len(story.alerts.actions)] == [1, 1]


def test_refreshes_are_not_silenced() -> None:
    story, runs = in_memory(REFRESH)
    silenced(story, 60, job=7)

    runs.succeeds(100)

    assert story.reports.verbs() == ["refresh 1/report/job/7/100/refresh/1"]


# which silence, and until when


def test_a_silence_of_an_environment_holds_nothing_of_another() -> None:
    story, runs = in_memory()
    silenced(story, 60, environment="Staging")

    runs.fails(100, ORDERS)
    runs.fails(200, ORDERS, job_id=8, environmentId="56", environmentName="Staging")

    assert story.people.verbs() == by_run(("open", 100))


def test_a_silence_of_nodes_holds_back_only_what_is_about_no_other() -> None:
    story, runs = in_memory()
    silenced(story, 60, node="orders")

    runs.fails(100, ORDERS)
    assert story.people.verbs() == []
    runs.fails(101, ORDERS, ITEMS)

    assert story.people.verbs() == by_run(("open", 101))


def test_a_silence_bound_to_an_episode_ends_with_it(story: Story) -> None:
    runs = Runs(story)
    runs.fails(100, ORDERS)
    silence = silenced(story, 600, episode="afterrun/1/job/7/100")

    runs.fails(101, ITEMS)
    assert len(story.people.actions) == len(story.alerts.actions) == 1
    story.clock.passes(MINUTE)
    runs.succeeds(102)
    runs.fails(103, ORDERS)

    assert story.people.verbs() == by_run(("open", 100), ("close", 100), ("open", 103))
    (listed,) = Silences(story.ledger, story.clock).listed()
    assert (listed.id, listed.ends_at) == (silence.id, story.clock())


def test_what_a_silence_held_back_is_told_within_five_minutes_of_its_early_end(
    story: Story,
) -> None:
    runs = Runs(story)
    runs.fails(200, ORDERS, job_id=8)
    silence = silenced(story, 600)
    runs.fails(201, ORDERS, ITEMS, job_id=8)
    runs.fails(100, ORDERS)
    runs.fails(300, ORDERS, job_id=9)
    runs.succeeds(301, job_id=9)
    story.ticks(10 * MINUTE)

    Silences(story.ledger, story.clock).expire(silence.id)
    story.ticks(5 * MINUTE)

    told = [(action.verb, action.episode_key) for action in story.people.actions[1:]]
    assert sorted(told) == [
        ("open", "afterrun/1/job/7/100"),
        ("tell", f"1/people/1/digest/silence/{silence.id}/people/1/tell/1"),
        ("update", "afterrun/1/job/8/200"),
    ]


def test_what_is_held_back_waits_on_where_a_second_silence_makes_it_longer(story: Story) -> None:
    runs = Runs(story)
    silenced(story, 60)
    runs.fails(100, ORDERS)
    runs.fails(300, ORDERS, job_id=9)
    runs.succeeds(301, job_id=9)
    story.clock.passes(30 * MINUTE)
    silenced(story, 90)

    story.ticks(30 * MINUTE)
    story.ticks(59 * MINUTE)
    assert story.people.actions == []
    story.ticks(MINUTE)

    assert sorted(action.verb for action in story.people.actions) == ["open", "tell"]


def test_a_silence_that_begins_after_the_alert_holds_back_no_more_than_what_follows() -> None:
    story, runs = in_memory()
    runs.fails(100, ORDERS)
    silenced(story, 60)

    runs.fails(101, ORDERS)
    story.ticks(HOUR)

    assert story.people.verbs() == by_run(("open", 100))


def test_two_subscribers_that_tick_at_once_tell_what_was_held_back_once(story: Story) -> None:
    other = Story(rules=story.rules, ledger=story.ledger, clock=story.clock, people=story.people)
    runs = Runs(story)
    silenced(story, 60)
    runs.fails(100, ORDERS)
    runs.fails(300, ORDERS, job_id=9)
    runs.succeeds(301, job_id=9)

    story.clock.passes(HOUR)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: each.processor.take(a_tick()), [story, other]))
    story.ticks(2 * MINUTE)
    story.ticks(2 * MINUTE)

    assert sorted(action.verb for action in story.people.actions) == ["open", "tell"]


def test_many_things_told_under_a_silence_are_one_small_digest() -> None:
    story, runs = in_memory(a_rule("good runs", "people", outcome="succeeded"))
    silence = silenced(story, 60)

    for run in range(1_000):
        runs.succeeds(100 + run)
    (kept,) = story.ledger.subjects([f"1/digest/silence/{silence.id}/people"])
    story.ticks(HOUR)

    assert len(str(kept.body)) < 10_000
    (told,) = story.people.actions
    assert told.message.headline.endswith("Daily build succeeded in Production and 999 more")
    assert told.message.text.endswith("\nand 980 more")


def test_what_comes_after_the_line_was_told_begins_another() -> None:
    story, _ = in_memory(a_rule("good runs", "people", outcome="succeeded"))
    silence = silenced(story, 60)
    silences = Silences(story.ledger, story.clock)
    story.comes(a_good_body(event_id="wev_1", run_id=100))
    silences.expire(silence.id)
    story.ticks(5 * MINUTE)
    assert len(lines(story)) == 1

    silenced(story, 60)
    story.comes(a_good_body(event_id="wev_2", run_id=101))
    story.ticks(HOUR)

    assert len(lines(story)) == 2


def test_a_silence_of_nodes_holds_back_that_some_of_them_recovered() -> None:
    rule = a_rule("nodes", "people", outcome="failed", nodes={"name": "*"})
    story, runs = in_memory(rule)
    runs.fails(100, ORDERS, ITEMS)
    silenced(story, node="*")

    runs.succeeds(101, ITEMS)

    assert story.people.verbs() == by_run(("open", 100))
