"""Remembered: what of a decision is written down, and what need not be."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import Mistake
from subscriber import remembered, silences
from subscriber.consequences import Consequences
from subscriber.digests import Digest, Line
from subscriber.episodes import Episode
from subscriber.ledger.contract import Change, Kind, Ledger, Work
from subscriber.ledger.memory import MemoryLedger
from subscriber.remembered import KEEP_QUIET, recall
from subscriber.rules import Alert
from subscriber.run import Level
from subscriber.silences import RECHECK, Silence
from subscriber.states import State
from tests.builders import NOW, a_body, an_event
from tests.fakes import UnreachableLedger
from tests.subscriber.runs import PEOPLE, Runs
from tests.subscriber.story import Story, a_rule

EVENT = an_event()
HOUR = timedelta(hours=1)
EPISODE = "afterrun/1/job/7/100"
OPEN = Episode(NOW, 100, Level.FAILURE, Alert(), opening_run="100", told_at=NOW, tellings=1)
LINE = Line("1/digest/late/people", "people", "Too late", "run 100 failed", NOW + HOUR)


def write(ledger: Ledger, follows: Consequences) -> bool:
    return remembered.write(ledger, recall(ledger, EVENT), follows, EVENT, NOW, None)


def written(ledger: Ledger, state: State) -> dict[str, Change]:
    found = remembered.changes(recall(ledger, EVENT), state, (), NOW)
    return {change.before.key: change for change in found}


def timers(ledger: Ledger) -> list[Work]:
    return list(ledger.recorded(Kind.TIMER, before=NOW + HOUR, limit=100))


def test_nothing_is_written_where_nothing_has_to_be_remembered() -> None:
    assert written(MemoryLedger(), State()) == {}


def test_an_environment_of_which_nothing_is_known_is_not_written_with_its_job() -> None:
    assert list(written(MemoryLedger(), State(newest_run=100))) == ["1/job/7/55"]


def test_what_has_not_changed_is_not_written_again() -> None:
    ledger = MemoryLedger()
    state = State(100, {("people", "job/7"): OPEN}, {"model.shop.orders": 100})
    write(ledger, Consequences(state))

    assert written(ledger, state) == {}
    assert list(written(ledger, replace(state, newest_run=101))) == ["1/job/7/55"]


def test_a_document_may_be_forgotten_only_while_nothing_is_open_in_it() -> None:
    quiet = written(MemoryLedger(), State(newest_run=100))
    troubled = written(MemoryLedger(), State(100, {("people", "job/7"): OPEN}))

    assert quiet["1/job/7/55"].expire_at == NOW + KEEP_QUIET
    assert troubled["1/job/7/55"].expire_at is None


def test_an_environment_is_emptied_when_its_last_episode_is_over() -> None:
    ledger = MemoryLedger()
    write(ledger, Consequences(State(100, {("people", "job/7"): replace(OPEN, by_nodes=True)})))

    after = written(ledger, State(100))

    assert list(after) == ["1/environment/55"]
    assert after["1/environment/55"].body["episodes"] == []


def test_a_run_that_no_rule_is_about_leaves_nothing_behind() -> None:
    story = Story(rules=(a_rule("others", "people", outcome="failed", job=8),))

    story.comes(a_body())

    before = recall(story.ledger, EVENT)
    assert [before.job.body, before.environment.body, before.silenced.body] == [{}, {}, {}]


# silences bound to an episode


def test_with_an_episode_the_silences_bound_to_it_end_in_the_same_decision() -> None:
    ledger = MemoryLedger()
    bound = Silence("1", NOW - HOUR, NOW + HOUR, "Ada", "why", {}, EPISODE)
    free = replace(bound, id="2", episode="", matchers={"job": ("7",)})
    ledger.decide([Change(ledger.subjects([silences.KEY])[0], silences.body([bound, free]))], [])

    write(ledger, Consequences(State(), ended=frozenset({EPISODE})))

    assert recall(ledger, EVENT).silences == (replace(bound, ends_at=NOW), free)


def test_silences_are_not_written_where_none_is_bound_to_what_ended() -> None:
    found = remembered.changes(recall(MemoryLedger(), EVENT), State(), {EPISODE}, NOW)

    assert found == []


# digests


def test_the_first_line_begins_a_digest_and_sets_the_timer_that_has_it_told() -> None:
    ledger = MemoryLedger()

    write(ledger, Consequences(State(), lines=(LINE, LINE)))
    write(ledger, Consequences(State(), lines=(LINE,)))

    (subject,) = ledger.subjects([LINE.key])
    assert Digest.read(subject.body).count == 3
    assert [timer.due_at for timer in timers(ledger)] == [LINE.due_at]


def test_a_digest_that_waits_for_a_silence_is_looked_at_soon() -> None:
    ledger = MemoryLedger()

    write(ledger, Consequences(State(), lines=(replace(LINE, silence="5115e9ce"),)))

    assert [timer.due_at for timer in timers(ledger)] == [NOW + RECHECK]


def test_lines_of_two_digests_go_each_into_its_own() -> None:
    ledger = MemoryLedger()

    write(ledger, Consequences(State(), lines=(LINE, replace(LINE, key="other"))))

    found = [Digest.read(subject.body).count for subject in ledger.subjects([LINE.key, "other"])]
    assert found == [1, 1]


def test_a_line_is_written_with_its_decision_or_not_at_all() -> None:
    ledger = MemoryLedger()
    before = recall(ledger, EVENT)
    write(ledger, Consequences(State(newest_run=101)))

    follows = Consequences(State(newest_run=100), lines=(LINE,))
    assert not remembered.write(ledger, before, follows, EVENT, NOW, None)

    assert not ledger.subjects([LINE.key])[0].body
    assert timers(ledger) == []


# what may go wrong


def test_a_ledger_that_went_away_in_the_middle_of_a_decision_leaves_it_to_be_made_again() -> None:
    away = UnreachableLedger("decide")
    story = Story(rules=(PEOPLE,), ledger=away)

    Runs(story).fails(100, "model.shop.orders")
    assert story.people.actions == []
    away.unreachable = set()
    story.ticks(61)

    assert story.people.verbs() == ["open afterrun/1/job/7/100"]


@pytest.mark.parametrize("key", ["1/job/7/55", "1/environment/55", silences.KEY])
def test_whatever_another_version_wrote_is_refused(key: str) -> None:
    ledger = MemoryLedger()
    ledger.decide([Change(ledger.subjects([key])[0], {"version": 9})], [])

    with pytest.raises(Mistake, match="another version of the program"):
        recall(ledger, EVENT)
