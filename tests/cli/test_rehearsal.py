"""A rehearsal decides as the service does, at a time of its own, and lets nothing out."""

from datetime import timedelta

from cli.history import Entry
from cli.rehearsal import Rehearsal
from shared.event import read
from subscriber import configuration
from subscriber.ledger.contract import Change, Ledger
from subscriber.run import Answer, Question
from subscriber.yaml_lines import parse
from tests.builders import NOW, a_body, a_good_body, a_result

RULES = """
version: 1
dbt_cloud: {token: env:TOKEN}
destinations:
  oncall: {kind: pagerduty, routing_key: env:KEY}
rules:
  - name: page
    when: {outcome: failed}
    alert: {remind: 6h}
    then: [oncall]
"""
HOUR = timedelta(hours=1)
FAILED = Answer(results=(a_result(),), is_complete=True)


def a_rehearsal(ledger: Ledger | None = None) -> Rehearsal:
    return Rehearsal(configuration.read(*parse(RULES, "rules.yaml")), NOW, ledger)


def verbs(rehearsal: Rehearsal) -> list[str]:
    return [str(told.action.verb) for told in rehearsal.told]


def test_a_failure_opens_and_a_good_run_closes() -> None:
    rehearsal = a_rehearsal()

    rehearsal.hear(Entry(a_body(run_id=100), FAILED), NOW)
    rehearsal.hear(Entry(a_good_body(run_id=101, event_id="wev_2"), Answer()), NOW + HOUR)

    assert verbs(rehearsal) == ["open", "close"]


def test_time_passes_between_events() -> None:
    rehearsal = a_rehearsal()

    rehearsal.hear(Entry(a_body(run_id=100), FAILED), NOW)
    rehearsal.until(NOW + 13 * HOUR)

    assert verbs(rehearsal) == ["open", "remind", "remind"]
    assert rehearsal.told[1].at == NOW + 6 * HOUR


def test_it_says_why_as_the_record_of_an_event_does() -> None:
    rehearsal = a_rehearsal()

    key = rehearsal.hear(Entry(a_good_body(), Answer()), NOW)

    assert rehearsal.is_settled(key)
    assert rehearsal.result(key)["outcome"] == "succeeded"


def test_what_a_real_service_remembers_counts_and_is_not_changed() -> None:
    service = a_rehearsal()
    service.hear(Entry(a_body(run_id=100), FAILED), NOW)
    good = Entry(a_good_body(run_id=101, event_id="wev_2"), Answer())

    rehearsal = a_rehearsal(service.kept)
    rehearsal.hear(good, NOW + HOUR)
    service.hear(good, NOW + HOUR)

    assert verbs(rehearsal) == ["close"]
    assert verbs(service) == ["open", "close"]


def test_an_answer_is_known_until_the_last_event_of_its_run_is_decided_on() -> None:
    rehearsal = a_rehearsal()
    errored = a_body(event_type="job.run.errored", event_id="wev_1")

    rehearsal.hear(Entry(errored, Answer(is_final=False)), NOW)
    rehearsal.hear(Entry(a_body(event_id="wev_2"), FAILED), NOW + timedelta(seconds=3))
    waiting = rehearsal.about(read(errored), Question("failed"))
    rehearsal.until(NOW + timedelta(minutes=2))

    assert waiting == FAILED
    assert rehearsal.about(read(errored), Question("failed")) == Answer()


def test_a_reminder_that_a_real_service_waits_for_comes_when_it_was_to_come() -> None:
    service = a_rehearsal()
    service.hear(Entry(a_body(run_id=100), FAILED), NOW)

    rehearsal = a_rehearsal(service.kept)
    rehearsal.hear(Entry(a_body(run_id=101, event_id="wev_2"), FAILED), NOW + HOUR)

    assert rehearsal.next_due == NOW + 6 * HOUR
    rehearsal.until(NOW + 6 * HOUR)
    assert verbs(rehearsal) == ["remind"]


def test_what_a_real_service_has_told_is_not_told_again() -> None:
    service = a_rehearsal()
    service.hear(Entry(a_body(run_id=100), FAILED), NOW)
    (job,) = service.kept.subjects(["1/job/7/55"])
    service.kept.decide([Change(job, {})], [])

    rehearsal = a_rehearsal(service.kept)
    key = rehearsal.hear(Entry(a_body(run_id=100), FAILED), NOW + HOUR)

    assert rehearsal.result(key)["actions"] == ["1/oncall/job/7/100/open/1"]
    assert verbs(rehearsal) == []


def test_when_nothing_waits_nothing_is_due() -> None:
    assert a_rehearsal().next_due is None


def test_a_run_of_an_account_that_is_not_configured_is_nobodys() -> None:
    rules = RULES.replace("token: env:TOKEN", "token: env:TOKEN, accounts: [2]")
    rehearsal = Rehearsal(configuration.read(*parse(rules, "rules.yaml")), NOW)

    key = rehearsal.hear(Entry(a_body(account_id=1), FAILED), NOW)

    assert rehearsal.result(key)["reason"] == "its account is not ours"
    assert not rehearsal.is_ours(Entry(a_body(account_id=1), FAILED).event)
