"""States: that nothing is lost on the way to the ledger and back, and that it fits."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import Mistake
from subscriber.episodes import Bad, Episode, node_subject, run_subject
from subscriber.ledger.contract import BODY_LIMIT_BYTES
from subscriber.rules import MINUTES_LIMIT, REMIND_LEAST, REMIND_MOST, Alert
from subscriber.run import SEVERITIES, Level
from subscriber.states import FIXED_LIMIT, Slot, State, environment_key, is_empty, job_key
from subscriber.templates import NOTE_WRITTEN, TITLE_WRITTEN
from subscriber.wanted import EPISODES_LIMIT, RUN_EPISODES
from subscriber.words import Words
from tests.builders import NOW, an_event

DESTINATIONS = ("oncall", "people", "finance", "marketing", "platform", "management")
BADLY_NAMED = "test.shop." + "relationships_orders_customer_id__customer_id__ref_customers_" * 3

texts = st.text(max_size=12)
run_ids = st.integers(0, 2**63)
bad_nodes = st.dictionaries(texts, st.builds(Bad, run_ids, texts), max_size=5)
times = st.timedeltas(timedelta(0), timedelta(days=90)).map(lambda age: NOW - age)
seconds = st.integers(int(REMIND_LEAST.total_seconds()), int(REMIND_MOST.total_seconds()))


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    per = draw(st.sampled_from(["job", "node", "run"]))
    after = {
        "runs": 1 if per == "run" else draw(st.integers(1, 1_000)),
        "minutes": draw(st.integers(0, MINUTES_LIMIT)),
    }
    remind = draw(st.none() | seconds.map(lambda count: timedelta(seconds=count)))
    written = {"per": per, "after": after, "auto_close": draw(st.booleans())}
    return Alert.model_validate(written | ({"remind": remind} if remind else {}))


episodes = st.builds(
    Episode,
    since=times,
    latest_run=run_ids,
    level=st.sampled_from(Level),
    alert=alerts(),
    by_nodes=st.booleans(),
    warnings=st.booleans(),
    runs=st.integers(0, 10_000),
    nodes=bad_nodes,
    more_nodes=st.integers(0, 10_000),
    opening_run=texts,
    told_at=st.none() | times,
    tellings=st.integers(0, 10_000),
    latest_action=texts,
    refined_run=run_ids,
    is_behind=st.booleans(),
    told_nodes=bad_nodes,
    timer=texts,
    words=st.builds(Words, texts, texts, st.sampled_from(["", *SEVERITIES])),
)
states = st.builds(
    State,
    newest_run=run_ids,
    episodes=st.dictionaries(st.tuples(texts, texts), episodes, max_size=4),
    fixed=st.dictionaries(texts, run_ids, max_size=5),
)


def back(state: State) -> State:
    """`state` as it is after the ledger has kept it."""
    job, environment = json.loads(json.dumps(state.bodies()))
    return State.read(job, environment)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(states)
def test_every_state_is_read_as_it_was_written(state: State) -> None:
    assert back(state) == state


def test_every_field_of_an_episode_is_among_those_that_are_tried() -> None:
    fields = set(Episode.__dataclass_fields__)

    assert fields == set(back(State(1, {("a", "b"): a_big_episode(1)})).episodes["a", "b"].__dict__)


def test_a_job_that_was_never_seen_has_an_empty_state_and_nothing_to_write() -> None:
    assert State.read({}, {}) == State()
    assert [is_empty(body) for body in State().bodies()] == [True, True]


@pytest.mark.parametrize(
    ("state", "empty"),
    [
        (State(newest_run=100), [False, True]),
        (State(fixed={"model.shop.orders": 100}), [True, False]),
    ],
)
def test_what_has_to_be_remembered_is_written(state: State, empty: list[bool]) -> None:
    assert [is_empty(body) for body in state.bodies()] == empty


def test_episodes_of_nodes_are_the_environments_and_all_others_the_jobs() -> None:
    by_job, by_nodes = a_big_episode(1), a_big_episode(1, by_nodes=True)

    job, environment = State(1, {("a", "job/7"): by_job, ("b", "job/7"): by_nodes}).bodies()

    assert [each["destination"] for each in job["episodes"]] == ["a"]
    assert [each["destination"] for each in environment["episodes"]] == ["b"]


def test_jobs_and_environments_of_different_accounts_have_different_keys() -> None:
    one, other = an_event(), an_event(account_id=2)
    moved = an_event(environmentId="56")

    assert len({job_key(one), job_key(other), job_key(moved)}) == 3
    assert len({environment_key(one), environment_key(other), environment_key(moved)}) == 3


# sizes


def a_big_episode(count: int, *, by_nodes: bool = False) -> Episode:
    nodes: Mapping[str, Bad] = {
        f"{BADLY_NAMED}.{number:010}": Bad(2**62 + number, "0123456789ab")
        for number in range(count)
    }
    return Episode(
        NOW,
        2**62,
        Level.FAILURE,
        Alert(),
        by_nodes=by_nodes,
        nodes=nodes,
        told_nodes=nodes,
        opening_run=str(2**62),
        told_at=NOW,
        latest_action="1/a-destination/job/12345678/" + str(2**62) + "/open/1",
        timer="1/job/12345678/55/timer/a-destination/job/12345678/1/2026-01-05T12:00:00+00:00",
    )


def sizes(state: State) -> list[int]:
    return [len(json.dumps(body, separators=(",", ":"))) for body in state.bodies()]


@pytest.mark.parametrize("by_nodes", [False, True])
def test_ten_thousand_failing_nodes_at_six_destinations_fit_and_the_rest_is_counted(
    *,
    by_nodes: bool,
) -> None:
    big = a_big_episode(10_000, by_nodes=by_nodes)
    state = State(1, {(name, "job/7"): big for name in DESTINATIONS})

    assert max(sizes(state)) < BODY_LIMIT_BYTES
    for episode in back(state).episodes.values():
        assert len(episode.nodes) >= 100
        assert episode.more_nodes + len(episode.nodes) == 10_000


def test_what_was_cut_stays_as_it_is_when_it_is_written_again() -> None:
    cut = back(State(1, {("a", "job/7"): a_big_episode(10_000)}))

    assert back(cut) == cut


@pytest.mark.parametrize(
    ("subjects", "by_nodes"),
    [
        ([run_subject(str(2**62 + number)) for number in range(RUN_EPISODES)], False),
        ([node_subject(f"{BADLY_NAMED}.{n:010}") for n in range(EPISODES_LIMIT // 6)], True),
    ],
)
def test_as_many_episodes_as_there_may_be_at_six_destinations_fit(
    *, subjects: list[str], by_nodes: bool
) -> None:
    said = [Words("é" * TITLE_WRITTEN, "é" * NOTE_WRITTEN + str(n), "critical") for n in range(600)]
    big = a_big_episode(200, by_nodes=by_nodes)
    places = [(name, each) for name in DESTINATIONS for each in subjects]
    slots: dict[Slot, Episode] = {
        slot: replace(big, words=words) for slot, words in zip(places, said, strict=False)
    }

    assert max(sizes(State(1, slots))) < BODY_LIMIT_BYTES
    assert all(episode.nodes for episode in back(State(1, slots)).episodes.values())


def test_of_nodes_proven_good_the_latest_are_remembered() -> None:
    fixed = {f"model.shop.m{run}": run for run in range(1, FIXED_LIMIT + 51)}

    kept = back(State(fixed=dict(reversed(fixed.items())))).fixed

    assert sorted(kept.values()) == list(range(51, FIXED_LIMIT + 51))


# other versions


@pytest.mark.parametrize("body", [{"version": 2}, {"episodes": []}, {"newest_run": 1}])
def test_documents_of_another_version_are_refused_with_the_way_out(body: dict[str, Any]) -> None:
    for job, environment in ((body, {}), ({}, body)):
        with pytest.raises(Mistake, match=r"LEDGER: .* another version .* name another ledger"):
            State.read(job, environment)
