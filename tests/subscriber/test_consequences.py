"""Consequences: a job's new state and the actions that an event calls for."""

from dataclasses import replace
from typing import Any

import pytest

from subscriber.actions import Verb
from subscriber.consequences import Consequences, consequences
from subscriber.episodes import Episode, JobState
from subscriber.rules import Rule
from subscriber.run import Answer, Outcome, RunDetails
from tests.builders import NOW, a_result, an_event
from tests.subscriber.story import PAGE, REFRESH, Story, a_rule

FAILED, SUCCEEDED = Outcome.FAILED, Outcome.SUCCEEDED
OPEN = Episode("afterrun/1/job/7/90", "90", 95, "1/oncall/job/7/90/open/1")


def following(
    outcome: Outcome,
    *rules: Rule,
    answer: Answer | None = None,
    state: JobState | None = None,
    **told: Any,
) -> Consequences:
    configuration = Story(rules=rules or (PAGE, REFRESH)).configuration
    event = an_event(**told)
    return consequences(configuration, event, outcome, answer or Answer(), state or JobState(), NOW)


def test_a_failure_opens_an_alert_and_is_remembered() -> None:
    follows = following(FAILED, answer=Answer(results=(a_result("model.shop.orders"),)))

    (action,) = follows.actions
    assert action.verb is Verb.OPEN
    assert action.destination == "oncall"
    assert action.key == "1/oncall/job/7/100/open/1"
    assert action.episode_key == "afterrun/1/job/7/100"
    assert action.after is None
    assert [node.name for node in action.message.nodes] == ["orders"]
    assert follows.state == JobState(
        100, {"oncall": Episode("afterrun/1/job/7/100", "100", 100, action.key)}
    )
    assert follows.reasons == {"oncall": "the run failed (rule: failures page)"}


def test_a_recovery_closes_that_alert_after_it_was_opened_and_forgets_it() -> None:
    follows = following(SUCCEEDED, PAGE, state=JobState(95, {"oncall": OPEN}))

    (action,) = follows.actions
    assert action.verb is Verb.CLOSE
    assert action.key == "1/oncall/job/7/90/close/1"
    assert action.episode_key == OPEN.key
    assert action.after == OPEN.latest_action
    assert follows.state == JobState(100, {})
    assert follows.reasons == {"oncall": "the job recovered"}


def test_a_further_failure_is_remembered_but_not_told() -> None:
    follows = following(FAILED, state=JobState(95, {"oncall": OPEN}))

    assert follows.actions == ()
    assert follows.state == JobState(100, {"oncall": replace(OPEN, latest_run=100)})
    assert follows.reasons == {"oncall": "the alert is open already (rule: failures page)"}


def test_the_same_event_again_changes_nothing() -> None:
    once = following(FAILED)

    again = following(FAILED, state=once.state)

    assert again.actions == ()
    assert again.state == once.state


def test_an_older_run_changes_nothing() -> None:
    state = JobState(101, {"oncall": replace(OPEN, latest_run=101)})

    for outcome in (FAILED, SUCCEEDED):
        follows = following(outcome, PAGE, state=state)

        assert follows.actions == ()
        assert follows.state == state


def test_a_good_run_refreshes_each_destination_once_for_that_run() -> None:
    both = a_rule("both", "report", outcome="succeeded")

    follows = following(SUCCEEDED, REFRESH, both)

    (action,) = follows.actions
    assert action.verb is Verb.REFRESH
    assert action.key == action.episode_key == "1/report/job/7/100/refresh/1"
    assert follows.state == JobState(100)


def test_a_good_run_may_close_and_refresh() -> None:
    follows = following(SUCCEEDED, state=JobState(95, {"oncall": OPEN}))

    assert [action.verb for action in follows.actions] == [Verb.CLOSE, Verb.REFRESH]


def test_a_failed_run_refreshes_nothing() -> None:
    assert [action.verb for action in following(FAILED).actions] == [Verb.OPEN]


def test_an_alert_is_closed_though_its_destination_is_not_configured_any_more() -> None:
    follows = following(SUCCEEDED, PAGE, state=JobState(95, {"gone": OPEN}))

    (action,) = follows.actions
    assert (action.verb, action.destination) == (Verb.CLOSE, "gone")
    assert follows.state.episodes == {}


def test_an_alert_of_a_destination_that_no_rule_names_stays_open_while_runs_fail() -> None:
    state = JobState(95, {"gone": OPEN})

    follows = following(FAILED, REFRESH, state=state)

    assert follows.actions == ()
    assert follows.state.episodes == {"gone": replace(OPEN, latest_run=100)}


def test_what_no_rule_asks_for_is_not_done() -> None:
    follows = following(FAILED, a_rule("others", "oncall", outcome="failed", job=8))

    assert follows.actions == ()
    assert follows.state == JobState(100)


@pytest.mark.parametrize(("trigger", "count"), [("ci", 0), ("scheduled", 1), ("", 1)])
def test_what_started_the_run_matters_where_it_is_known(trigger: str, count: int) -> None:
    rule = a_rule("no ci", "oncall", outcome="failed", trigger="!ci")

    follows = following(FAILED, rule, answer=Answer(run=RunDetails(trigger=trigger)))

    assert len(follows.actions) == count


@pytest.mark.parametrize(
    ("link", "told", "expected"),
    [
        ("https://ab123.us1.dbt.com/x", {}, "https://ab123.us1.dbt.com/x"),
        ("", {}, "https://cloud.getdbt.com/deploy/1/projects/9/runs/100"),
        ("javascript:alert(1)", {}, "https://cloud.getdbt.com/deploy/1/projects/9/runs/100"),
        ("", {"projectId": None}, ""),
    ],
)
def test_the_link_is_dbt_clouds_or_made_as_its_links_are(
    link: str, told: dict[str, Any], expected: str
) -> None:
    follows = following(FAILED, answer=Answer(run=RunDetails(link=link)), **told)

    assert follows.actions[0].message.link == expected


def test_an_action_is_of_the_time_at_which_the_run_ended() -> None:
    ended = following(FAILED).actions[0].occurred_at
    told = following(FAILED, runFinishedAt=None).actions[0].occurred_at

    assert ended.isoformat() == "2026-01-05T11:59:55+00:00"
    assert told.isoformat() == "2026-01-05T11:59:58.123456+00:00"


def test_nothing_is_forgotten_of_other_destinations() -> None:
    state = JobState(95, {"oncall": OPEN, "data": replace(OPEN, latest_run=100)})

    follows = following(SUCCEEDED, PAGE, state=state)

    assert [action.destination for action in follows.actions] == ["oncall"]
    assert set(follows.state.episodes) == {"data"}
