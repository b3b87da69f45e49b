"""The story of an event, from the push to what a destination received."""

from collections.abc import Callable

import pytest

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.ledger.contract import Change
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import UnknownOutcome
from subscriber.process import TICK_PAGE
from subscriber.run import Answer, Question, RunDetails, Step
from tests.builders import a_body, a_good_body, a_message, a_result
from tests.fakes import FakeDbtCloud, FakeReports, UnreachableLedger
from tests.subscriber.story import PAGE, Story, a_rule


def test_a_failed_run_opens_one_alert_that_names_the_failed_nodes():
    story = Story(dbt_cloud=FakeDbtCloud(Answer(results=(a_result("model.shop.orders"),))))

    story.comes(a_body(run_id=100))

    (opened,) = story.alerts.actions
    assert opened.verb == "open"
    assert [node.name for node in opened.message.nodes] == ["orders"]


def test_the_same_event_delivered_twice_opens_one_alert():
    story = Story()

    story.comes(a_body())
    story.comes(a_body())

    assert len(story.alerts.actions) == 1


def test_errored_and_completed_of_one_run_open_one_alert():
    story = Story(dbt_cloud=FakeDbtCloud(Answer(results=(a_result(),))))

    story.comes(a_body(event_id="wev_1", event_type="job.run.errored"))
    story.comes(a_body(event_id="wev_2", event_type="job.run.completed"))

    assert len(story.alerts.actions) == 1


def test_a_job_that_keeps_failing_is_told_once():
    story = Story()

    for run_id in (100, 101, 102):
        story.comes(a_body(event_id=f"wev_{run_id}", run_id=run_id))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100"]


def test_the_next_good_run_closes_the_alert_that_was_opened():
    story = Story(rules=(PAGE,))

    story.comes(a_body(run_id=100))
    story.comes(a_good_body(event_id="wev_2", run_id=101))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100", "close afterrun/1/job/7/100"]


def test_a_job_that_fails_again_after_it_recovered_opens_an_alert_of_its_own():
    story = Story(rules=(PAGE,))

    story.comes(a_body(event_id="wev_1", run_id=100))
    story.comes(a_good_body(event_id="wev_2", run_id=101))
    story.comes(a_body(event_id="wev_3", run_id=102))

    assert story.alerts.verbs()[-1] == "open afterrun/1/job/7/102"


def test_a_good_run_older_than_the_failure_closes_nothing():
    story = Story(rules=(PAGE,))

    story.comes(a_body(event_id="wev_1", run_id=100))
    story.comes(a_good_body(event_id="wev_2", run_id=99))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100"]


def test_a_failure_older_than_a_good_run_opens_nothing():
    story = Story(rules=(PAGE,))

    story.comes(a_good_body(event_id="wev_1", run_id=101))
    story.comes(a_body(event_id="wev_2", run_id=100))

    assert story.alerts.verbs() == []


def test_run_ids_are_compared_as_numbers():
    story = Story(rules=(PAGE,))

    story.comes(a_body(event_id="wev_1", run_id=99))
    story.comes(a_good_body(event_id="wev_2", run_id=100))

    assert story.alerts.verbs()[-1] == "close afterrun/1/job/7/99"


def test_a_good_run_refreshes_the_report_once():
    story = Story()

    story.comes(a_good_body(event_id="wev_1", run_id=100))
    story.comes(a_good_body(event_id="wev_2", run_id=100))

    assert [action.verb for action in story.reports.actions] == ["refresh"]


def test_an_event_that_no_rule_concerns_costs_no_call():
    story = Story(rules=(a_rule("others", "oncall", outcome="failed", job="8"),))

    story.comes(a_body(job_id=7))

    assert story.dbt_cloud.asked == []
    assert story.alerts.actions == []


def test_of_a_failure_that_is_told_already_every_node_is_asked_for_to_see_what_changed():
    story = Story(rules=(PAGE,))
    story.comes(a_body(event_id="wev_1", run_id=100))

    story.comes(a_body(event_id="wev_2", run_id=101))

    asked = [("100", Question(results="failed")), ("101", Question(results="all"))]
    assert story.dbt_cloud.asked == asked


@pytest.mark.parametrize("told", [{"code": 30, "status": "Cancelled"}, {"code": 99}, {"code": 3}])
def test_a_run_that_neither_failed_nor_succeeded_does_nothing(told):
    story = Story(rules=(PAGE,))
    story.comes(a_body(event_id="wev_1", run_id=100))

    story.comes(a_body(event_id="wev_2", run_id=101, **told))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100"]


def test_the_outcome_is_read_from_the_words_when_there_is_no_code():
    story = Story()

    story.comes(a_body(code=None, status="Errored"))

    assert len(story.alerts.actions) == 1


def test_ci_runs_are_left_out_where_a_rule_says_so():
    rule = a_rule("production only", "oncall", outcome="failed", trigger=["!ci", "!merge"])
    story = Story(
        rules=(rule,), dbt_cloud=FakeDbtCloud(Answer(run=RunDetails(trigger="ci"), is_final=True))
    )

    story.comes(a_body())

    assert story.alerts.actions == []


def test_an_event_of_an_account_that_is_not_ours_is_told_to_nobody():
    story = Story(dbt_cloud=FakeDbtCloud(Answer(is_unknown_account=True)))

    story.comes(a_body())
    story.comes(a_good_body(event_id="wev_2", run_id=101))

    assert story.alerts.actions == []
    assert story.reports.actions == []


def test_errored_alone_waits_for_the_metadata():
    story = Story(dbt_cloud=FakeDbtCloud(Answer(is_final=False)))

    story.comes(a_body(event_type="job.run.errored"))
    assert story.alerts.actions == []
    story.dbt_cloud.answer = Answer(results=(a_result(),))
    story.ticks(after_s=16)

    (opened,) = story.alerts.actions
    assert opened.message.nodes


def test_errored_alone_goes_out_with_what_is_known_after_ninety_seconds():
    log = Answer(run=RunDetails(steps=(Step(2, "Invoke dbt", failed=True, logs="Boom"),)))
    story = Story(dbt_cloud=FakeDbtCloud(log))

    story.comes(a_body(event_type="job.run.errored"))
    for _ in range(5):
        story.ticks(after_s=16)
    assert story.alerts.actions == []
    story.ticks(after_s=16)

    (opened,) = story.alerts.actions
    assert "Boom" in opened.message.text


def test_completed_arriving_ends_the_waiting_of_errored():
    story = Story(dbt_cloud=FakeDbtCloud(Answer(is_final=False)))
    story.comes(a_body(event_id="wev_1", event_type="job.run.errored"))

    story.dbt_cloud.answer = Answer(results=(a_result(),))
    story.comes(a_body(event_id="wev_2", event_type="job.run.completed"))
    story.ticks(after_s=120)

    assert len(story.alerts.actions) == 1
    assert not story.ledger.due(story.clock(), 10)


def test_completed_of_which_dbt_cloud_knows_nothing_waits_and_is_told_in_the_end():
    story = Story(dbt_cloud=FakeDbtCloud(Answer(is_final=False)))

    story.comes(a_body())
    assert story.alerts.actions == []
    story.ticks(after_s=91)

    (opened,) = story.alerts.actions
    assert "not known" in opened.message.headline


def test_dbt_cloud_being_down_does_not_hold_an_alert_back():
    story = Story(dbt_cloud=FakeDbtCloud(Answer(notes=("cloud.getdbt.com answered 503",))))

    story.comes(a_body())

    (opened,) = story.alerts.actions
    assert "cloud.getdbt.com answered 503" in opened.message.text


def test_a_destination_that_is_busy_is_tried_again_on_a_tick():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [TemporaryFailure("busy"), TemporaryFailure("busy")]

    story.comes(a_body())
    story.ticks(after_s=4)
    story.ticks(after_s=2)
    assert story.alerts.actions == []
    story.ticks(after_s=11)

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100"]


def test_a_destination_is_not_asked_again_before_it_wants_to_be():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [TemporaryFailure("busy", retry_after_s=300)]

    story.comes(a_body())
    story.ticks(after_s=299)
    assert story.alerts.actions == []
    story.ticks(after_s=2)

    assert len(story.alerts.actions) == 1


def test_a_costly_act_whose_outcome_is_unknown_is_repeated_only_after_a_lease():
    story = Story()
    story.reports.failures = [UnknownOutcome("no answer")]

    story.comes(a_good_body())
    story.ticks(after_s=59)
    assert story.reports.actions == []
    story.ticks(after_s=2)

    assert len(story.reports.actions) == 1


def test_what_a_destination_refuses_for_good_is_a_dead_letter_with_its_reason():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [PermanentFailure("events.pagerduty.com answered 400")]

    story.comes(a_body())

    ((_, attributes, reason),) = story.dead_letters.left
    assert reason == "events.pagerduty.com answered 400"
    assert attributes["destination"] == "oncall"
    assert not story.ledger.due(story.clock(), 10)


def test_what_fails_for_a_day_is_given_up_and_kept():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [TemporaryFailure("busy")] * 1000

    story.comes(a_body())
    for _ in range(150):
        story.ticks(after_s=601)

    ((_, _, reason),) = story.dead_letters.left
    assert "given up" in reason
    assert not story.ledger.due(story.clock(), 10)


def test_a_dead_letter_that_cannot_be_left_yet_is_left_later():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [PermanentFailure("no"), PermanentFailure("no")]
    story.dead_letters.failures = [TemporaryFailure("the topic is away")]

    story.comes(a_body())
    story.ticks(after_s=10)

    assert len(story.dead_letters.left) == 1


def test_a_close_does_not_overtake_an_open_that_may_have_arrived():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [UnknownOutcome("no answer", retry_after_s=60)]

    story.comes(a_body(event_id="wev_1", run_id=100))
    story.comes(a_good_body(event_id="wev_2", run_id=101))
    assert story.alerts.actions == []
    story.ticks(after_s=61)
    story.ticks(after_s=61)

    assert [action.verb for action in story.alerts.actions] == ["close"]


def test_a_failure_and_a_recovery_while_the_pager_was_away_disturb_nobody():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [TemporaryFailure("busy", retry_after_s=60)]

    story.comes(a_body(event_id="wev_1", run_id=100))
    story.comes(a_good_body(event_id="wev_2", run_id=101))
    story.ticks(after_s=61)
    story.ticks(after_s=61)

    assert story.alerts.actions == []
    assert story.ledger.due(story.clock(), 10) == []


def test_one_failing_destination_does_not_hold_up_another():
    both = a_rule("both", "report", outcome="succeeded")
    story = Story(rules=(PAGE, both))
    story.comes(a_body(event_id="wev_1", run_id=100))
    story.alerts.failures = [TemporaryFailure("busy")]

    story.comes(a_good_body(event_id="wev_2", run_id=101))

    assert [action.verb for action in story.reports.actions] == ["refresh"]


def test_a_destination_that_is_busy_is_left_alone_for_the_rest_of_a_tick():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [TemporaryFailure("busy")] * 3
    for job_id in (1, 2, 3):
        story.comes(a_body(event_id=f"wev_{job_id}", job_id=job_id))
    story.alerts.failures = [TemporaryFailure("busy")] * 3

    story.ticks(after_s=6)

    assert len(story.alerts.failures) == 2


def test_an_alert_whose_destination_left_the_configuration_is_a_dead_letter_that_says_so():
    ledger = Story(rules=(PAGE,)).ledger
    first = Story(rules=(PAGE,), ledger=ledger)
    first.comes(a_body(event_id="wev_1", run_id=100))
    second = Story(rules=(), ledger=ledger)
    second.configuration.destinations.pop("oncall")  # type: ignore[attr-defined]

    second.comes(a_good_body(event_id="wev_2", run_id=101))

    ((_, _, reason),) = second.dead_letters.left
    assert reason.endswith("close the alert afterrun/1/job/7/100 by hand")


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"eventType": "order.paid"}'])
def test_a_message_that_is_not_ours_is_a_dead_letter_once_and_never_again(body):
    story = Story()

    story.comes(body, colour="blue")
    story.comes(body, colour="blue")

    ((data, attributes, reason),) = story.dead_letters.left
    assert data == body
    assert attributes["colour"] == "blue"
    assert reason


def test_a_message_that_cannot_be_dead_lettered_now_comes_again():
    story = Story()
    story.dead_letters.failures = [TemporaryFailure("the topic is away")]

    with pytest.raises(TemporaryFailure):
        story.comes(b"not json")
    story.comes(b"not json")

    assert len(story.dead_letters.left) == 1


def test_a_missing_dead_letter_topic_does_not_make_a_message_come_again():
    story = Story()
    story.dead_letters.failures = [PermanentFailure("there is no such topic")]

    story.comes(b"not json")
    story.comes(b"not json")

    assert story.dead_letters.left == []


def test_an_event_that_cannot_be_recorded_comes_again():
    story = Story(ledger=UnreachableLedger("record"))

    with pytest.raises(TemporaryFailure):
        story.processor.take(a_message(a_body()))

    assert story.alerts.actions == []


@pytest.mark.parametrize("method", ["claim", "subjects", "decide", "settle"])
def test_what_fails_after_the_recording_is_done_on_a_tick(method):
    ledger = UnreachableLedger(method)
    story = Story(rules=(PAGE,), ledger=ledger)

    story.comes(a_body())
    ledger.unreachable.clear()
    story.ticks(after_s=61)
    story.ticks(after_s=61)

    assert set(story.alerts.verbs()) == {"open afterrun/1/job/7/100"}
    assert not story.ledger.due(story.clock(), 10)


def test_a_tick_with_an_unreachable_ledger_does_no_harm():
    story = Story(ledger=UnreachableLedger("due"))

    story.ticks()


class ForgetfulDbtCloud(FakeDbtCloud):
    """Breaks in a way that nobody thought of."""

    is_mended_for: frozenset[str] | set[str] = frozenset()

    def about(self, event, question):
        if event.job_id in self.is_mended_for:
            return super().about(event, question)
        raise KeyError("a mistake of ours")


class RacingLedger(MemoryLedger):
    """Lets something happen just after the next look at a job's state."""

    meanwhile: Callable[[], None] | None = None

    def subjects(self, keys):
        seen = super().subjects(keys)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return seen


def test_an_event_that_breaks_us_for_a_day_is_a_dead_letter():
    story = Story(dbt_cloud=ForgetfulDbtCloud())

    story.comes(a_body())
    for _ in range(120):
        story.ticks(after_s=900)

    ((data, _, reason),) = story.dead_letters.left
    assert data == a_body()
    assert reason == "not decided on in 101 attempts"
    assert not story.ledger.due(story.clock(), 10)


def test_an_event_that_breaks_us_does_not_hold_up_those_behind_it():
    dbt_cloud = ForgetfulDbtCloud()
    story = Story(rules=(PAGE,), dbt_cloud=dbt_cloud)
    story.comes(a_body(event_id="wev_1", job_id=1))
    dbt_cloud.is_mended_for = {"2"}
    story.comes(a_body(event_id="wev_2", job_id=2, run_id=2))

    story.ticks(after_s=61)

    assert story.alerts.verbs() == ["open afterrun/1/job/2/2"]


def test_an_action_that_breaks_us_for_a_day_is_a_dead_letter():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [KeyError("a mistake of ours")] * 1_000

    story.comes(a_body())
    for _ in range(110):
        story.ticks(after_s=900)

    ((_, attributes, reason),) = story.dead_letters.left
    assert attributes["action"] == "1/oncall/job/7/100/open/1"
    assert "came to no end" in reason
    assert not story.ledger.due(story.clock(), 10)


def test_an_event_whose_consequences_the_ledger_cannot_hold_is_a_dead_letter():
    class SmallLedger(MemoryLedger):
        def decide(self, changes, due, settles=None):
            raise PermanentFailure("too big for the ledger")

    story = Story(rules=(PAGE,), ledger=SmallLedger())

    story.comes(a_body())

    ((data, _, reason),) = story.dead_letters.left
    assert data == a_body()
    assert reason == "too big for the ledger"
    assert not story.ledger.due(story.clock(), 10)


def test_an_event_given_up_without_a_dead_letter_topic_comes_to_an_end_all_the_same():
    class SmallLedger(MemoryLedger):
        def decide(self, changes, due, settles=None):
            raise PermanentFailure("too big for the ledger")

    story = Story(rules=(PAGE,), ledger=SmallLedger())
    story.dead_letters.failures = [PermanentFailure("there is no such topic")]

    story.comes(a_body())

    assert not story.ledger.due(story.clock(), 10)


def test_a_missing_dead_letter_topic_does_not_keep_a_refused_action_alive():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [PermanentFailure("no")]
    story.dead_letters.failures = [PermanentFailure("there is no such topic")]

    story.comes(a_body())
    story.ticks(after_s=3_600)

    assert story.alerts.actions == []
    assert not story.ledger.due(story.clock(), 10)


def test_a_close_that_waited_a_day_for_its_open_is_not_given_up_at_its_first_attempt():
    story = Story(rules=(PAGE,))
    story.comes(a_body(event_id="wev_1", run_id=100))
    story.clock.passes(1)
    story.alerts.failures = [TemporaryFailure("busy")]
    key = "1/oncall/job/7/100/close/1"

    story.comes(a_good_body(event_id="wev_2", run_id=101))
    story.clock.passes(86_400)
    story.alerts.failures = [TemporaryFailure("busy")]
    story.ticks()
    story.ticks(after_s=600)

    assert story.dead_letters.left == []
    work = story.ledger.work(key)
    assert work is not None
    assert work.result["outcome"] == "delivered"


def test_a_recovery_between_two_failures_does_not_make_a_failure_go_out_unasked():
    rule = a_rule("production", "oncall", outcome="failed", trigger="!ci")
    ledger = RacingLedger()
    story = Story(rules=(rule,), ledger=ledger)
    story.comes(a_body(event_id="wev_1", run_id=100))
    story.dbt_cloud.answer = Answer(run=RunDetails(trigger="ci"))
    # just before the failure of run 150 is decided, somebody decides on the recovery of run 120
    ledger.meanwhile = lambda: story.comes(a_good_body(event_id="wev_2", run_id=120))

    story.comes(a_body(event_id="wev_3", run_id=150))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100", "close afterrun/1/job/7/100"]


def test_an_older_run_does_not_make_the_newest_one_forgotten():
    story = Story(rules=(PAGE,))

    story.comes(a_good_body(event_id="wev_1", run_id=102))
    story.comes(a_good_body(event_id="wev_2", run_id=100))
    story.comes(a_body(event_id="wev_3", run_id=101))

    assert story.alerts.verbs() == []


def test_a_failure_that_is_told_already_still_counts_for_which_run_recovers():
    story = Story(rules=(PAGE,))
    story.comes(a_body(event_id="wev_1", run_id=100))
    story.comes(a_body(event_id="wev_2", run_id=105))

    story.comes(a_good_body(event_id="wev_3", run_id=103))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/100"]


def test_a_failure_older_than_the_newest_run_costs_no_call():
    story = Story(rules=(PAGE,))
    story.comes(a_good_body(event_id="wev_1", run_id=101))

    story.comes(a_body(event_id="wev_2", run_id=100))

    assert story.dbt_cloud.asked == []


def test_waiting_for_a_busy_destination_costs_no_attempt():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [TemporaryFailure("busy", retry_after_s=60)]
    story.comes(a_body(event_id="wev_1", job_id=1))
    story.comes(a_body(event_id="wev_2", job_id=2, run_id=2))
    story.alerts.failures = [TemporaryFailure("busy", retry_after_s=60)]

    for job_id in (3, 4):
        story.comes(a_body(event_id=f"wev_{job_id}", job_id=job_id, run_id=job_id))

    assert [action.message.facts["job_id"] for action in story.alerts.actions] == ["2", "4"]


def test_a_reused_name_does_not_start_a_report_in_place_of_closing_an_alert():
    first = Story(rules=(PAGE,))
    first.comes(a_body(event_id="wev_1", run_id=100))
    second = Story(rules=(), ledger=first.ledger)
    second.configuration.destinations["oncall"] = FakeReports(  # type: ignore[index]
        received=second.reports
    )

    second.comes(a_good_body(event_id="wev_2", run_id=101))

    assert second.reports.actions == []
    ((_, _, reason),) = second.dead_letters.left
    assert reason.endswith("close the alert afterrun/1/job/7/100 by hand")


def test_an_act_that_is_absorbed_if_repeated_is_repeated_soon():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [UnknownOutcome("no answer")]

    story.comes(a_body())
    story.ticks(after_s=6)

    assert len(story.alerts.actions) == 1


def test_an_alert_that_was_refused_for_good_is_opened_anew_by_the_next_failure():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [PermanentFailure("Invalid routing key")]
    story.comes(a_body(event_id="wev_1", run_id=100))

    story.comes(a_body(event_id="wev_2", run_id=101))
    story.comes(a_good_body(event_id="wev_3", run_id=102))

    assert story.alerts.verbs() == ["open afterrun/1/job/7/101", "close afterrun/1/job/7/101"]


def test_an_alert_that_was_refused_for_good_needs_no_close():
    story = Story(rules=(PAGE,))
    story.alerts.failures = [PermanentFailure("Invalid routing key")]
    story.comes(a_body(event_id="wev_1", run_id=100))

    story.comes(a_good_body(event_id="wev_2", run_id=101))

    assert story.alerts.verbs() == []


def test_two_different_messages_with_the_same_data_are_two_dead_letters():
    story = Story()

    story.processor.take(a_message(b"", "1", only="this"))
    story.processor.take(a_message(b"", "2", only="that"))

    assert [attributes["only"] for _, attributes, _ in story.dead_letters.left] == ["this", "that"]


def test_an_event_that_somebody_decides_on_is_left_alone_until_the_lease_has_run_out():
    dbt_cloud = ForgetfulDbtCloud()
    story = Story(rules=(PAGE,), dbt_cloud=dbt_cloud)
    story.comes(a_body())
    dbt_cloud.is_mended_for = {"7"}

    story.ticks(after_s=59)
    assert story.alerts.actions == []
    story.ticks(after_s=2)

    assert len(story.alerts.actions) == 1


def test_a_close_whose_open_is_no_longer_known_goes_out():
    story = Story(rules=(PAGE,))
    story.comes(a_body(event_id="wev_1", run_id=100))
    later = Story(rules=(PAGE,), alerts=story.alerts)
    (before,) = later.ledger.subjects(["1/job/7/55"])
    (known,) = story.ledger.subjects(["1/job/7/55"])
    later.ledger.decide([Change(before, known.body)], [])

    later.comes(a_good_body(event_id="wev_2", run_id=101))

    assert story.alerts.verbs()[-1] == "close afterrun/1/job/7/100"


class Seconds:
    """Time that passes by itself: so many seconds whenever somebody looks."""

    def __init__(self, each: float) -> None:
        self.each = each
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.each
        return self.now


def test_a_tick_ends_before_the_next_one_though_more_is_due():
    ledger, seconds = UnreachableLedger("claim"), Seconds(0)
    story = Story(rules=(PAGE,), ledger=ledger, monotonic=seconds)
    for job_id in range(1, 9):
        story.comes(a_body(event_id=f"wev_{job_id}", job_id=job_id))
    ledger.unreachable.clear()
    seconds.each = 10

    story.ticks(after_s=61)

    assert 0 < len(story.alerts.actions) < 8


def test_a_tick_takes_up_what_stays_due_only_once():
    class Counting(UnreachableLedger):
        looked = 0

        def due(self, now, limit):
            self.looked += 1
            return super().due(now, limit)

    ledger = Counting("claim")
    story = Story(rules=(PAGE,), ledger=ledger, monotonic=Seconds(1))
    story.comes(a_body())

    story.ticks(after_s=61)

    assert ledger.looked == 2


def test_a_tick_takes_up_more_than_fits_a_page():
    ledger = UnreachableLedger("claim")
    story = Story(rules=(PAGE,), ledger=ledger)
    for job_id in range(1, 2 * TICK_PAGE + 2):
        story.comes(a_body(event_id=f"wev_{job_id}", job_id=job_id))
    ledger.unreachable.clear()

    story.ticks(after_s=61)

    assert len(story.alerts.actions) == 2 * TICK_PAGE + 1
