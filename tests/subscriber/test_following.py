"""Following: a refresh that was started is looked at until it ends, and its end is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field, SecretStr

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.actions import Action, Handle
from subscriber.ledger.contract import Kind, Ledger, Work
from subscriber.ledger.memory import MemoryLedger
from subscriber.ledger.sqlite import SqliteLedger
from subscriber.outbound import Outbound, Refused
from subscriber.progress import Done, Failed, Looks, Progress, Running
from subscriber.rules import Rule
from subscriber.silences import Silences
from tests.fakes import FakeReports
from tests.subscriber.runs import Runs
from tests.subscriber.story import Story

FIRST_S, MOST_S = 10.0, 60.0
STALE = PermanentFailure("reports.example answered 404")


class Followed(FakeReports):
    """Reports whose refreshes take their time; `world` says how far they are."""

    looks: ClassVar[Looks | None] = Looks(timedelta(seconds=FIRST_S), timedelta(seconds=MOST_S))
    asked: Any = Field(default_factory=list, exclude=True)
    says: Any = Field(default_factory=list, exclude=True)

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        self.received.deliver(action)
        return Handle(f"refresh {len(self.received.actions)}", "https://reports.example/1")

    def progress(self, handle: Handle, outbound: Outbound) -> Progress:
        self.asked.append(handle.key)
        said = self.says.pop(0) if self.says else Running()
        if isinstance(said, BaseException):
            raise said
        found: Progress = said
        return found


def a_refresh(*on_failure: str, timeout: str = "1h") -> Rule:
    hear = {"on_failure": list(on_failure)} if on_failure else {}
    return Rule.model_validate(
        {
            "name": "good runs refresh",
            "when": {"outcome": "succeeded"},
            "refresh": {"timeout": timeout, **hear},
            "then": ["report"],
        }
    )


class Refreshing:
    """A story in which good runs refresh a report that takes its time."""

    def __init__(self, *says: Progress | BaseException, rule: Rule | None = None) -> None:
        self.story = Story(rules=(rule or a_refresh("oncall", "people"),))
        self.report = Followed(received=self.story.reports)
        self.report.says.extend(says)
        destinations: Any = self.story.configuration.destinations
        destinations["report"] = self.report
        self.runs = Runs(self.story)

    def on(self, ledger: Ledger) -> "Refreshing":
        self.story.ledger = ledger
        return self

    def ticks(self, *after_s: float) -> None:
        for each in after_s:
            self.story.ticks(after_s=each)

    @property
    def followed(self) -> list[Work]:
        now = self.story.clock() + timedelta(days=1)
        return list(self.story.ledger.recorded(Kind.FOLLOW, before=now, limit=10))


@contextmanager
def ledgers(name: str, folder: Path) -> Iterator[Ledger]:
    yield MemoryLedger() if name == "memory" else SqliteLedger(folder / "ledger.db")


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    with ledgers(request.param, tmp_path) as made:
        yield made


def test_a_refresh_is_looked_at_until_it_is_done_and_nobody_is_told(ledger: Ledger) -> None:
    refreshing = Refreshing(Running(), Running(), Done()).on(ledger)

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S, 15, 22.5, 600)

    assert refreshing.report.asked == ["refresh 1"] * 3
    assert refreshing.story.alerts.verbs() == []
    (work,) = refreshing.followed
    assert (work.is_settled, work.result["outcome"]) == (True, "done")


def test_it_is_not_looked_at_before_its_time_and_ever_less_often() -> None:
    refreshing = Refreshing()
    asked = refreshing.report.asked

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S - 1)
    assert len(asked) == 0
    refreshing.ticks(1)
    assert len(asked) == 1
    refreshing.ticks(FIRST_S * 1.5 - 1)
    assert len(asked) == 1
    refreshing.ticks(1)
    assert len(asked) == 2
    for _ in range(10):
        refreshing.ticks(MOST_S)
    assert len(asked) == 12


def test_one_that_fails_is_told_with_the_vendors_reason_where_it_can_be_seen_and_after_which_run(
    ledger: Ledger,
) -> None:
    refreshing = Refreshing(Failed("the gateway's password expired")).on(ledger)

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S)

    assert refreshing.story.alerts.verbs() == ["open afterrun/1/refresh/report/100"]
    (told,) = (action.message for action in refreshing.story.people.actions)
    assert told.headline == "The refresh of report failed: the gateway's password expired"
    assert told.facts["run_id"] == "100"
    assert told.facts["where"] == "https://reports.example/1"
    (work,) = refreshing.followed
    assert work.result["outcome"] == "failed"
    assert work.result["reason"] == "the gateway's password expired"


def test_one_that_keeps_failing_is_one_alert_which_the_next_good_one_closes(ledger: Ledger) -> None:
    refreshing = Refreshing(Failed("x"), Failed("x"), Done(), Failed("x")).on(ledger)

    for run in range(100, 104):
        refreshing.runs.succeeds(run)
        refreshing.ticks(FIRST_S, 5)

    assert refreshing.story.alerts.verbs() == [
        "open afterrun/1/refresh/report/100",
        "close afterrun/1/refresh/report/100",
        "open afterrun/1/refresh/report/103",
    ]


def test_refreshes_of_one_report_by_different_jobs_are_one_problem() -> None:
    refreshing = Refreshing(Failed("x"), Done())

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S)
    refreshing.runs.succeeds(101, jobId="8")
    refreshing.ticks(FIRST_S, 5)

    assert refreshing.story.alerts.verbs() == [
        "open afterrun/1/refresh/report/100",
        "close afterrun/1/refresh/report/100",
    ]


def test_an_older_refresh_that_fails_late_opens_nothing_once_a_newer_one_was_good() -> None:
    refreshing = Refreshing(Running(), Done(), Failed("x"))

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S)
    refreshing.runs.succeeds(101)
    refreshing.ticks(FIRST_S, 5)

    assert refreshing.report.asked == ["refresh 1", "refresh 2", "refresh 1"]
    assert refreshing.story.alerts.verbs() == []


def test_one_that_takes_too_long_counts_as_failed() -> None:
    refreshing = Refreshing(rule=a_refresh("oncall", timeout="30m"))

    refreshing.runs.succeeds(100)
    for _ in range(40):
        refreshing.ticks(MOST_S)

    (told,) = (action.message for action in refreshing.story.alerts.actions)
    assert told.headline == "The refresh of report failed: it has not ended within 30 min"
    assert refreshing.followed[0].result["outcome"] == "timed out"


def test_one_that_is_done_when_it_is_looked_at_after_its_time_is_done_all_the_same() -> None:
    refreshing = Refreshing(Done(), rule=a_refresh("oncall", timeout="30m"))

    refreshing.runs.succeeds(100)
    refreshing.ticks(7_200)

    assert refreshing.followed[0].result["outcome"] == "done"
    assert refreshing.story.alerts.verbs() == []


def test_a_vendor_that_does_not_answer_is_asked_again_and_not_before_it_wants_to_be() -> None:
    busy = TemporaryFailure("reports.example answered 429", retry_after_s=120)
    refreshing = Refreshing(busy, Done())

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S, 119)
    assert len(refreshing.report.asked) == 1
    refreshing.ticks(1)

    assert refreshing.followed[0].result["outcome"] == "done"


def test_a_vendor_that_wants_to_be_left_alone_for_longer_does_not_put_off_who_is_to_hear() -> None:
    busy = TemporaryFailure("reports.example answered 429", retry_after_s=3_600)
    refreshing = Refreshing(busy, busy, rule=a_refresh("oncall", timeout="30m"))

    refreshing.runs.succeeds(100)
    refreshing.ticks(*[60] * 29)
    assert refreshing.story.alerts.verbs() == []
    refreshing.ticks(60)

    assert refreshing.story.alerts.verbs() == ["open afterrun/1/refresh/report/100"]


def test_a_vendor_that_never_answers_ends_in_an_alert_that_says_so() -> None:
    never = [TemporaryFailure("reports.example did not answer in 8 s") for _ in range(999)]
    refreshing = Refreshing(*never, rule=a_refresh("oncall", timeout="30m"))

    refreshing.runs.succeeds(100)
    for _ in range(15):
        refreshing.ticks(600)

    (told,) = (action.message for action in refreshing.story.alerts.actions)
    assert "not known to have ended within 30 min: reports.example did not" in told.headline


def test_one_that_can_no_longer_be_asked_for_is_told() -> None:
    refreshing = Refreshing(STALE)

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S)

    (told,) = (action.message for action in refreshing.story.alerts.actions)
    assert "it can no longer be asked for: reports.example answered 404" in told.headline
    assert refreshing.followed[0].result["outcome"] == "lost"


def test_a_credential_that_is_refused_and_has_not_changed_is_the_end_of_following() -> None:
    refreshing = Refreshing(Refused("reports.example answered 401", 401))

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S)

    assert refreshing.followed[0].result["outcome"] == "lost"
    assert len(refreshing.report.asked) == 1


def test_a_further_step_is_asked_for_from_then_on(ledger: Ledger) -> None:
    next_step = Running(Handle("step 2", "https://reports.example/2"))
    refreshing = Refreshing(next_step, Failed("x")).on(ledger)

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S, FIRST_S, 5)

    assert refreshing.report.asked == ["refresh 1", "step 2"]
    (told,) = (action.message for action in refreshing.story.people.actions)
    assert told.facts["where"] == "https://reports.example/2"


def test_a_further_step_is_looked_at_as_soon_and_as_often_as_the_first() -> None:
    refreshing = Refreshing(*[Running()] * 9, Running(Handle("step 2")))
    refreshing.runs.succeeds(100)
    refreshing.ticks(*[MOST_S] * 10)

    refreshing.ticks(FIRST_S, FIRST_S * 1.5)

    assert refreshing.report.asked == ["refresh 1"] * 10 + ["step 2"] * 2


def test_one_that_is_started_anew_is_followed_anew_though_its_vendor_calls_it_the_same() -> None:
    class Nameless(Followed):
        def deliver(self, action: Action, outbound: Outbound) -> Handle:
            super().deliver(action, outbound)
            return Handle("the refresh")

    refreshing = Refreshing(rule=a_refresh())
    report = Nameless(received=refreshing.story.reports, says=[Failed("x"), Done()])
    destinations: Any = refreshing.story.configuration.destinations
    destinations["report"] = report
    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S)

    refreshing.story.ledger.reopen("1/report/job/7/100/refresh/1", now=refreshing.story.clock())
    refreshing.ticks(0, FIRST_S)

    assert [work.result["outcome"] for work in refreshing.followed] == ["done", "failed"]


def test_it_is_followed_by_whichever_process_comes_next(tmp_path: Path) -> None:
    first = Refreshing(Running()).on(SqliteLedger(tmp_path / "ledger.db"))
    first.runs.succeeds(100)
    first.ticks(FIRST_S)

    second = Refreshing(Failed("x")).on(SqliteLedger(tmp_path / "ledger.db"))
    second.story.clock = first.story.clock
    second.ticks(20)

    assert second.report.asked == ["refresh 1"]
    assert second.story.alerts.verbs() == ["open afterrun/1/refresh/report/100"]


def test_one_that_could_not_be_started_is_told_too_and_closed_by_the_next_good_one() -> None:
    refreshing = Refreshing(Done())
    refreshing.story.reports.failures = [PermanentFailure("reports.example answered 404")]

    refreshing.runs.succeeds(100)
    refreshing.ticks(0)
    assert refreshing.story.alerts.verbs() == ["open afterrun/1/refresh/report/100"]
    assert len(refreshing.story.dead_letters.left) == 1

    refreshing.runs.succeeds(101)
    refreshing.ticks(FIRST_S, 5)

    assert refreshing.story.alerts.verbs()[1:] == ["close afterrun/1/refresh/report/100"]


def test_a_replay_that_ends_well_closes_what_its_own_run_opened() -> None:
    refreshing = Refreshing(Done())
    refreshing.story.reports.failures = [PermanentFailure("reports.example answered 404")]
    refreshing.runs.succeeds(100)
    refreshing.ticks(0)
    key = "1/report/job/7/100/refresh/1"

    refreshing.story.ledger.reopen(key, now=refreshing.story.clock())
    refreshing.ticks(0, FIRST_S, 5)

    assert refreshing.story.alerts.verbs()[1:] == ["close afterrun/1/refresh/report/100"]


def test_a_kind_whose_answer_is_the_end_closes_without_being_looked_at() -> None:
    story = Story(rules=(a_refresh("oncall"),))
    story.reports.failures = [PermanentFailure("reports.example answered 404")]
    runs = Runs(story)

    runs.succeeds(100)
    story.ticks()
    runs.succeeds(101)
    story.ticks()

    assert [str(action.verb) for action in story.alerts.actions] == ["open", "close"]


def test_without_anybody_to_tell_the_end_is_recorded_all_the_same() -> None:
    refreshing = Refreshing(Failed("x"), rule=a_refresh())

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S, 5)

    assert refreshing.followed[0].result["outcome"] == "failed"
    assert refreshing.story.alerts.verbs() + refreshing.story.people.verbs() == []


def test_who_is_silenced_hears_of_it_in_a_line_when_the_silence_ends() -> None:
    refreshing = Refreshing(Failed("x"), rule=a_refresh("people"))
    clock = refreshing.story.clock
    Silences(refreshing.story.ledger, clock).add(
        length=timedelta(hours=1),
        author="Ada",
        comment="maintenance",
        matchers={"destination": "people"},
    )

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S, 5)
    assert refreshing.story.people.verbs() == []
    refreshing.ticks(3_600, 300)

    (told,) = (action.message for action in refreshing.story.people.actions)
    assert "The refresh of report failed: x" in told.text


def test_a_destination_that_has_left_the_configuration_is_no_reason_to_forget_what_it_started() -> (
    None
):
    refreshing = Refreshing()
    refreshing.runs.succeeds(100)
    destinations: Any = refreshing.story.configuration.destinations
    del destinations["report"]

    refreshing.ticks(FIRST_S)

    (told,) = (action.message for action in refreshing.story.alerts.actions)
    assert "its destination has left the configuration" in told.headline


def test_an_open_that_was_refused_for_good_does_not_keep_the_next_failure_silent() -> None:
    refreshing = Refreshing(Failed("x"), Failed("x"), rule=a_refresh("oncall"))
    refreshing.story.alerts.failures = [PermanentFailure("no such key")]

    for run in (100, 101):
        refreshing.runs.succeeds(run)
        refreshing.ticks(FIRST_S, 5)

    assert refreshing.story.alerts.verbs() == ["open afterrun/1/refresh/report/101"]


# what would hold up following, or have it go on for ever


def test_a_start_that_is_refused_for_now_does_not_hold_up_the_looks_at_what_was_started() -> None:
    refreshing = Refreshing(rule=a_refresh("oncall", timeout="30m"))
    refreshing.runs.succeeds(100, jobId="8")
    on_the_way = TemporaryFailure("a refresh is on the way already", retry_after_s=60)
    refreshing.story.reports.failures = [on_the_way] * 999
    refreshing.runs.succeeds(101, jobId="12")

    refreshing.ticks(*[MOST_S] * 20)
    assert len(refreshing.report.asked) == 20

    refreshing.ticks(*[MOST_S] * 12)
    assert refreshing.followed[0].result["outcome"] == "timed out"
    assert refreshing.story.alerts.verbs()[0] == "open afterrun/1/refresh/report/100"


def test_one_that_could_not_be_started_in_time_is_told_once_and_tried_on_until_it_is_good() -> None:
    refreshing = Refreshing(Done(), rule=a_refresh("oncall", timeout="30m"))
    used_up = TemporaryFailure("today's refreshes are used up", retry_after_s=600)
    refreshing.story.reports.failures = [used_up] * 6

    refreshing.runs.succeeds(100)
    refreshing.ticks(*[600] * 5)
    (told,) = (action.message for action in refreshing.story.alerts.actions)
    assert told.headline == (
        "The refresh of report failed: it could not be started: today's refreshes are used up "
        "(after 30 min)"
    )
    refreshing.ticks(600, FIRST_S, 5)

    assert refreshing.story.alerts.verbs()[1:] == ["close afterrun/1/refresh/report/100"]


@pytest.mark.parametrize("size", [2_001, 120_000, 950_000])
def test_a_vendor_that_answers_with_a_long_address_has_its_refresh_followed(size: int) -> None:
    class Long(Followed):
        def deliver(self, action: Action, outbound: Outbound) -> Handle:
            return replace(super().deliver(action, outbound), url="https://x/" + "a" * size)

    refreshing = Refreshing()
    report = Long(received=refreshing.story.reports, says=[Running(), Done()])
    destinations: Any = refreshing.story.configuration.destinations
    destinations["report"] = report

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S, 15)

    assert len(refreshing.story.reports.actions) == 1
    assert refreshing.followed[0].result["outcome"] == "done"


def test_one_that_nobody_could_ask_for_in_a_day_and_more_is_told() -> None:
    never = [TemporaryFailure("reports.example answered 503") for _ in range(30)]
    refreshing = Refreshing(*never, rule=a_refresh("oncall"))
    refreshing.runs.succeeds(100)
    refreshing.ticks(*[600] * 30)

    refreshing.ticks(26 * 3_600)

    assert refreshing.followed[0].result["outcome"] == "timed out"
    assert refreshing.story.alerts.verbs() == ["open afterrun/1/refresh/report/100"]


class Guarded(Followed):
    """Reports behind a token, which their vendor likes to repeat."""

    token: SecretStr = SecretStr("env:A_TOKEN_OF_OURS")

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        super().deliver(action, outbound)
        said = self.token.get_secret_value()
        return Handle("refresh 1", f"https://reports.example/?by={said}")

    def progress(self, handle: Handle, outbound: Outbound) -> Progress:
        super().progress(handle, outbound)
        return Failed(f"{self.token.get_secret_value()} may not")


def test_a_secret_that_the_vendor_repeats_is_neither_kept_nor_told(tmp_path: Path) -> None:
    refreshing = Refreshing().on(SqliteLedger(tmp_path / "ledger.db"))
    destinations: Any = refreshing.story.configuration.destinations
    destinations["report"] = Guarded(received=refreshing.story.reports)

    refreshing.runs.succeeds(100)
    refreshing.ticks(FIRST_S, 5)

    (told,) = (action.message for action in refreshing.story.people.actions)
    assert told.headline == "The refresh of report failed: [redacted] may not"
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert kept.count(b"https://reports.example/?by=[redacted]") > 0
    # the reference stands in what is kept of openings; the secret here is its very text
    assert b"by=env:A_TOKEN" not in kept


def test_a_kind_that_does_not_know_how_far_its_refreshes_are_ends_in_an_alert() -> None:
    class Unfinished(Followed):
        def progress(self, handle: Handle, outbound: Outbound) -> Progress:
            raise NotImplementedError

    refreshing = Refreshing(rule=a_refresh("oncall", timeout="30m"))
    destinations: Any = refreshing.story.configuration.destinations
    destinations["report"] = Unfinished(received=refreshing.story.reports)

    refreshing.runs.succeeds(100)
    refreshing.ticks(*[3_600] * 30)

    assert refreshing.story.alerts.verbs() == ["open afterrun/1/refresh/report/100"]
