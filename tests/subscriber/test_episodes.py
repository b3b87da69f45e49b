"""Episodes: the table of decisions, row by row, and what holds for every sequence of runs."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.actions import Verb
from subscriber.episodes import (
    Bad,
    Change,
    Decided,
    Episode,
    Says,
    Seen,
    action_key,
    decide,
    episode_key,
    job_subject,
    node_subject,
    passes,
    run_subject,
    wakes_at,
)
from subscriber.rules import After, Alert
from subscriber.run import Level
from tests.builders import NOW

HOUR = timedelta(hours=1)


def an_open(**fields: Any) -> Episode:
    """An episode of job 7, opened an hour ago by run 100, bad again in run 105."""
    return Episode(
        **{
            "since": NOW - HOUR,
            "latest_run": 105,
            "level": Level.FAILURE,
            "alert": Alert(),
            "runs": 2,
            "nodes": {"a": Bad(105, "error of a")},
            "opening_run": "100",
            "told_at": NOW - HOUR,
            "tellings": 1,
            "latest_action": "1/oncall/job/7/100/open/1",
            **fields,
        }
    )


def a_held(**fields: Any) -> Episode:
    return an_open(
        **{"opening_run": "", "told_at": None, "tellings": 0, "latest_action": "", **fields}
    )


def a_problem(run_id: int = 106, **fields: Any) -> Seen:
    """What run 106 says, whose node `a` failed with the error it had before."""
    return Seen(
        **{
            "run_id": run_id,
            "newest_run": 105,
            "says": Says.PROBLEM,
            "at": NOW,
            "nodes": {"a": "error of a"},
            "bad": {"a"},
            **fields,
        }
    )


def a_recovery(run_id: int = 106, **fields: Any) -> Seen:
    return Seen(
        **{
            "run_id": run_id,
            "newest_run": 105,
            "says": Says.GOOD,
            "at": NOW,
            "proven": {"a"},
            "is_good_run": True,
            **fields,
        }
    )


# any | a run older than the newest one seen of its job | nothing


@pytest.mark.parametrize("episode", [None, an_open(), a_held()])
@pytest.mark.parametrize("seen", [a_problem(104), a_recovery(104)])
def test_a_run_older_than_the_newest_one_seen_changes_nothing(
    episode: Episode | None, seen: Seen
) -> None:
    decided = decide(episode, seen)

    assert decided == Decided(episode, None, "a newer run of the job has been seen")


# any | nothing | nothing


@pytest.mark.parametrize("episode", [None, an_open(), a_held()])
def test_a_run_that_says_nothing_changes_nothing(episode: Episode | None) -> None:
    decided = decide(episode, replace(a_problem(), says=Says.NOTHING))

    assert (decided.episode, decided.verb) == (episode, None)


# none | the problem | open


def test_a_new_problem_opens() -> None:
    decided = decide(None, a_problem())

    assert decided.verb is Verb.OPEN
    assert decided.episode == Episode(
        since=NOW,
        latest_run=106,
        level=Level.FAILURE,
        alert=Alert(),
        runs=1,
        nodes={"a": Bad(106, "error of a")},
        opening_run="106",
        told_at=NOW,
        tellings=1,
    )


def test_a_problem_whose_nodes_are_not_known_opens() -> None:
    decided = decide(None, a_problem(nodes=None))

    assert decided.verb is Verb.OPEN
    assert decided.episode
    assert decided.episode.nodes == {}


# none, held | the problem, `after` | hold, then open


def test_a_problem_is_held_until_it_was_seen_in_so_many_runs() -> None:
    alert = Alert(after=After(runs=3))
    first = decide(None, a_problem(106, alert=alert))
    second = decide(first.episode, a_problem(107, alert=alert))
    third = decide(second.episode, a_problem(108, alert=alert))

    assert [first.verb, second.verb, third.verb] == [None, None, Verb.OPEN]
    assert first.reason == "held: run 1 of 3 with the problem"
    assert first.held is second.held is None, "time alone opens nothing"
    assert third.episode
    assert third.episode.opening_run == "108"
    assert third.episode.since == NOW


def test_the_same_run_again_does_not_count_towards_after() -> None:
    alert = Alert(after=After(runs=2))
    first = decide(None, a_problem(106, alert=alert))
    again = decide(first.episode, a_problem(106, newest_run=106, alert=alert))

    assert again.verb is None
    assert again.episode
    assert again.episode.runs == 1


def test_a_problem_is_held_for_so_many_minutes() -> None:
    alert = Alert(after=After(minutes=10))
    held = decide(None, a_problem(alert=alert))
    assert (held.verb, held.held) == (None, Verb.OPEN)
    assert held.episode is not None

    assert wakes_at(held.episode) == NOW + timedelta(minutes=10)
    assert passes(held.episode, NOW + timedelta(minutes=9), "").verb is None
    assert passes(held.episode, NOW + timedelta(minutes=10), "").verb is Verb.OPEN


def test_where_both_are_written_runs_and_minutes_must_have_come_together() -> None:
    alert = Alert(after=After(runs=2, minutes=10))
    first = decide(None, a_problem(106, alert=alert))
    assert first.episode is not None
    assert wakes_at(first.episode) is None, "one run is not enough, however long ago"

    second = decide(first.episode, a_problem(107, alert=alert, at=NOW + timedelta(minutes=5)))
    assert (second.verb, second.held) == (None, Verb.OPEN)
    late = decide(first.episode, a_problem(107, alert=alert, at=NOW + timedelta(minutes=10)))
    assert late.verb is Verb.OPEN


# held | recovered | forget


def test_what_recovers_while_it_is_held_is_forgotten() -> None:
    decided = decide(a_held(), a_recovery())

    assert (decided.episode, decided.verb) == (None, None)
    assert decided.reason == "it recovered before anybody was told"


# held, nodes not known | the run, or a newer one, failed with known nodes of others | forget
# open, nodes not known | the run, or a newer one, failed with known nodes of others | close


@pytest.mark.parametrize("run_id", [105, 106])
def test_what_is_not_about_the_nodes_that_turned_out_to_have_failed_is_over(run_id: int) -> None:
    other = replace(a_problem(run_id), says=Says.OTHER)

    held = decide(a_held(nodes={}), other)
    opened = decide(an_open(nodes={}), other)
    known = decide(an_open(), other)

    assert (held.episode, held.verb) == (None, None)
    assert (opened.episode, opened.verb) == (None, Verb.CLOSE)
    assert opened.reason == "it is known now that other nodes failed"
    assert known.episode == an_open(), "its own node may be bad still"


# open, told without its nodes | the problem, with its nodes | update


def test_an_alert_that_was_told_without_its_nodes_is_told_with_them_once() -> None:
    alert = Alert(after=After(runs=2))
    held = decide(None, a_problem(100, newest_run=0, alert=alert))
    opened = decide(held.episode, a_problem(101, newest_run=100, alert=alert, nodes=None))
    assert opened.verb is Verb.OPEN

    known = decide(opened.episode, a_problem(101, newest_run=101, alert=alert))
    again = decide(known.episode, a_problem(102, newest_run=101, alert=alert))

    assert (known.verb, again.verb) == (Verb.UPDATE, None)


# open | the problem, as before | nothing, or remind


@pytest.mark.parametrize("nodes", [{"a": "error of a"}, None])
def test_the_problem_as_before_is_not_told_again(nodes: Any) -> None:
    decided = decide(an_open(), a_problem(nodes=nodes))

    assert (decided.verb, decided.reason) == (None, "the alert is open already")
    nodes_after = {"a": Bad(106, "error of a")}
    after = an_open(latest_run=106, runs=3, nodes=nodes_after, is_known=nodes is not None)
    assert decided.episode == after


def test_a_run_with_the_problem_reminds_once_the_time_has_come() -> None:
    alert = Alert(remind=HOUR)

    assert decide(an_open(), a_problem(alert=alert)).verb is Verb.REMIND
    assert decide(an_open(told_at=NOW - HOUR / 2), a_problem(alert=alert)).verb is None


def test_the_same_run_again_never_reminds() -> None:
    decided = decide(an_open(), a_problem(105, alert=Alert(remind=HOUR)))

    assert decided.verb is None


def test_time_alone_reminds() -> None:
    episode = an_open(alert=Alert(remind=HOUR))
    assert wakes_at(episode) == NOW

    decided = passes(episode, NOW, "")

    assert decided.verb is Verb.REMIND
    assert decided.episode
    assert wakes_at(decided.episode) == NOW + HOUR
    assert passes(episode, NOW - timedelta(seconds=1), "").verb is None


# open | other nodes, another error, another level | update


@pytest.mark.parametrize(
    ("seen", "change"),
    [
        (
            a_problem(nodes={"a": "error of a", "b": "error of b"}),
            Change(("b",), ("a",), (), is_other=True),
        ),
        (
            a_problem(nodes={"b": "error of b"}, bad=set(), proven={"a"}),
            Change(("b",), (), ("a",), is_other=True),
        ),
        (a_problem(nodes={"a": "another error"}), Change((), ("a",), (), is_other=True)),
        (a_problem(level=Level.WARNING), Change((), ("a",), (), is_other=True)),
    ],
    ids=["one more", "another", "another error", "another level"],
)
def test_another_problem_is_told_as_a_change(seen: Seen, change: Change) -> None:
    decided = decide(an_open(), seen)

    assert (decided.verb, decided.change) == (Verb.UPDATE, change)
    assert decided.episode
    assert decided.episode.told_at == NOW


@pytest.mark.parametrize(("then", "now"), [("", "error of a"), ("error of a", "")])
def test_an_error_that_was_not_said_then_or_now_is_no_other_one(then: str, now: str) -> None:
    episode = an_open(nodes={"a": Bad(105, then)})

    assert decide(episode, a_problem(nodes={"a": now})).verb is None


def test_a_node_is_remembered_by_the_newest_run_that_it_was_bad_in() -> None:
    episode = an_open(latest_run=200, by_nodes=True, nodes={"a": Bad(200, "error of a")})

    decided = decide(episode, a_problem(150))

    assert decided.episode
    assert decided.episode.nodes["a"].run == 200


def test_a_node_that_was_skipped_this_time_is_not_fixed() -> None:
    decided = decide(an_open(), a_problem(nodes={"b": "error of b"}, bad={"b"}, proven=set()))

    assert decided.change == Change(("b",), ("a",), (), is_other=True)


def test_nodes_that_become_known_in_a_later_run_are_told() -> None:
    decided = decide(an_open(nodes={}), a_problem())

    assert (decided.verb, decided.change.new) == (Verb.UPDATE, ("a",))


# open | the same run again, better known | the same, once


def test_the_same_run_better_known_is_told_once() -> None:
    episode = an_open(nodes={})
    once = decide(episode, a_problem(105))
    assert once.verb is Verb.UPDATE
    assert once.episode
    assert once.episode.runs == episode.runs

    again = decide(once.episode, a_problem(105, nodes={"a": "error of a", "b": "error of b"}))

    assert again.verb is None


# open | some of its nodes recovered | update
# open | recovered | close


def test_a_newer_good_run_closes_the_alert_of_a_job() -> None:
    decided = decide(an_open(), a_recovery())

    assert (decided.episode, decided.verb, decided.reason) == (None, Verb.CLOSE, "it recovered")


def test_the_run_that_had_the_problem_cannot_end_it() -> None:
    decided = decide(an_open(), a_recovery(105))

    assert (decided.verb, decided.reason) == (None, "only a newer run can close the alert")


def test_good_nodes_do_not_close_the_alert_of_a_job_whose_run_was_not_good() -> None:
    assert decide(an_open(), a_recovery(is_good_run=False)).verb is None


def test_an_alert_of_nodes_closes_only_by_proof_of_each() -> None:
    episode = an_open(by_nodes=True, nodes={"a": Bad(105, ""), "b": Bad(103, "")})

    none = decide(episode, a_recovery(proven=set()))
    some = decide(episode, a_recovery(proven={"a"}))
    both = decide(episode, a_recovery(proven={"a", "b"}))

    assert (none.verb, none.reason) == (None, "none of its nodes was proven good")
    assert (some.verb, some.change.fixed, some.change.still) == (Verb.UPDATE, ("a",), ("b",))
    assert (both.verb, both.episode) == (Verb.CLOSE, None)


def test_a_node_is_proven_good_only_by_a_run_newer_than_the_one_it_was_bad_in() -> None:
    episode = an_open(by_nodes=True, nodes={"a": Bad(107, "")})

    assert decide(episode, a_recovery(106)).verb is None
    assert decide(episode, a_recovery(107, newest_run=107)).verb is None
    assert decide(episode, a_recovery(108)).verb is Verb.CLOSE


def test_a_node_that_was_bad_in_a_run_told_elsewhere_is_remembered_to_have_been() -> None:
    episode = an_open(by_nodes=True)

    decided = decide(episode, a_recovery(107, proven=set(), bad={"a"}))

    assert decided.verb is None
    assert decided.episode
    assert decided.episode.nodes["a"].run == 107


def test_nodes_beyond_those_that_are_kept_need_a_good_run_of_the_job() -> None:
    episode = an_open(by_nodes=True, more_nodes=5)

    assert decide(episode, a_recovery(is_good_run=False)).verb is Verb.UPDATE
    assert decide(episode, a_recovery()).verb is Verb.CLOSE


def test_with_auto_close_off_the_problem_ends_but_its_alert_stays() -> None:
    decided = decide(an_open(alert=Alert(auto_close=False)), a_recovery())

    assert (decided.episode, decided.verb) == (None, None)
    assert "auto_close" in decided.reason


# silenced


def test_what_begins_silenced_is_held_and_goes_out_when_the_silence_is_over() -> None:
    held = decide(None, a_problem(silenced="by ann"))
    assert (held.verb, held.held, held.reason) == (None, Verb.OPEN, "silenced: by ann")
    assert held.episode is not None

    assert passes(held.episode, NOW + HOUR, "by ann").held is Verb.OPEN
    assert passes(held.episode, NOW + HOUR, "").verb is Verb.OPEN


def test_a_change_under_a_silence_is_told_when_it_is_over() -> None:
    held = decide(an_open(), a_problem(nodes={"b": "error of b"}, silenced="by ann"))
    assert (held.verb, held.held) == (None, Verb.UPDATE)
    assert held.episode
    assert held.episode.told_at == NOW - HOUR

    assert passes(held.episode, NOW, "by ann").held is Verb.UPDATE
    told = passes(held.episode, NOW, "")

    assert told.verb is Verb.UPDATE
    assert told.episode
    assert not told.episode.is_behind


def test_what_is_again_as_it_was_told_is_no_news_when_the_silence_is_over() -> None:
    changed = decide(an_open(), a_problem(nodes={"a": "error of a", "b": "x"}, silenced="by ann"))
    back = decide(changed.episode, a_problem(107, newest_run=106, proven={"b"}, silenced="by ann"))

    assert back.episode
    assert not back.episode.is_behind
    assert passes(back.episode, NOW, "").verb is None


def test_a_level_that_changed_under_a_silence_is_told_when_it_is_over() -> None:
    warned = a_problem(level=Level.WARNING, silenced="by ann")
    changed = decide(an_open(), warned)

    again = decide(changed.episode, replace(warned, run_id=107, newest_run=106, silenced=""))

    assert again.verb is Verb.UPDATE


def test_an_alert_that_a_rule_no_longer_ties_to_nodes_is_the_job_s() -> None:
    decided = decide(an_open(by_nodes=True), a_problem(by_nodes=False))
    assert decided.episode

    assert decide(decided.episode, a_recovery(107, newest_run=106, proven=set())).verb is Verb.CLOSE


def test_more_or_fewer_nodes_than_are_remembered_by_name_are_a_change() -> None:
    episode = an_open(more_nodes=8)
    nodes = {f"n{n}": "error" for n in range(4)}

    assert decide(episode, a_problem(nodes={"a": "error of a", **nodes})).verb is Verb.UPDATE
    same = {f"n{n}": "error" for n in range(8)}
    assert decide(episode, a_problem(nodes={"a": "error of a", **same})).verb is None


def test_a_recovery_is_never_silenced() -> None:
    assert decide(an_open(), a_recovery(silenced="by ann")).verb is Verb.CLOSE


def test_nothing_reminds_under_a_silence() -> None:
    episode = an_open(alert=Alert(remind=HOUR))

    assert decide(episode, a_problem(alert=episode.alert, silenced="by ann")).verb is None
    assert passes(episode, NOW, "by ann").verb is None


# keys


def test_an_episode_has_one_key_for_all_its_actions_and_the_next_another() -> None:
    assert episode_key("1", job_subject("7"), "100") == "afterrun/1/job/7/100"
    assert episode_key("1", node_subject("model.a.b"), "100") == "afterrun/1/node/model.a.b/100"
    assert episode_key("1", job_subject("7"), "100") != episode_key("1", job_subject("7"), "101")


def test_actions_that_differ_have_keys_that_differ() -> None:
    subjects = [job_subject("7"), job_subject("8"), node_subject("7"), run_subject("7")]
    keys = {
        action_key(account, destination, subject, run, verb, n)
        for account in ("1", "2")
        for destination in ("oncall", "data")
        for subject in subjects
        for run in ("100", "101")
        for verb in Verb
        for n in (1, 2)
    }

    assert len(keys) == 2 * 2 * 4 * 2 * len(Verb) * 2
    assert action_key("1", "oncall", "job/7", "100", Verb.OPEN) == "1/oncall/job/7/100/open/1"


# every sequence

NODES = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", "y"]), min_size=1)
AFTERS = st.builds(After, runs=st.integers(1, 3), minutes=st.sampled_from([0, 30]))
ALERTS = st.one_of(
    st.builds(Alert, after=AFTERS, auto_close=st.booleans()),
    st.builds(Alert, after=AFTERS, auto_close=st.booleans(), remind=st.just(HOUR)),
)


@st.composite
def sightings(draw: st.DrawFn) -> list[Seen]:
    """What any runs say in any order, one minute to one hour apart."""
    alert, by_nodes = draw(ALERTS), draw(st.booleans())
    newest, at, found = 0, NOW, []
    for _ in range(draw(st.integers(1, 12))):
        run_id = draw(st.integers(1, 8))
        at += timedelta(minutes=draw(st.integers(1, 60)))
        says = draw(st.sampled_from(Says))
        nodes = draw(NODES | st.none()) if says is Says.PROBLEM else None
        proven = set(draw(st.sets(st.sampled_from("abc")))) - set(nodes or ())
        found.append(
            Seen(
                run_id=run_id,
                newest_run=newest,
                says=says,
                at=at,
                alert=alert,
                level=draw(st.sampled_from(Level)),
                by_nodes=by_nodes,
                nodes=nodes,
                bad=set(nodes or ()),
                proven=proven,
                is_good_run=says is Says.GOOD and draw(st.booleans()),
                silenced=draw(st.sampled_from(["", "", "by ann"])),
            )
        )
        newest = max(newest, run_id)
    return found


@given(sightings())
def test_whatever_comes_alerts_are_opened_once_and_changed_or_closed_only_while_open(
    seen: list[Seen],
) -> None:
    episode: Episode | None = None
    is_open, opened = False, []
    for each in seen:
        before = episode
        decided = decide(episode, each)
        episode = decided.episode
        match decided.verb:
            case Verb.OPEN:
                assert not is_open, "a second alert for one problem"
                assert episode is not None
                assert not each.silenced
                opened.append(int(episode.opening_run))
                is_open = True
            case Verb.UPDATE | Verb.REMIND:
                assert is_open
                assert not each.silenced
            case Verb.CLOSE:
                assert is_open
                assert before is not None
                bad_in = [bad.run for bad in before.nodes.values()] or [before.latest_run]
                turned_out_otherwise = each.says is Says.OTHER and not before.nodes
                assert turned_out_otherwise or each.run_id > min(bad_in)
                is_open = False
            case _:
                if before is not None and before.is_open and episode is None:
                    assert not before.alert.auto_close
                    is_open = False
        assert is_open == bool(episode and episode.is_open)
    assert opened == sorted(opened)
    assert len(set(opened)) == len(opened)


@given(sightings())
def test_the_same_run_said_again_at_once_tells_nothing_more(seen: list[Seen]) -> None:
    episode: Episode | None = None
    for each in seen:
        once = decide(episode, each)
        if once.episode is not None:
            again = decide(
                once.episode, replace(each, newest_run=max(each.newest_run, each.run_id))
            )
            assert again.verb is None, again.reason
        episode = once.episode


# what is kept between one run and the next


def test_a_run_held_without_nodes_and_seen_again_so_opens_when_its_time_has_come() -> None:
    alert = Alert(after=After(minutes=10))
    first = decide(None, a_problem(106, alert=alert, nodes=None))
    later = NOW + timedelta(minutes=10)

    again = decide(first.episode, a_problem(106, newest_run=106, alert=alert, nodes=None, at=later))

    assert again.verb is Verb.OPEN


def test_an_older_run_of_another_job_does_not_set_an_alert_of_nodes_back() -> None:
    episode = an_open(by_nodes=True, latest_run=110, nodes={"a": Bad(110, "error of a")})

    decided = decide(episode, a_problem(108, newest_run=107, by_nodes=True))

    assert decided.episode
    assert (decided.episode.latest_run, decided.episode.runs) == (110, episode.runs)


def test_a_run_whose_nodes_are_not_known_keeps_the_count_of_those_beyond() -> None:
    decided = decide(an_open(more_nodes=3), a_problem(nodes=None))

    assert decided.episode
    assert decided.episode.more_nodes == 3


def test_what_was_told_before_is_forgotten_once_all_is_told() -> None:
    behind = an_open(is_behind=True, told_nodes={"b": Bad(104, "x")})

    decided = decide(behind, a_problem(nodes={"c": "new"}, bad={"c"}))

    assert decided.episode
    assert (decided.episode.told_nodes, decided.episode.told_level) == ({}, None)
