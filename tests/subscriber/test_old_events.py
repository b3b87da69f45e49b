"""Events that come after `max_event_age`: a line instead of a flood, and closes all the same."""

from datetime import timedelta

from subscriber.run import Answer
from tests.builders import NOW, Clock, a_body, a_good_body, a_result
from tests.fakes import FakeDbtCloud
from tests.subscriber.story import Story

NEWER_EXISTS = Answer(results=(a_result(),), newest_run=999)
NEWEST = Answer(results=(a_result(),), newest_run=100)


def two_days_later(answer: Answer) -> Story:
    """A subscriber that gets events of two days ago, with the default limit of one."""
    return Story(dbt_cloud=FakeDbtCloud(answer), clock=Clock(NOW + timedelta(days=2)))


def test_old_events_of_jobs_with_newer_runs_are_told_in_one_line_after_five_minutes():
    story = two_days_later(NEWER_EXISTS)

    for job in range(1, 31):
        story.comes(a_body(event_id=f"wev_{job}", run_id=100 + job, job_id=job))
        story.clock.passes(1)
    story.ticks(after_s=265)
    assert story.alerts.actions == []
    story.ticks(after_s=10)
    story.ticks(after_s=3_600)

    (told,) = story.alerts.actions
    assert told.verb == "tell"
    assert told.message.headline.startswith("Events that came too late")
    assert told.message.headline.endswith("and 29 more")
    assert "run 101" in told.message.text
    assert told.message.text.endswith("and 10 more")


def test_an_old_event_is_told_as_usual_if_its_run_is_still_the_newest():
    story = two_days_later(NEWEST)

    story.comes(a_body(run_id=100))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100"]


def test_an_old_recovery_closes_though_newer_runs_exist():
    story = Story(dbt_cloud=FakeDbtCloud(NEWEST))
    story.comes(a_body(run_id=100))
    story.clock.passes(2 * 86_400)
    story.dbt_cloud.answer = NEWER_EXISTS

    story.comes(a_good_body(event_id="wev_2", run_id=101))

    assert story.alerts.verbs() == [
        "open afterrun/1/job/7/100",
        "close afterrun/1/job/7/100",
    ]
    assert story.reports.actions == []


def test_what_has_been_told_in_a_line_opens_when_the_next_run_fails_in_time():
    story = two_days_later(NEWER_EXISTS)
    story.comes(a_body(run_id=100))
    today = (NOW + timedelta(days=2)).isoformat()

    story.comes(a_body(event_id="wev_2", run_id=999, runFinishedAt=today))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/999"]
