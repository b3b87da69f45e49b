"""Episodes: the table of decisions, and what holds for every sequence of runs."""

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.actions import Action, Verb
from subscriber.consequences import consequences
from subscriber.episodes import Episode, JobState, action_key, decide, episode_key, job_key
from subscriber.run import Answer, Outcome
from tests.builders import NOW, an_event
from tests.subscriber.story import PAGE, Story

FAILED, SUCCEEDED = Outcome.FAILED, Outcome.SUCCEEDED
OPEN = Episode("afterrun/1/job/7/100", "100", 105, "1/oncall/job/7/100/open/1")


@pytest.mark.parametrize(
    ("episode", "outcome", "run_id", "newest_run", "verb", "reason"),
    [
        (None, FAILED, 100, 0, Verb.OPEN, "the run failed"),
        (None, FAILED, 100, 99, Verb.OPEN, "the run failed"),
        (None, FAILED, 100, 100, Verb.OPEN, "the run failed"),
        (None, FAILED, 100, 101, None, "a newer run of the job has been seen"),
        (None, SUCCEEDED, 100, 99, None, "nothing is open and nothing failed"),
        (OPEN, FAILED, 106, 105, None, "the alert is open already"),
        (OPEN, FAILED, 105, 105, None, "the alert is open already"),
        (OPEN, FAILED, 104, 105, None, "a newer run of the job has been seen"),
        (OPEN, SUCCEEDED, 106, 105, Verb.CLOSE, "the job recovered"),
        (OPEN, SUCCEEDED, 105, 105, None, "only a newer run can close the alert"),
        (OPEN, SUCCEEDED, 104, 105, None, "a newer run of the job has been seen"),
        (OPEN, Outcome.CANCELLED, 106, 105, None, "nothing is open and nothing failed"),
        (OPEN, Outcome.UNKNOWN, 106, 105, None, "nothing is open and nothing failed"),
        (OPEN, Outcome.STARTED, 106, 105, None, "nothing is open and nothing failed"),
        (None, Outcome.CANCELLED, 106, 105, None, "nothing is open and nothing failed"),
    ],
)
def test_what_a_run_means_for_an_alert(
    episode: Episode | None,
    outcome: Outcome,
    run_id: int,
    newest_run: int,
    verb: Verb | None,
    reason: str,
) -> None:
    decided = decide(episode, outcome, run_id, newest_run, is_asked=True)

    assert (decided.verb, decided.reason) == (verb, reason)


def test_a_failure_that_no_rule_sends_there_opens_nothing() -> None:
    decided = decide(None, FAILED, 100, 0, is_asked=False)

    assert (decided.verb, decided.reason) == (None, "no rule asks for it")


def test_a_recovery_closes_though_no_rule_asks_any_more() -> None:
    assert decide(OPEN, SUCCEEDED, 106, 105, is_asked=False).verb is Verb.CLOSE


def test_a_state_is_kept_as_json() -> None:
    state = JobState(105, {"oncall": OPEN})

    assert JobState.from_body(json.loads(json.dumps(state.body()))) == state
    assert JobState.from_body({}) == JobState()


def test_an_episode_has_one_key_for_its_open_and_its_close_and_the_next_another() -> None:
    assert episode_key("1", "7", "100") == "afterrun/1/job/7/100"
    assert episode_key("1", "7", "100") != episode_key("1", "7", "101")
    assert job_key("1", "7") == "1/job/7"


def test_actions_that_differ_have_keys_that_differ() -> None:
    keys = {
        action_key(account, destination, job, run, verb, n)
        for account in ("1", "2")
        for destination in ("oncall", "data")
        for job in ("7", "8")
        for run in ("100", "101")
        for verb in Verb
        for n in (1, 2)
    }

    assert len(keys) == 2**5 * len(Verb)
    assert action_key("1", "oncall", "7", "100", Verb.OPEN) == "1/oncall/job/7/100/open/1"


@dataclass
class Pager:
    """A job and a pager that hears of its runs, in whatever order they come."""

    state: JobState = field(default_factory=JobState)
    opened: list[str] = field(default_factory=list)
    is_open: bool = False
    closed_by: list[tuple[int, int]] = field(default_factory=list)

    def hears_of(self, run_id: int, outcome: Outcome) -> None:
        event = an_event(run_id=run_id)
        follows = consequences(CONFIGURATION, event, outcome, Answer(), self.state, NOW)
        before = self.state.episodes.get("oncall")
        for action in follows.actions:
            self.takes(action)
            if action.verb is Verb.CLOSE and before is not None:
                self.closed_by.append((before.latest_run, run_id))
        # as the ledger would keep it
        self.state = JobState.from_body(json.loads(json.dumps(follows.state.body())))

    def takes(self, action: Action) -> None:
        if action.verb is Verb.OPEN:
            assert not self.is_open, "a second alert for one problem"
            self.opened.append(action.episode_key)
            self.is_open = True
        else:
            assert self.is_open, "there is nothing to close"
            assert action.episode_key == self.opened[-1], "another alert than the one that is open"
            self.is_open = False


CONFIGURATION = Story(rules=(PAGE,)).configuration
RUNS = st.dictionaries(st.integers(1, 12), st.sampled_from([FAILED, SUCCEEDED]), min_size=1)


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[int, Outcome], list[int]]:
    """How each run of a job ended, and all of them in any order, some more than once."""
    runs = draw(RUNS)
    repeated = draw(st.lists(st.sampled_from(sorted(runs)), max_size=8))
    return runs, draw(st.permutations([*runs, *repeated]))


@given(histories())
def test_at_most_one_alert_is_open_and_only_a_newer_good_run_closes_it(
    history: tuple[dict[int, Outcome], list[int]],
) -> None:
    runs, order = history
    pager = Pager()

    for run_id in order:
        pager.hears_of(run_id, runs[run_id])

    assert len(set(pager.opened)) == len(pager.opened)
    for latest_failed, closing in pager.closed_by:
        assert closing > latest_failed
        assert runs[closing] is SUCCEEDED
    assert pager.is_open == ("oncall" in pager.state.episodes)


@given(histories())
def test_when_all_runs_have_been_seen_the_alert_is_open_if_the_newest_failed(
    history: tuple[dict[int, Outcome], list[int]],
) -> None:
    runs, order = history
    pager = Pager()

    for run_id in order:
        pager.hears_of(run_id, runs[run_id])

    assert pager.is_open == (runs[max(runs)] is FAILED)
    assert pager.state.newest_run == max(runs)


@given(RUNS)
def test_runs_in_order_open_one_alert_for_each_time_that_things_went_wrong(
    runs: dict[int, Outcome],
) -> None:
    pager = Pager()

    for run_id in sorted(runs):
        pager.hears_of(run_id, runs[run_id])

    ended = [runs[run_id] for run_id in sorted(runs)]
    turns = [now for before, now in zip([SUCCEEDED, *ended], ended, strict=False) if before != now]
    assert len(pager.opened) == turns.count(FAILED)
