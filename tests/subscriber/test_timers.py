"""Timers: how they are named and kept."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import Mistake
from subscriber.actions import WrittenByNewer
from subscriber.episodes import Episode
from subscriber.ledger.contract import Kind, Work
from subscriber.rules import Alert
from subscriber.run import Level
from subscriber.timers import Timer, of_digest, of_episode
from tests.builders import NOW, an_action, an_event

SUBJECTS = ("1/job/7/55", "1/environment/55")
SLOT = ("oncall", "job/7")
LATER = NOW + timedelta(hours=1)
HELD = Episode(NOW, 100, Level.FAILURE, Alert(), runs=1)
OPEN = replace(HELD, opening_run="100", told_at=NOW, tellings=1)


def kept(work: Work) -> Work:
    """As a ledger gives it back."""
    return replace(work, body=json.loads(json.dumps(work.body)))


@pytest.mark.parametrize(
    "timer",
    [
        of_episode(SUBJECTS, an_event(), SLOT, HELD, LATER, an_action()),
        of_episode(SUBJECTS, an_event(), SLOT, OPEN, LATER, None),
        of_digest("1/digest/late/people", 3, LATER, an_event()),
    ],
)
def test_a_timer_is_read_as_it_was_kept_but_for_the_times_of_its_event(timer: Timer) -> None:
    work = timer.work(NOW)

    assert (work.kind, work.due_at, work.recorded_at) == (Kind.TIMER, LATER, NOW)
    timeless = replace(timer.event, occurred_at=None, finished_at=None)
    assert Timer.of(kept(work)) == replace(timer, event=timeless)


def test_what_reminds_is_one_timer_until_something_is_told_again() -> None:
    def key(episode: Episode, run_id: int) -> str:
        event = an_event(run_id=run_id, event_id=f"wev_{run_id}")
        return of_episode(SUBJECTS, event, SLOT, episode, LATER, None).key

    assert key(OPEN, 100) == key(replace(OPEN, latest_run=101, runs=2), 101)
    assert key(OPEN, 100) != key(replace(OPEN, tellings=2), 100)
    assert key(OPEN, 100) != key(replace(OPEN, opening_run="101"), 100)


def test_what_is_held_has_a_timer_of_its_own_for_each_event() -> None:
    first, second = (
        of_episode(SUBJECTS, an_event(event_id=each), SLOT, HELD, LATER, an_action()).key
        for each in ("wev_1", "wev_2")
    )

    assert first != second


def test_each_digest_of_a_document_has_its_own_timer() -> None:
    assert of_digest("d", 1, LATER, an_event()).key != of_digest("d", 2, LATER, an_event()).key


def test_a_timer_of_another_version_is_refused_with_the_way_out() -> None:
    work = of_digest("d", 1, LATER, an_event()).work(NOW)

    with pytest.raises(Mistake, match=r"LEDGER: a timer .* another version .* run the program"):
        Timer.of(replace(work, body=work.body | {"version": 9}))


def test_what_a_newer_program_would_tell_is_left_to_it() -> None:
    work = kept(of_episode(SUBJECTS, an_event(), SLOT, HELD, LATER, an_action()).work(NOW))
    work.body["action"]["colour"] = "red"

    with pytest.raises(WrittenByNewer):
        Timer.of(work)
