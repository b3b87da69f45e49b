"""The record of an event, and what it names of that which follows: how a life is read again."""

import json
from datetime import timedelta

import pytest

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.actions import Verb
from subscriber.event_record import LIMIT_BYTES, recorded
from subscriber.ledger.contract import RESULT_LIMIT_BYTES, Kind, Work
from subscriber.progress import Failed, Running
from subscriber.run import Answer
from tests.builders import a_body, a_good_body, a_result
from tests.fakes import FakeDbtCloud
from tests.subscriber.runs import Runs
from tests.subscriber.story import PAGE, Story, a_rule
from tests.subscriber.test_following import FIRST_S, Refreshing

KNOWN = Answer(results=(a_result(),), is_complete=True)


def the(story: Story, kind: Kind) -> Work:
    (work,) = all_of(story, kind)
    return work


def all_of(story: Story, kind: Kind) -> list[Work]:
    later = story.clock() + timedelta(days=1)
    return list(story.ledger.recorded(kind, before=later, limit=50))


def test_what_is_small_is_kept_as_it_is() -> None:
    result = {"outcome": "failed", "late": False, "actions": ["a"], "rules": {"page": "matched"}}

    assert recorded(result) == result


def test_what_is_left_out_is_counted() -> None:
    result = {"actions": [f"1/oncall/{n}" for n in range(250)], "reasons": {}}

    record = recorded(result)

    assert len(record["actions"]) == 200
    assert record["more"] == {"actions": 50}


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_it_never_becomes_too_large_for_the_ledger(character: str) -> None:
    long = character * 400
    result = {
        "reason": long * 10,
        "actions": [f"1/oncall/node/{long}/{n}" for n in range(200)],
        "reasons": {f"{n}{long}": long for n in range(200)},
    }

    record = recorded(result)

    assert len(json.dumps(record)) <= LIMIT_BYTES < RESULT_LIMIT_BYTES
    assert record["more"]["actions"] == 200 - len(record["actions"])
    assert all(key.endswith(f"/{n}") for n, key in enumerate(record["actions"]))


def test_alerts_of_two_hundred_nodes_with_long_names_are_closed_and_on_record() -> None:
    rules = (a_rule("each", "oncall", outcome="failed", alert={"per": "node"}),)
    story = Story(rules=rules)
    runs = Runs(story)
    nodes = [f"test.shop.{'n' * 480}{n}" for n in range(200)]
    for n in range(10):
        runs.fails(100 + n, *nodes[: 20 * (n + 1)])

    runs.succeeds(200, *nodes)

    assert [action.verb for action in story.alerts.actions].count(Verb.CLOSE) == 200
    (record,) = [w.result for w in all_of(story, Kind.EVENT) if w.key == "1/event/wev_11"]
    assert record["outcome"] == "succeeded"
    assert len(record["actions"]) + record["more"]["actions"] == 200


def test_it_says_when_it_was_decided_and_where_the_run_is_to_be_seen() -> None:
    story = Story(rules=(PAGE,), dbt_cloud=FakeDbtCloud(KNOWN))

    story.comes(a_body())

    record = the(story, Kind.EVENT).result
    assert record["at"] == story.clock().isoformat()
    assert record["link"] == "https://cloud.getdbt.com/deploy/1/projects/9/runs/100"


def test_so_does_that_of_an_event_that_concerns_nobody() -> None:
    story = Story(rules=(PAGE,))

    story.comes(a_good_body())

    record = the(story, Kind.EVENT).result
    assert record["at"] == story.clock().isoformat()
    assert record["link"] == "https://cloud.getdbt.com/deploy/1/projects/9/runs/100"


def test_what_was_told_before_it_waited_is_named_too() -> None:
    at_once = a_rule("at once", "people", outcome="failed", event="errored", alert=False)
    story = Story(rules=(at_once, PAGE))

    story.comes(a_body(event_type="job.run.errored"))
    assert len(story.people.actions) == 1
    assert the(story, Kind.EVENT).result["actions"] == ["1/people/job/7/100/failed/tell/1"]
    story.dbt_cloud.answer = KNOWN
    story.ticks(after_s=16)

    told = the(story, Kind.EVENT).result["actions"]
    assert sorted(told) == ["1/oncall/job/7/100/open/1", "1/people/job/7/100/failed/tell/1"]


def test_it_names_the_timer_of_what_is_held_and_that_names_what_it_told() -> None:
    held = a_rule("held", "oncall", outcome="failed", alert={"after": {"minutes": 10}})
    story = Story(rules=(held,), dbt_cloud=FakeDbtCloud(KNOWN))

    story.comes(a_body())
    (timer,) = the(story, Kind.EVENT).result["timers"]
    story.ticks(after_s=600)

    woken = story.ledger.work(timer)
    assert woken
    assert woken.result["at"] == story.clock().isoformat()
    assert woken.result["actions"] == ["1/oncall/job/7/100/open/1"]


def test_a_timer_names_the_one_that_comes_after_it() -> None:
    reminds = a_rule("reminds", "oncall", outcome="failed", alert={"remind": "1h"})
    story = Story(rules=(reminds,), dbt_cloud=FakeDbtCloud(KNOWN))
    story.comes(a_body())
    (timer,) = the(story, Kind.EVENT).result["timers"]

    story.ticks(after_s=3_600)

    woken = story.ledger.work(timer)
    assert woken
    (after_that,) = woken.result["timers"]
    assert after_that in {work.key for work in all_of(story, Kind.TIMER)}


def test_a_refresh_names_what_follows_it_and_that_names_who_heard() -> None:
    refreshing = Refreshing(Running(), Failed("the query failed"))

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S, 15)

    (refresh,) = [
        work for work in all_of(refreshing.story, Kind.ACTION) if "/refresh/1" in work.key
    ]
    (followed,) = refreshing.followed
    assert refresh.result["follow"] == followed.key
    assert followed.result["at"] == refreshing.story.clock().isoformat()
    assert sorted(map(verb_at, followed.result["actions"])) == ["oncall open", "people open"]


def test_a_refresh_that_was_refused_names_who_heard() -> None:
    refreshing = Refreshing()
    refreshing.story.reports.failures = [PermanentFailure("reports.example answered 404")]

    refreshing.runs.succeeds(100)

    refresh = refreshing.story.ledger.work("1/report/job/7/100/refresh/1")
    assert refresh
    assert sorted(map(verb_at, refresh.result["actions"])) == ["oncall open", "people open"]


def test_what_was_heard_of_a_refresh_that_began_late_stays_on_its_record() -> None:
    refreshing = Refreshing()
    story = refreshing.story
    story.reports.failures = [TemporaryFailure("reports.example answered 503") for _ in range(3)]

    refreshing.runs.succeeds(100)
    refreshing.ticks(3_600, 3_600, 3_600)

    refresh = story.ledger.work("1/report/job/7/100/refresh/1")
    assert refresh
    assert refresh.result["outcome"] == "delivered"
    assert sorted(map(verb_at, refresh.result["actions"])) == ["oncall open", "people open"]


def verb_at(key: str) -> str:
    parts = key.split("/")
    return f"{parts[1]} {parts[-2]}"
