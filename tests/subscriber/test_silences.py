"""Silences: what they match, how they are made and ended, and what is kept of them."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Mistake, TemporaryFailure
from subscriber import silences
from subscriber.ledger.contract import BODY_LIMIT_BYTES, Change
from subscriber.ledger.memory import MemoryLedger
from subscriber.silences import COUNT_LIMIT, ENDED_LIMIT, KEPT, Silence, Silences
from tests.builders import NOW, Clock, an_event
from tests.fakes import UnreachableLedger

HOUR = timedelta(hours=1)
EPISODE = "afterrun/1/job/7/100"
ORDERS, ITEMS = "model.shop.orders", "model.shop.items"


def a_silence(*, episode: str = "", starts_in: timedelta = -HOUR, length=2 * HOUR, **matchers: Any):
    written = {
        name: (value,) if isinstance(value, str) else value for name, value in matchers.items()
    }
    at = NOW + starts_in
    return Silence("5115e9ce", at, at + length, "Ada", "migration", written, episode)


def matches(silence: Silence, *nodes: str, destination: str = "people", episode: str = "") -> bool:
    return silence.matches(an_event(), destination, nodes, episode)


# what a silence matches


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ({"destination": "people"}, True),
        ({"destination": "PEO*"}, True),
        ({"destination": "oncall"}, False),
        ({"account": "1"}, True),
        ({"account": "2"}, False),
        ({"project": "Shop"}, True),
        ({"project": "9"}, True),
        ({"project": "Bank"}, False),
        ({"environment": "production"}, True),
        ({"environment": "55"}, True),
        ({"environment": "Staging"}, False),
        ({"environment": "!Staging"}, True),
        ({"job": "7"}, True),
        ({"job": "daily *"}, True),
        ({"job": ("8", "9")}, False),
        ({"job": ("8", "7")}, True),
        ({"job": "7", "environment": "Production"}, True),
        ({"job": "7", "environment": "Staging"}, False),
    ],
)
def test_a_silence_matches_what_all_its_matchers_match(
    *, matchers: dict[str, Any], expected: bool
) -> None:
    assert matches(a_silence(**matchers)) is expected


def test_a_destination_may_be_named_in_digits() -> None:
    assert matches(a_silence(destination="247"), destination="247")


@pytest.mark.parametrize(
    ("written", "nodes", "expected"),
    [
        ("orders", [ORDERS], True),
        (ORDERS, [ORDERS], True),
        ("orders", [ORDERS, ITEMS], False),
        (("orders", "items"), [ORDERS, ITEMS], True),
        ("*", [ORDERS, ITEMS], True),
        ("orders", [], False),
        ("*", [], False),
    ],
)
def test_a_silence_of_nodes_matches_only_if_every_node_to_be_told_is_among_them(
    *, written: Any, nodes: list[str], expected: bool
) -> None:
    assert matches(a_silence(node=written), *nodes) is expected


def test_a_silence_bound_to_an_episode_matches_no_other_one() -> None:
    bound = a_silence(episode=EPISODE)

    assert matches(bound, episode=EPISODE)
    assert not matches(bound, episode="afterrun/1/job/7/101")
    assert not matches(bound)
    assert not matches(a_silence(episode=EPISODE, job="8"), episode=EPISODE)


def test_a_silence_is_active_from_its_beginning_until_just_before_its_end() -> None:
    silence = a_silence(starts_in=timedelta(0), length=HOUR, job="7")

    assert [silence.is_active(NOW + at) for at in (-HOUR, timedelta(0), HOUR)] == [
        False,
        True,
        False,
    ]


def test_of_silences_that_overlap_the_one_that_ends_last_counts() -> None:
    short, long = a_silence(job="7"), a_silence(length=3 * HOUR, destination="people")
    ended, other = a_silence(length=HOUR, job="7"), a_silence(length=9 * HOUR, job="8")

    found = silences.silencing([short, long, ended, other], an_event(), "people", (), "", NOW)

    assert found == long


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"destination": "people", "job": "7"}, True),
        ({"destination": "people"}, True),
        ({"job": "7"}, True),
        ({"job": "8"}, False),
        ({"destination": "people", "environment": "Production"}, False),
        ({"destination": "people", "episode": EPISODE}, False),
        ({"destination": "people", "starts_in": HOUR}, False),
    ],
)
def test_what_a_silence_held_back_waits_for_one_that_holds_back_at_least_as_much(
    *, other: dict[str, Any], expected: bool
) -> None:
    ended = a_silence(length=HOUR, destination="people", job="7")

    found = silences.holding([ended, a_silence(**other)], ended.id, NOW)

    # both have the id of a test; which one was found tells its end
    assert (found is not None and found.ends_at > NOW) is expected


def test_what_a_silence_held_back_waits_while_it_lasts_and_no_longer_than_it_is_known() -> None:
    active = a_silence(destination="people")

    assert silences.holding([active], active.id, NOW) == active
    assert silences.holding([active], "unknown", NOW) is None
    assert silences.holding([], "", NOW) is None


def test_a_silence_says_who_until_when_and_why() -> None:
    said = a_silence(job="7").said()

    assert said == "by Ada until 2026-01-05T13:00+00:00: migration (5115e9ce)"


# how they are kept

words = st.text(max_size=20)
patterns = st.lists(words, max_size=3).map(tuple)
some_silences = st.builds(
    Silence,
    id=words,
    starts_at=st.just(NOW),
    ends_at=st.timedeltas(timedelta(0), 30 * 24 * HOUR).map(lambda length: NOW + length),
    author=words,
    comment=words,
    matchers=st.dictionaries(st.sampled_from(silences.MATCHERS), patterns),
    episode=words,
)


@given(st.lists(some_silences).map(tuple))
def test_what_is_kept_is_read_as_it_was(known: tuple[Silence, ...]) -> None:
    assert silences.read(json.loads(json.dumps(silences.body(known)))) == known


def test_no_silences_are_read_where_none_were_ever_made() -> None:
    assert silences.read({}) == ()


def test_silences_of_another_version_are_refused_with_the_way_out() -> None:
    with pytest.raises(Mistake, match=r"LEDGER: its silences .* another version.* run the program"):
        silences.read({"version": 2})


# making and ending them


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Silences:
    return Silences(MemoryLedger(), clock)


def add(kept: Silences, **fields: Any) -> Silence:
    wanted = {"length": HOUR, "author": "Ada", "comment": "migration", "matchers": {"job": 7}}
    return kept.add(**{**wanted, **fields})


def test_a_silence_begins_now_and_is_listed(kept: Silences) -> None:
    silence = add(kept, matchers={"job": [7, "daily *"], "destination": "people"})

    assert kept.listed() == (silence,)
    assert (silence.starts_at, silence.ends_at) == (NOW, NOW + HOUR)
    assert silence.matchers == {"job": ("7", "daily *"), "destination": ("people",)}
    assert (silence.author, silence.comment) == ("Ada", "migration")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"author": ""}, "needs its author"),
        ({"author": " \n"}, "needs its author"),
        ({"comment": "\x1b[31m"}, "needs its comment"),
        ({"length": timedelta(seconds=59)}, "from a minute to 30 days"),
        ({"length": -HOUR}, "from a minute to 30 days"),
        ({"length": timedelta(days=30, seconds=1)}, "from a minute to 30 days"),
        ({"matchers": {}}, "needs an episode or one of: destination, account"),
        ({"matchers": {"jobs": "7"}}, "not on jobs"),
        ({"matchers": {"job": ""}}, "job: this is empty"),
        ({"matchers": {"job": []}}, "job: this list is empty"),
        ({"matchers": {"job": True}}, "job: write a name"),
        ({"matchers": {"job": ["7", "!7"]}}, "job: .* can never match"),
        ({"matchers": {"account": "Acme"}}, "account: .* write its id"),
        ({"matchers": {}, "episode": "job 7"}, "named by its key: afterrun/"),
        ({"matchers": {"job": ["x" * 100] * 30}}, "too long to be kept"),
    ],
)
def test_a_silence_that_cannot_be_is_refused_and_not_kept(
    kept: Silences, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(Mistake, match=said):
        add(kept, **fields)

    assert kept.listed() == ()


def test_what_people_write_is_one_line_without_what_a_terminal_would_obey(kept: Silences) -> None:
    silence = add(kept, comment="\x1b[31mmoving\n\n to the   new warehouse", author="x" * 1_000)

    assert silence.comment == "moving to the new warehouse"
    assert len(silence.author) == silences.TEXT_LIMIT


def test_a_silence_of_an_episode_needs_nothing_else(kept: Silences) -> None:
    silence = add(kept, matchers={}, episode=EPISODE)

    assert silence.episode == EPISODE


def test_so_many_may_be_active_and_those_that_ended_make_room(kept: Silences, clock: Clock) -> None:
    for _ in range(COUNT_LIMIT):
        last = add(kept)
    with pytest.raises(Mistake, match="200 silences are active; expire some first"):
        add(kept)

    kept.expire(last.id)

    assert add(kept).is_active(clock())


def test_a_silence_that_is_expired_ends_now_and_is_still_listed(
    kept: Silences, clock: Clock
) -> None:
    first, second = add(kept), add(kept)
    clock.passes(60)

    expired = kept.expire(first.id)

    assert expired.ends_at == clock()
    assert kept.listed() == (second, expired)


def test_to_expire_it_again_or_after_its_end_changes_nothing(kept: Silences, clock: Clock) -> None:
    silence = add(kept)
    clock.passes(7_200)

    assert kept.expire(silence.id) == kept.expire(silence.id) == silence


@pytest.mark.parametrize("passed", [timedelta(0), KEPT + HOUR])
def test_a_silence_that_is_not_known_or_long_over_cannot_be_expired(
    kept: Silences, clock: Clock, passed: timedelta
) -> None:
    silence = add(kept)
    clock.passes(passed.total_seconds())

    with pytest.raises(Mistake, match="no silence has the id"):
        kept.expire("nothing" if not passed else silence.id)


def test_what_ended_is_listed_for_a_week(kept: Silences, clock: Clock) -> None:
    silence = add(kept)

    clock.passes((HOUR + KEPT).total_seconds() - 1)
    assert kept.listed() == (silence,)
    clock.passes(1)
    assert kept.listed() == ()


def test_however_many_are_made_they_fit_the_ledger(kept: Silences) -> None:
    wide = {"comment": "🦆" * 150, "matchers": {"job": ["x" * 40] * 8}}
    for _ in range(ENDED_LIMIT + 50):
        kept.expire(add(kept, **wide).id)
    for _ in range(COUNT_LIMIT):
        add(kept, **wide)

    (subject,) = kept.ledger.subjects([silences.KEY])
    assert len(json.dumps(subject.body)) < BODY_LIMIT_BYTES
    assert len(kept.listed()) == COUNT_LIMIT + ENDED_LIMIT


def test_two_processes_that_add_at_once_both_do(kept: Silences) -> None:
    with ThreadPoolExecutor(4) as pool:
        added = set(pool.map(lambda _: add(kept).id, range(12)))

    assert {silence.id for silence in kept.listed()} == added
    assert len(added) == 12


def test_whoever_never_gets_to_write_says_so(clock: Clock) -> None:
    class Contended(MemoryLedger):
        def decide(self, changes: Any, due: Any, settles: Any = None) -> bool:
            return False

    with pytest.raises(TemporaryFailure, match="others change the silences"):
        add(Silences(Contended(), clock))


def test_a_ledger_that_does_not_answer_is_said(clock: Clock) -> None:
    with pytest.raises(TemporaryFailure, match="away"):
        Silences(UnreachableLedger("subjects"), clock).listed()


def test_silences_of_another_version_are_left_as_they_are(kept: Silences) -> None:
    (before,) = kept.ledger.subjects([silences.KEY])
    kept.ledger.decide([Change(before, {"version": 2, "silences": "new"})], [])

    with pytest.raises(Mistake, match="another version"):
        add(kept)

    (after,) = kept.ledger.subjects([silences.KEY])
    assert after.body["silences"] == "new"


def test_with_an_episode_only_what_is_bound_to_it_ends() -> None:
    bound, free = a_silence(episode=EPISODE), a_silence(job="7")
    over = a_silence(episode=EPISODE, length=HOUR / 2)

    after = silences.ended_with([bound, free, over], {EPISODE}, NOW)

    assert [each.ends_at for each in after] == [NOW, free.ends_at, over.ends_at]
