"""Decisions: what is asked, what is waited for, what is on record; the story of one subscriber."""

from typing import Any

import pytest

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.decisions import LEASE
from subscriber.ledger.contract import Change, Work
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import UnknownOutcome
from subscriber.run import Answer, Question, RunDetails, Status, Step
from tests.builders import a_body, a_good_body, a_message, a_result
from tests.fakes import FakeDbtCloud
from tests.subscriber.story import PAGE, REFRESH, Story, a_rule

WARN = a_rule("warnings page", "oncall", outcome=["failed", "warned"])
NODES = a_rule("nodes page", "oncall", outcome="failed", alert={"per": "node"})
EVENT = "1/event/wev_1"


def a_story(*rules: Any, answer: Answer | None = None, **fields: Any) -> Story:
    return Story(rules=rules or (PAGE,), dbt_cloud=FakeDbtCloud(answer), **fields)


def a_record(story: Story, event_id: str = "wev_1") -> dict[str, Any]:
    work = story.ledger.work(f"1/event/{event_id}")
    assert work is not None
    assert work.is_settled
    return work.result


# what is asked


@pytest.mark.parametrize(
    ("rule", "body", "question"),
    [
        (PAGE, a_body(), Question(results="failed")),
        (PAGE, a_good_body(), None),
        (REFRESH, a_good_body(), Question()),
        (WARN, a_good_body(), Question(results="all")),
        (a_rule("clean", "report", outcome="clean"), a_good_body(), Question(results="all")),
        (a_rule("told", "people", outcome="cancelled"), a_body(code=30), Question()),
        (a_rule("others", "oncall", outcome="failed", job=8), a_body(), None),
    ],
)
def test_dbt_cloud_is_asked_for_no_more_than_what_follows_needs(
    rule: Any, body: bytes, question: Question | None
) -> None:
    story = a_story(rule, answer=Answer(results=(a_result(),), is_complete=True))

    story.comes(body)

    assert [asked for _, asked in story.dbt_cloud.asked] == ([question] if question else [])


def test_with_alerts_of_nodes_open_every_run_of_the_environment_is_looked_at() -> None:
    story = a_story(NODES, answer=Answer(results=(a_result("model.shop.a"),)))
    story.comes(a_body())
    story.dbt_cloud.answer = Answer(is_complete=True)

    story.comes(a_good_body(event_id="wev_2", run_id=101, job_id=8))

    question = Question(results="all", nodes=frozenset({"model.shop.a"}))
    assert story.dbt_cloud.asked[-1] == ("101", question)


def test_an_old_event_is_asked_whether_its_job_has_a_newer_run() -> None:
    story = a_story(answer=Answer(newest_run=100))

    story.comes(a_body(runFinishedAt="2026-01-01T00:00:00Z"))

    assert story.dbt_cloud.asked == [("100", Question(results="failed", newest_run=True))]
    assert len(story.alerts.actions) == 1, "it is the newest run still"


# what is waited for


def test_a_rule_that_names_errored_does_not_wait_for_completed() -> None:
    at_once = a_rule("at once", "people", outcome="failed", event="errored")
    story = a_story(PAGE, at_once, answer=Answer(is_final=False))

    story.comes(a_body(event_type="job.run.errored"))

    assert len(story.people.actions) == 1
    assert story.alerts.actions == []
    story.dbt_cloud.answer = Answer(results=(a_result("model.shop.a"),))
    story.ticks(after_s=16)
    assert [action.verb for action in story.people.actions] == ["open", "update"]
    assert [action.verb for action in story.alerts.actions] == ["open"]


def test_a_rule_that_names_completed_does_not_act_on_errored_alone() -> None:
    story = a_story(a_rule("completed", "oncall", outcome="failed", event="completed"))

    story.comes(a_body(event_type="job.run.errored"))
    story.ticks(after_s=120)
    assert story.alerts.actions == []
    story.comes(a_body(event_id="wev_2", event_type="job.run.completed"))

    assert len(story.alerts.actions) == 1


def test_completed_after_errored_tells_the_nodes_once() -> None:
    story = a_story(answer=Answer(notes=("the API is down",), was_down=True))
    story.comes(a_body(event_type="job.run.errored"))
    story.ticks(after_s=91)
    story.dbt_cloud.answer = Answer(results=(a_result("model.shop.a"),))

    story.comes(a_body(event_id="wev_2", event_type="job.run.completed"))
    story.comes(a_body(event_id="wev_3", event_type="job.run.completed"))

    assert [action.verb for action in story.alerts.actions] == ["open", "update"]
    assert [node.name for node in story.alerts.actions[1].message.nodes] == ["a"]


def test_whether_a_run_warned_is_waited_for_while_the_api_is_down() -> None:
    story = a_story(WARN, answer=Answer(was_down=True))
    warned = a_result("test.shop.a.1", status=Status.WARNED, said="warn")

    story.comes(a_good_body())
    story.ticks(after_s=300)
    story.dbt_cloud.answer = Answer(results=(warned,), is_complete=True)
    story.ticks(after_s=16)

    assert [action.message.level for action in story.alerts.actions] == ["warning"]


def test_after_ten_minutes_of_silence_it_is_not_known_whether_a_run_warned() -> None:
    story = a_story(WARN, REFRESH, answer=Answer(was_down=True))

    story.comes(a_good_body())
    story.ticks(after_s=599)
    assert story.reports.actions == []
    story.ticks(after_s=20)

    assert story.alerts.actions == []
    assert len(story.reports.actions) == 1
    assert a_record(story)["rules"]["warnings page"].startswith("it is not known")


# what is on record


def test_the_record_of_an_event_says_which_rules_matched_and_why_the_others_did_not() -> None:
    others = a_rule("others", "oncall", outcome="failed", job=8)
    notes = ("cloud.getdbt.com answered 503",)
    story = a_story(PAGE, REFRESH, others, answer=Answer(notes=notes))

    story.comes(a_body())

    assert a_record(story) == {
        "outcome": "failed",
        "at": "2026-01-05T12:00:00+00:00",
        "link": "https://cloud.getdbt.com/deploy/1/projects/9/runs/100",
        "warned": None,
        "late": False,
        "actions": ["1/oncall/job/7/100/open/1"],
        "timers": [],
        "rules": {
            "failures page": "matched",
            "good runs refresh": "the run failed",
            "others": "another job",
        },
        "reasons": {"oncall": "the problem is new (rule: failures page)"},
        "notes": ["cloud.getdbt.com answered 503"],
    }


def test_each_attempt_at_an_action_is_on_record_with_its_answer() -> None:
    story = a_story()
    story.alerts.failures = [TemporaryFailure("events.pagerduty.com answered 503")]

    story.comes(a_body())
    story.ticks(after_s=6)

    work = story.ledger.work("1/oncall/job/7/100/open/1")
    assert work is not None
    assert [(tried["outcome"], tried["reason"]) for tried in work.result["attempts"]] == [
        ("not yet", "events.pagerduty.com answered 503"),
        ("delivered", ""),
    ]


def test_the_record_is_written_with_the_decision_so_that_a_crash_leaves_both_or_none() -> None:
    class Crashes(MemoryLedger):
        def settle(self, key: str, **_: Any) -> bool:
            raise KeyboardInterrupt(key)

    story = a_story(ledger=Crashes())
    story.alerts.failures = [KeyboardInterrupt()]

    with pytest.raises(KeyboardInterrupt):
        story.processor.take(a_message(a_body()))

    assert a_record(story)["reasons"] == {"oncall": "the problem is new (rule: failures page)"}


def test_a_record_of_many_rules_and_nodes_stays_small() -> None:
    rules = [a_rule(f"rule {i} {'x' * 80}", "oncall", outcome="failed", job=8) for i in range(900)]
    story = a_story(*rules, PAGE)

    story.comes(a_body())

    assert len(str(a_record(story))) < 100_000


# others decide at the same time


class Busy(MemoryLedger):
    """A ledger in which somebody else decides on the job whenever we are about to."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def decide(self, changes: Any, due: Any, settles: Any = None) -> bool:
        if self.times and any(change.before.key == "1/job/7/55" for change in changes):
            self.times -= 1
            (before,) = self.subjects(["1/job/7/55"])
            body = {"version": 1, "newest_run": 50 + self.times, "episodes": []}
            super().decide([Change(before, body)], [])
        return super().decide(changes, due, settles)


def test_a_decision_that_others_were_quicker_with_is_thought_over() -> None:
    story = a_story(ledger=Busy(times=5))

    story.comes(a_body())

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100"]
    assert len(story.dbt_cloud.asked) == 1, "what was answered still holds"


def test_an_event_that_is_contended_all_the_time_is_left_for_a_tick() -> None:
    ledger = Busy(times=45)
    story = a_story(ledger=ledger)

    story.comes(a_body())
    assert story.alerts.actions == []
    story.ticks(after_s=LEASE.total_seconds() + 1)

    assert len(story.alerts.actions) == 1


def test_an_event_that_somebody_else_has_taken_over_is_theirs() -> None:
    class TakenOver(MemoryLedger):
        def subjects(self, keys: Any) -> Any:
            now = story.clock.now + 2 * LEASE
            self.claim(EVENT, owner="somebody else", now=now, lease=LEASE)
            return super().subjects(keys)

    story = a_story(ledger=TakenOver())

    story.comes(a_body())

    assert story.alerts.actions == []
    work = story.ledger.work(EVENT)
    assert isinstance(work, Work)
    assert (work.owner, work.is_settled) == ("somebody else", False)


def test_a_state_that_another_version_wrote_is_left_alone(capsys: Any) -> None:
    story = a_story()
    (before,) = story.ledger.subjects(["1/job/7/55"])
    story.ledger.decide([Change(before, {"version": 99})], [])

    story.comes(a_body())

    assert story.alerts.actions == []
    work = story.ledger.work(EVENT)
    assert work is not None
    assert not work.is_settled


def test_a_run_with_ten_thousand_nodes_of_which_a_thousand_failed_is_one_message() -> None:
    bad = tuple(a_result(f"model.shop.bad_{i}", message=f"error {i}") for i in range(1_000))
    fine = tuple(a_result(f"model.shop.good_{i}", status=Status.GOOD) for i in range(9_000))
    steps = (Step(1, "Invoke dbt with `dbt build`", failed=True),)
    answer = Answer(run=RunDetails(steps=steps), results=(*bad, *fine), is_complete=True)
    story = a_story(answer=answer)

    story.comes(a_body())
    story.comes(a_body(event_id="wev_2", run_id=101))

    (opened,) = story.alerts.actions
    assert (len(opened.message.nodes), opened.message.more_nodes) == (100, 900)
    assert "and 995 more" in opened.message.headline


# what was refused for good


def refuses() -> PermanentFailure:
    return PermanentFailure("events.pagerduty.com answered 400")


def test_an_open_that_was_refused_and_overtaken_by_another_is_not_sent_by_a_replay() -> None:
    story = a_story()
    story.alerts.failures = [refuses()]
    story.comes(a_body())
    story.comes(a_body(event_id="wev_2", run_id=101))

    assert story.ledger.reopen("1/oncall/job/7/100/open/1", now=story.clock())
    story.ticks()

    assert story.alerts.verbs() == ["open afterrun/1/job/7/101"]


def test_an_open_that_may_have_arrived_before_it_was_refused_is_closed_when_it_is_overtaken() -> (
    None
):
    story = a_story()
    story.alerts.failures = [UnknownOutcome("no answer"), refuses()]
    story.comes(a_body())
    story.ticks(after_s=61)
    story.comes(a_body(event_id="wev_2", run_id=101))
    story.ticks()

    assert story.alerts.verbs() == ["open afterrun/1/job/7/101", "close afterrun/1/job/7/100"]


def test_an_open_that_was_refused_is_sent_by_a_replay_while_its_problem_lasts() -> None:
    story = a_story()
    story.alerts.failures = [refuses()]
    story.comes(a_body())

    story.ledger.reopen("1/oncall/job/7/100/open/1", now=story.clock())
    story.ticks()
    story.comes(a_good_body(event_id="wev_2", run_id=101))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100", "close afterrun/1/job/7/100"]


def test_an_update_that_was_refused_leaves_the_alert_open_to_be_closed() -> None:
    story = a_story(answer=Answer(results=(a_result("model.shop.a"),)))
    story.comes(a_body())
    story.alerts.failures = [refuses()]
    story.dbt_cloud.answer = Answer(results=(a_result("model.shop.b"),))
    story.comes(a_body(event_id="wev_2", run_id=101))

    story.comes(a_good_body(event_id="wev_3", run_id=102))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100", "close afterrun/1/job/7/100"]


def test_a_replayed_event_ignores_its_age_even_if_it_has_to_wait() -> None:
    story = a_story(answer=Answer(newest_run=200, is_final=False))
    story.comes(a_body(runFinishedAt="2026-01-01T00:00:00Z"))
    story.ticks(after_s=100)
    assert story.alerts.actions == []

    story.clock.now = story.clock.now.replace(microsecond=1)
    assert story.ledger.reopen(EVENT, now=story.clock())
    story.ticks()

    assert len(story.alerts.actions) == 1


def test_people_who_ask_for_both_hear_that_a_run_started_and_how_it_ended() -> None:
    story = a_story(a_rule("both", "people", outcome=["started", "succeeded"]))

    story.comes(a_good_body(event_type="job.run.started", status="Running", code=3))
    for event_id in ("wev_2", "wev_3"):
        story.comes(a_good_body(event_id=event_id))

    assert [action.message.headline for action in story.people.actions] == [
        "Daily build started in Production",
        "Daily build succeeded in Production",
    ]


@pytest.mark.parametrize("told", [{"code": 99}, {"code": None, "status": "Broken"}])
def test_an_errored_event_with_a_status_nobody_knows_is_a_failure(told: dict[str, Any]) -> None:
    story = a_story(answer=Answer(results=(a_result(),)))

    story.comes(a_body(event_type="job.run.errored", **told))

    assert len(story.alerts.actions) == 1


def test_an_update_that_some_nodes_are_good_again_says_how_the_others_are_bad() -> None:
    rule = a_rule("mine", "oncall", outcome="failed", nodes={"name": ["a", "b"]})
    bad = (a_result("model.shop.a"), a_result("model.shop.b", message="no such column"))
    story = a_story(rule, answer=Answer(results=bad))
    story.comes(a_body())
    good = a_result("model.shop.a", status=Status.GOOD, said="success")
    story.dbt_cloud.answer = Answer(results=(good,), is_complete=True)

    story.comes(a_good_body(event_id="wev_2", run_id=101, job_id=8, jobName="Hourly"))

    told = story.alerts.actions[-1].message
    assert told.headline == "Daily build in Production: 1 fixed (a), 1 still bad (b)"
    assert [(node.name, node.message) for node in told.nodes] == [("b", "no such column")]
    assert told.text == "Fixed by Hourly, 101"
    assert told.facts["run_id"] == "100"
    assert told.link.endswith("/runs/100")


def test_a_close_that_is_refused_for_good_says_which_alert_to_close_by_hand() -> None:
    story = a_story()
    story.comes(a_body())
    story.alerts.failures = [refuses()]

    story.comes(a_good_body(event_id="wev_2", run_id=101))

    ((_, _, reason),) = story.dead_letters.left
    assert reason.endswith("answered 400; close the alert afterrun/1/job/7/100 by hand")


def test_alerts_of_runs_whose_opening_was_refused_need_no_close() -> None:
    story = a_story(a_rule("runs", "oncall", outcome="failed", alert={"per": "run"}))
    story.alerts.failures = [refuses()]
    story.comes(a_body())

    story.comes(a_good_body(event_id="wev_2", run_id=101))
    story.ticks(after_s=61)

    assert story.alerts.actions == []


def test_an_update_that_is_replayed_after_the_close_opens_nothing() -> None:
    story = a_story(answer=Answer(results=(a_result("model.shop.a"),)))
    story.comes(a_body())
    story.alerts.failures = [refuses()]
    story.dbt_cloud.answer = Answer(results=(a_result("model.shop.b"),))
    story.comes(a_body(event_id="wev_2", run_id=101))
    story.comes(a_good_body(event_id="wev_3", run_id=102))

    assert story.ledger.reopen("1/oncall/job/7/100/update/1", now=story.clock())
    story.ticks()

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100", "close afterrun/1/job/7/100"]
