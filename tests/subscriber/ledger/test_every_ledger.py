"""What every ledger keeps of the contract, sentence by sentence."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import PermanentFailure
from subscriber.ledger.contract import (
    BODY_LIMIT_BYTES,
    DECISION_LIMIT_BYTES,
    DECISION_LIMIT_WRITES,
    KEEP_SETTLED,
    KEY_LIMIT,
    RESULT_LIMIT_BYTES,
    Change,
    Kind,
    Ledger,
    Refusal,
    Settlement,
    Subject,
    Work,
)
from subscriber.ledger.firestore import FirestoreLedger
from subscriber.ledger.memory import MemoryLedger
from subscriber.ledger.sqlite import SqliteLedger
from tests.emulators import ON_FIRESTORE
from tests.subscriber.ledger.builders import LEASE, NOW, SECOND, seen, some_work

THREADS = 8

T = TypeVar("T")


@pytest.fixture(params=["memory", "sqlite", pytest.param("firestore", marks=ON_FIRESTORE)])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
    elif request.param == "sqlite":
        with closing(SqliteLedger(tmp_path / "ledger.db")) as sqlite:
            yield sqlite
    else:
        host = request.getfixturevalue("firestore_emulator")
        yield FirestoreLedger(f"test-{uuid4().hex}", "(default)", host, timeout_s=30)


def at_once(act: Callable[[int], T], times: int = THREADS) -> list[T]:
    """What `act` returned in so many threads, all let go at the same moment."""
    gate = threading.Barrier(times)

    def wait_and_act(number: int) -> T:
        gate.wait(timeout=10)
        return act(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(wait_and_act, range(times)))


def claimed(ledger: Ledger, key: str = "work", *, owner: str = "me") -> Work:
    """The work `key`, recorded and claimed by `owner`."""
    ledger.record(some_work(key))
    work = ledger.claim(key, owner=owner, now=NOW, lease=LEASE)
    assert isinstance(work, Work)
    return work


# what is recorded


@pytest.mark.parametrize("kind", list(Kind))
def test_work_is_kept_as_it_was_recorded(ledger: Ledger, kind: Kind) -> None:
    work = some_work(kind=kind, due_at=NOW + timedelta(microseconds=1))

    ledger.record(work)

    assert ledger.work("work") == work


def test_work_that_was_never_recorded_is_not_there(ledger: Ledger) -> None:
    assert ledger.work("nothing") is None


def test_recording_a_known_key_again_changes_nothing(ledger: Ledger) -> None:
    waiting, leased, settled = some_work("waiting"), claimed(ledger, "leased"), "settled"
    ledger.record(waiting)
    claimed(ledger, settled)
    ledger.settle(settled, owner="me", now=NOW, result={})

    for key in ("waiting", "leased", "settled"):
        ledger.record(some_work(key, body={"say": "something else"}))

    assert ledger.work("waiting") == waiting
    assert ledger.work("leased") == leased
    assert ledger.claim(settled, owner="you", now=NOW, lease=LEASE) is Refusal.SETTLED


def test_of_many_that_record_a_key_at_once_one_is_kept(ledger: Ledger) -> None:
    at_once(lambda number: ledger.record(some_work(body={"from": number})))

    kept = ledger.work("work")
    assert kept is not None
    assert kept.body["from"] in range(THREADS)
    assert [work.body for work in ledger.due(NOW, 10)] == [kept.body]


def test_work_recorded_without_a_time_is_settled_from_the_beginning(ledger: Ledger) -> None:
    ledger.record(replace(some_work(due_at=None), result={"why": "no rule matches"}))

    work = ledger.work("work")
    assert work is not None
    assert work.is_settled
    assert work.result == {"why": "no rule matches"}
    assert ledger.due(NOW, 10) == []


def test_what_is_handed_out_is_a_copy(ledger: Ledger) -> None:
    body = {"nodes": ["a"]}
    ledger.record(some_work(body=body))

    body["nodes"].append("b")
    handed_out = ledger.work("work")
    assert handed_out is not None
    handed_out.body["nodes"].append("c")

    kept = ledger.work("work")
    assert kept is not None
    assert kept.body == {"nodes": ["a"]}


KEYS = [
    "1/alerts/job/17/open/1",
    "with space ",
    "with space",
    "Case",
    "case",
    ".",
    "..",
    "__reserved__",
    "",
    "quote'\"`;--",
    "back\\slash",
    "nul\x00byte",
    "line\nbreak",
    "ключ-🔑",
    "e\u0301",
    "é",
    "x" * KEY_LIMIT,
]


def test_keys_are_text_of_any_kind_and_all_apart(ledger: Ledger) -> None:
    for number, key in enumerate(KEYS):
        ledger.record(some_work(key, body={"number": number}))

    for number, key in enumerate(KEYS):
        work = ledger.claim(key, owner="me", now=NOW, lease=LEASE)
        assert isinstance(work, Work), key
        assert (work.key, work.body) == (key, {"number": number})


def test_subjects_may_be_named_by_text_of_any_kind(ledger: Ledger) -> None:
    for number, key in enumerate(KEYS):
        assert ledger.decide([Change(seen(ledger, key), {"number": number})], [])

    assert [seen(ledger, key).body["number"] for key in KEYS] == list(range(len(KEYS)))


@pytest.mark.parametrize("key", ["x" * (KEY_LIMIT + 1), "half a pair \ud83d"], ids=["long", "half"])
def test_a_key_that_cannot_be_kept_is_refused(ledger: Ledger, key: str) -> None:
    with pytest.raises(PermanentFailure):
        ledger.record(some_work(key))
    with pytest.raises(PermanentFailure):
        ledger.decide([Change(Subject(key, {}), {})], [])

    assert ledger.due(NOW, 10) == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        [[["arrays", ["in"]], "arrays"]],
        {"": {"a.b": {"`": {"__x__": 1}}}},
        [2**63 - 1, 2**63, -(10**30), 1e308, -0.0, 0.1],
        "half a pair \ud83d, nul \x00, ключ 🔑",
        ["x"] * 50_000,
    ],
    ids=["null", "arrays", "keys", "numbers", "text", "many values"],
)
def test_a_body_of_any_json_comes_back(ledger: Ledger, value: object) -> None:
    ledger.record(some_work(body={"value": value}))

    work = ledger.claim("work", owner="me", now=NOW, lease=LEASE)

    assert isinstance(work, Work)
    assert work.body == {"value": value}


def test_numbers_that_json_does_not_know_come_back_as_well(ledger: Ledger) -> None:
    ledger.record(some_work(body={"nan": math.nan, "infinity": math.inf}))

    work = ledger.work("work")
    assert work is not None
    assert math.isnan(work.body["nan"])
    assert work.body["infinity"] == math.inf


TEXT = st.text(max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda children: st.lists(children, max_size=5) | st.dictionaries(TEXT, children, max_size=5),
    max_leaves=10,
)


@pytest.mark.parametrize("ledger", ["memory", "sqlite"], indirect=True)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.dictionaries(TEXT, JSON, max_size=5), key=TEXT)
def test_bodies_results_and_subjects_of_any_json_come_back(
    ledger: Ledger, body: dict[str, Any], key: str
) -> None:
    key = f"{uuid4()}{key}"

    ledger.record(some_work(key, body=body))
    ledger.claim(key, owner="me", now=NOW, lease=LEASE)
    ledger.settle(key, owner="me", now=NOW, result=body)
    ledger.decide([Change(Subject(key, {}), body)], [])

    work = ledger.work(key)
    assert work is not None
    assert work.body == work.result == seen(ledger, key).body == body


def test_the_largest_body_and_the_largest_result_fit_together(ledger: Ledger) -> None:
    body = {"x": "x" * (BODY_LIMIT_BYTES - len('{"x":""}'))}
    result = {"x": "x" * (RESULT_LIMIT_BYTES - len('{"x":""}'))}
    ledger.record(some_work("k" * KEY_LIMIT, body=body))
    ledger.claim("k" * KEY_LIMIT, owner="me", now=NOW, lease=LEASE)

    assert ledger.settle("k" * KEY_LIMIT, owner="me", now=NOW, result=result)


def test_what_is_too_large_is_refused_before_anything_is_written(ledger: Ledger) -> None:
    too_large = {"x": "x" * BODY_LIMIT_BYTES}
    claimed(ledger, "claimed")

    with pytest.raises(PermanentFailure):
        ledger.record(some_work(body=too_large))
    with pytest.raises(PermanentFailure):
        ledger.decide([Change(Subject("subject", {}), too_large)], [some_work()])
    with pytest.raises(PermanentFailure):
        ledger.decide(
            [Change(Subject("subject", {}), {})], [some_work("other"), some_work(body=too_large)]
        )
    with pytest.raises(PermanentFailure):
        ledger.settle("claimed", owner="me", now=NOW, result={"x": "x" * RESULT_LIMIT_BYTES})

    assert ledger.due(NOW, 10) == []
    assert seen(ledger, "subject").version == ""
    assert ledger.postpone("claimed", owner="me", due_at=NOW, result={})


# claims


def test_a_claim_on_what_is_due_is_granted_and_leases_it(ledger: Ledger) -> None:
    ledger.record(some_work())

    granted = ledger.claim("work", owner="me", now=NOW, lease=LEASE)

    assert granted == replace(some_work(), due_at=NOW + LEASE, owner="me", attempts=1)
    assert ledger.work("work") == granted


def test_leased_work_is_busy_for_everybody_else(ledger: Ledger) -> None:
    claimed(ledger)

    assert ledger.claim("work", owner="you", now=NOW + LEASE - SECOND, lease=LEASE) is Refusal.BUSY


def test_work_that_is_not_due_yet_is_busy(ledger: Ledger) -> None:
    ledger.record(some_work(due_at=NOW + timedelta(microseconds=1)))

    assert ledger.claim("work", owner="me", now=NOW, lease=LEASE) is Refusal.BUSY


def test_a_claim_on_nothing_is_missing(ledger: Ledger) -> None:
    assert ledger.claim("work", owner="me", now=NOW, lease=LEASE) is Refusal.MISSING


def test_a_claim_repeated_by_its_owner_is_the_same_claim(ledger: Ledger) -> None:
    first = claimed(ledger)

    again = ledger.claim("work", owner="me", now=NOW + SECOND, lease=LEASE)

    assert again == first


def test_of_many_claims_at_once_exactly_one_is_granted(ledger: Ledger) -> None:
    keys = [f"work/{number}" for number in range(10)]
    for key in keys:
        ledger.record(some_work(key))

    answers = at_once(
        lambda number: [
            (key, ledger.claim(key, owner=f"{number}/{key}", now=NOW, lease=LEASE)) for key in keys
        ]
    )

    granted = [key for answer in answers for key, work in answer if isinstance(work, Work)]
    refused = [work for answer in answers for _, work in answer if not isinstance(work, Work)]
    assert sorted(granted) == keys
    assert set(refused) == {Refusal.BUSY}


def test_a_lease_that_ran_out_is_granted_to_exactly_one_of_many(ledger: Ledger) -> None:
    claimed(ledger, owner="dead")

    answers = at_once(
        lambda number: ledger.claim("work", owner=str(number), now=NOW + LEASE, lease=LEASE)
    )

    (granted,) = [answer for answer in answers if isinstance(answer, Work)]
    assert granted.attempts == 2
    assert ledger.work("work") == granted


def test_who_lost_a_claim_to_somebody_else_can_neither_settle_nor_postpone(ledger: Ledger) -> None:
    claimed(ledger, owner="slow")
    taken_over = ledger.claim("work", owner="quick", now=NOW + LEASE, lease=LEASE)

    assert not ledger.settle("work", owner="slow", now=NOW + LEASE, result={"by": "slow"})
    assert not ledger.postpone("work", owner="slow", due_at=NOW, result={"by": "slow"})

    assert ledger.work("work") == taken_over


def test_an_owner_that_is_late_may_settle_what_nobody_else_has_claimed(ledger: Ledger) -> None:
    claimed(ledger)

    assert ledger.settle("work", owner="me", now=NOW + 2 * LEASE, result={})

    assert ledger.claim("work", owner="you", now=NOW + 2 * LEASE, lease=LEASE) is Refusal.SETTLED


def test_an_owner_may_claim_again_when_its_lease_ran_out(ledger: Ledger) -> None:
    claimed(ledger)

    again = ledger.claim("work", owner="me", now=NOW + LEASE, lease=LEASE)

    assert isinstance(again, Work)
    assert (again.attempts, again.due_at) == (2, NOW + 2 * LEASE)


# settling and postponing


def test_what_is_settled_is_never_due_again(ledger: Ledger) -> None:
    claimed(ledger)

    assert ledger.settle("work", owner="me", now=NOW + SECOND, result={"dedup_key": "abc"})

    work = ledger.work("work")
    assert work == replace(
        some_work(), due_at=None, owner="me", attempts=1, result={"dedup_key": "abc"}
    )
    assert ledger.due(NOW + timedelta(days=1), 10) == []
    assert ledger.claim("work", owner="you", now=NOW + LEASE, lease=LEASE) is Refusal.SETTLED


def test_settling_repeated_by_its_owner_is_the_same_settlement(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.settle("work", owner="me", now=NOW, result={"dedup_key": "abc"})

    assert ledger.settle("work", owner="me", now=NOW + SECOND, result={"dedup_key": "abc"})
    assert not ledger.settle("work", owner="you", now=NOW, result={})


def test_only_what_was_claimed_can_be_settled_or_postponed(ledger: Ledger) -> None:
    ledger.record(some_work("waiting"))

    for key in ("waiting", "nothing"):
        assert not ledger.settle(key, owner="", now=NOW, result={})
        assert not ledger.postpone(key, owner="", due_at=NOW + SECOND, result={})

    assert ledger.work("waiting") == some_work("waiting")


def test_postponed_work_is_due_again_at_its_time(ledger: Ledger) -> None:
    claimed(ledger)
    later = NOW + timedelta(minutes=1, microseconds=7)

    assert ledger.postpone("work", owner="me", due_at=later, result={"why": "503"})

    assert ledger.work("work") == replace(
        some_work(), due_at=later, owner="me", attempts=1, result={"why": "503"}
    )
    assert ledger.due(later - SECOND, 10) == []
    assert ledger.claim("work", owner="you", now=later - SECOND, lease=LEASE) is Refusal.BUSY
    again = ledger.claim("work", owner="you", now=later, lease=LEASE)
    assert isinstance(again, Work)
    assert again.attempts == 2


def test_who_postponed_no_longer_holds_it(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.postpone("work", owner="me", due_at=NOW + SECOND, result={})

    assert ledger.claim("work", owner="me", now=NOW, lease=LEASE) is Refusal.BUSY
    assert not ledger.settle("work", owner="me", now=NOW, result={})
    assert not ledger.postpone("work", owner="me", due_at=NOW + 2 * SECOND, result={})


def test_an_attempt_that_does_not_count_is_given_back_once(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.postpone("work", owner="me", due_at=NOW, result={})
    ledger.claim("work", owner="you", now=NOW, lease=LEASE)

    for _ in range(2):
        assert ledger.postpone(
            "work", owner="you", due_at=NOW + SECOND, result={"why": "cooldown"}, counted=False
        )

    work = ledger.work("work")
    assert work is not None
    assert work.attempts == 1


# what is due


def test_due_work_comes_longest_due_first_and_no_more_than_asked_for(ledger: Ledger) -> None:
    for age in (3, 1, 5, 2, 4):
        ledger.record(some_work(f"{age} s old", due_at=NOW - age * SECOND))

    assert [work.key for work in ledger.due(NOW, 3)] == ["5 s old", "4 s old", "3 s old"]
    assert len(ledger.due(NOW, 10)) == 5


def test_what_waits_is_leased_or_settled_is_not_due(ledger: Ledger) -> None:
    ledger.record(some_work("due now"))
    ledger.record(some_work("waiting", due_at=NOW + timedelta(microseconds=1)))
    claimed(ledger, "leased")
    claimed(ledger, "settled")
    ledger.settle("settled", owner="me", now=NOW, result={})

    assert [work.key for work in ledger.due(NOW, 10)] == ["due now"]
    assert [work.key for work in ledger.due(NOW + LEASE, 10)] == ["due now", "waiting", "leased"]


def test_looking_at_what_is_due_claims_nothing(ledger: Ledger) -> None:
    ledger.record(some_work())

    assert ledger.due(NOW, 10) == ledger.due(NOW, 10) == [some_work()]


# forgetting


def test_settled_work_is_remembered_for_its_time_and_then_missing(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.settle("work", owner="me", now=NOW, result={})
    end = NOW + KEEP_SETTLED

    assert ledger.claim("work", owner="you", now=end - SECOND, lease=LEASE) is Refusal.SETTLED
    assert ledger.claim("work", owner="you", now=end, lease=LEASE) is Refusal.MISSING


def test_a_key_is_free_again_when_its_work_is_long_settled(ledger: Ledger) -> None:
    for key in ("event", "action"):
        claimed(ledger, key)
        ledger.settle(key, owner="me", now=NOW, result={"old": True})
    end = NOW + KEEP_SETTLED
    event = some_work("event", due_at=end, recorded_at=end)
    action = some_work("action", due_at=end, recorded_at=end)

    ledger.record(event)
    assert ledger.decide([Change(seen(ledger, "job"), {"n": 1})], [action])
    ledger.record(some_work("other", recorded_at=end))
    ledger.claim("other", owner="me", now=end, lease=LEASE)
    ledger.settle("other", owner="me", now=end, result={})

    assert ledger.work("event") == event
    assert ledger.work("action") == action
    assert {work.key for work in ledger.due(end, 10)} == {"event", "action"}


# decisions


def test_of_an_unknown_subject_nothing_is_remembered(ledger: Ledger) -> None:
    assert seen(ledger, "job/17") == Subject("job/17", {}, "")


def test_a_decision_keeps_the_subject_and_its_actions(ledger: Ledger) -> None:
    actions = [some_work("open"), some_work("tell")]

    assert ledger.decide([Change(seen(ledger, "job/17"), {"episode": "open"})], actions)

    after = seen(ledger, "job/17")
    assert after.body == {"episode": "open"}
    assert after.version != ""
    assert [ledger.work("open"), ledger.work("tell")] == actions


def test_decisions_follow_each_other(ledger: Ledger) -> None:
    for number in range(3):
        before = seen(ledger, "job/17")
        assert before.body.get("number", -1) == number - 1
        assert ledger.decide([Change(before, {"number": number})], [some_work(f"update/{number}")])

    assert len(ledger.due(NOW, 10)) == 3


@pytest.mark.parametrize("is_new", [True, False], ids=["new subject", "known subject"])
def test_a_decision_on_an_older_state_loses_and_nothing_happens(
    ledger: Ledger, *, is_new: bool
) -> None:
    if not is_new:
        ledger.decide([Change(seen(ledger, "job/17"), {"by": "nobody"})], [])
    before = seen(ledger, "job/17")
    ledger.decide([Change(before, {"by": "quick"})], [some_work("quick")])

    assert not ledger.decide(
        [Change(before, {"by": "slow"})], [some_work("slow"), some_work("quick")]
    )

    assert seen(ledger, "job/17").body == {"by": "quick"}
    assert ledger.work("slow") is None


def test_a_decision_that_writes_the_same_body_still_defeats_those_on_the_older_state(
    ledger: Ledger,
) -> None:
    ledger.decide([Change(seen(ledger, "job/17"), {"same": True})], [])
    before = seen(ledger, "job/17")

    assert ledger.decide([Change(before, {"same": True})], [some_work("one")])
    assert not ledger.decide([Change(before, {"same": True})], [some_work("two")])


def test_a_decision_leaves_actions_that_are_known_as_they_are(ledger: Ledger) -> None:
    leased = claimed(ledger, "leased")
    claimed(ledger, "settled")
    ledger.settle("settled", owner="me", now=NOW, result={"dedup_key": "abc"})
    settled = ledger.work("settled")
    actions = [some_work(key, body={"new": True}) for key in ("leased", "new", "settled")]

    assert ledger.decide([Change(seen(ledger, "job/17"), {"n": 1})], actions)

    assert seen(ledger, "job/17").body == {"n": 1}
    assert ledger.work("leased") == leased
    assert ledger.work("settled") == settled
    assert ledger.work("new") == some_work("new", body={"new": True})


def test_of_two_actions_with_one_key_the_first_is_recorded(ledger: Ledger) -> None:
    actions = [some_work(body={"number": 1}), some_work(body={"number": 2})]

    assert ledger.decide([Change(seen(ledger, "job/17"), {})], actions)

    work = ledger.work("work")
    assert work is not None
    assert work.body == {"number": 1}


def test_decisions_made_at_once_are_all_made_one_after_the_other(ledger: Ledger) -> None:
    def count_up(number: int) -> int:
        lost = 0
        while True:
            before = seen(ledger, "job/17")
            body = {"count": before.body.get("count", 0) + 1}
            if ledger.decide(
                [Change(before, body)], [some_work(f"by {number}"), some_work("shared")]
            ):
                return lost
            lost += 1
            assert lost < 100, "somebody wins each round, so nobody loses so often"

    at_once(count_up)

    assert seen(ledger, "job/17").body == {"count": THREADS}
    recorded = Counter(work.key for work in ledger.due(NOW, 100))
    assert recorded == Counter([*(f"by {number}" for number in range(THREADS)), "shared"])


# decisions on several subjects, and what they settle


def decided(ledger: Ledger, *keys: str, expire_at: datetime | None = None) -> None:
    """Each subject holds its own key."""
    changes = [Change(seen(ledger, key), {"is": key}, expire_at) for key in keys]
    assert ledger.decide(changes, [])


def settlement(key: str = "work", *, owner: str = "me", now: datetime = NOW) -> Settlement:
    return Settlement(key, owner, now, {"outcome": "failed"})


def test_subjects_come_in_the_order_they_are_asked_for_known_or_not(ledger: Ledger) -> None:
    decided(ledger, "b", "a")

    found = ledger.subjects(["a", "unknown", "b", "a"])

    assert [(subject.key, subject.body) for subject in found] == [
        ("a", {"is": "a"}),
        ("unknown", {}),
        ("b", {"is": "b"}),
        ("a", {"is": "a"}),
    ]
    assert ledger.subjects([]) == []


# of Firestore Google says so; its emulator shows part of a commit now and then
@pytest.mark.parametrize("ledger", ["memory", "sqlite"], indirect=True)
def test_subjects_are_seen_as_of_one_moment(ledger: Ledger) -> None:
    keys = [f"subject/{number}" for number in range(10)]
    is_over = threading.Event()

    def write_or_look(number: int) -> None:
        if number == 0:
            for n in range(30):
                changes = [Change(subject, {"n": n}) for subject in ledger.subjects(keys)]
                assert ledger.decide(changes, [])
            is_over.set()
        while not is_over.is_set():
            assert len({subject.body.get("n") for subject in ledger.subjects(keys)}) == 1

    at_once(write_or_look, 3)


def test_a_decision_writes_all_its_subjects_records_what_is_due_and_settles(
    ledger: Ledger,
) -> None:
    work = claimed(ledger)
    decided(ledger, "known")
    known, new = ledger.subjects(["known", "new"])
    due = [some_work("open"), some_work("look again", kind=Kind.TIMER)]

    assert ledger.decide([Change(known, {"n": 1}), Change(new, {"n": 2})], due, settlement())

    assert [subject.body for subject in ledger.subjects(["known", "new"])] == [{"n": 1}, {"n": 2}]
    assert [ledger.work("open"), ledger.work("look again")] == due
    assert ledger.work("work") == replace(work, due_at=None, result={"outcome": "failed"})


@pytest.mark.parametrize("changed", ["first", "last"])
def test_a_decision_loses_whole_if_any_one_of_its_subjects_has_changed(
    ledger: Ledger, changed: str
) -> None:
    work = claimed(ledger)
    decided(ledger, "first", "last")
    before = ledger.subjects(["first", "last"])
    decided(ledger, changed)

    lost = ledger.decide([Change(each, {}) for each in before], [some_work("open")], settlement())

    assert not lost
    assert [subject.body for subject in ledger.subjects(["first", "last"])] == [
        {"is": "first"},
        {"is": "last"},
    ]
    assert ledger.work("open") is None
    assert ledger.work("work") == work


def lost_to_another(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.claim("work", owner="quick", now=NOW + LEASE, lease=LEASE)


def postponed(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.postpone("work", owner="me", due_at=NOW, result={})


def settled_before(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.settle("work", owner="me", now=NOW, result=settlement().result)


def waiting(ledger: Ledger) -> None:
    ledger.record(some_work())


def unknown(ledger: Ledger) -> None:
    assert ledger.work("work") is None


@pytest.mark.parametrize("arrange", [lost_to_another, postponed, settled_before, waiting, unknown])
def test_a_decision_that_settles_what_its_owner_does_not_hold_does_nothing(
    ledger: Ledger, arrange: Callable[[Ledger], None]
) -> None:
    arrange(ledger)
    work = ledger.work("work")

    assert not ledger.decide([Change(Subject("job", {}), {})], [some_work("open")], settlement())

    assert ledger.work("work") == work
    assert ledger.work("open") is None
    assert seen(ledger, "job").version == ""


def test_a_decision_may_settle_what_is_late_but_nobody_elses(ledger: Ledger) -> None:
    claimed(ledger)

    assert ledger.decide([], [], settlement(now=NOW + 2 * LEASE))

    end = NOW + 2 * LEASE + KEEP_SETTLED
    assert ledger.claim("work", owner="you", now=end - SECOND, lease=LEASE) is Refusal.SETTLED
    assert ledger.claim("work", owner="you", now=end, lease=LEASE) is Refusal.MISSING


def test_a_decision_may_change_no_subject(ledger: Ledger) -> None:
    claimed(ledger)

    assert ledger.decide([], [])
    assert ledger.decide([], [some_work("open")])
    assert ledger.decide([], [some_work("open"), some_work("close")], settlement())

    assert {work.key for work in ledger.due(NOW + LEASE, 10)} == {"open", "close"}


def test_a_decision_without_changes_that_repeats_a_settlement_is_the_same_decision(
    ledger: Ledger,
) -> None:
    claimed(ledger)
    due = [some_work("open")]
    ledger.decide([], due, settlement())

    assert ledger.decide([], due, settlement(now=NOW + SECOND))
    assert not ledger.decide([], due, settlement(owner="you"))
    assert not ledger.decide([], due, replace(settlement(), result={"outcome": "another"}))
    assert not ledger.decide([], [*due, some_work("close")], settlement())
    assert ledger.work("close") is None


def test_what_a_decision_settles_is_not_recorded_anew_by_it(ledger: Ledger) -> None:
    claimed(ledger)

    assert ledger.decide([], [some_work(body={"new": True})], settlement())

    work = ledger.work("work")
    assert work is not None
    assert (work.is_settled, work.body) == (True, some_work().body)


def test_of_many_decisions_at_once_that_settle_one_work_one_is_made(ledger: Ledger) -> None:
    claimed(ledger)

    made = at_once(
        lambda number: ledger.decide(
            [Change(Subject(f"job/{number}", {}), {})],
            [some_work(f"by {number}")],
            replace(settlement(), result={"by": number}),
        )
    )

    (winner,) = [number for number, is_made in enumerate(made) if is_made]
    assert [work.key for work in ledger.due(NOW, 100)] == [f"by {winner}"]
    written = [subject.key for n in range(THREADS) if (subject := seen(ledger, f"job/{n}")).version]
    assert written == [f"job/{winner}"]


def test_a_subject_that_is_changed_twice_is_a_bug(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="twice"):
        ledger.decide([Change(Subject("job", {}), {"n": n}) for n in (1, 2)], [some_work()])

    assert ledger.due(NOW, 10) == []


def big(*, size_bytes: int) -> tuple[list[Change], list[Work], Settlement]:
    """A decision of that size which settles the work `held`; the last bytes are the subject's."""
    settled = Settlement("held", "me", NOW, {"x": "x" * 90_000})
    due = [some_work(f"{number:02}", body={"x": "x" * 600_000}) for number in range(14)]
    frame = len('{"x":""}')
    used = len("held") + frame + 90_000 + 14 * (len("00") + frame + 600_000 + len("{}"))
    left = size_bytes - used - len("job") - frame
    return [Change(Subject("job", {}), {"x": "x" * left})], due, settled


# the emulator takes 4 MiB a commit, Google more; test_firestore.py measures what it would be sent
@pytest.mark.parametrize("ledger", ["memory", "sqlite"], indirect=True)
def test_a_decision_of_the_greatest_size_is_made(ledger: Ledger) -> None:
    claimed(ledger, "held")

    assert ledger.decide(*big(size_bytes=DECISION_LIMIT_BYTES))

    assert len(ledger.due(NOW, 100)) == 14


def test_a_decision_beyond_that_is_refused_before_anything_is_written(ledger: Ledger) -> None:
    claimed(ledger, "held")

    with pytest.raises(PermanentFailure, match=f"at most {DECISION_LIMIT_BYTES}"):
        ledger.decide(*big(size_bytes=DECISION_LIMIT_BYTES + 1))

    assert ledger.due(NOW, 100) == []
    assert seen(ledger, "job").version == ""
    assert ledger.postpone("held", owner="me", due_at=NOW, result={})


def test_a_decision_of_the_most_writes_is_made_and_a_longer_one_refused(ledger: Ledger) -> None:
    claimed(ledger, "held")
    key = "🔑" * KEY_LIMIT
    change = Change(Subject(key, {}), {})
    due = [some_work(f"{n:03}" + "k" * (KEY_LIMIT - 3)) for n in range(DECISION_LIMIT_WRITES - 2)]

    with pytest.raises(PermanentFailure, match=f"at most {DECISION_LIMIT_WRITES}"):
        ledger.decide([change], [*due, some_work()], settlement("held"))
    assert ledger.due(NOW, 1) == []

    assert ledger.decide([change], due, settlement("held"))

    assert len(ledger.due(NOW, 1_000)) == len(due)


def test_a_subject_that_expired_reads_as_it_is_while_it_is_there(ledger: Ledger) -> None:
    decided(ledger, "job", expire_at=NOW - SECOND)

    assert seen(ledger, "job").body == {"is": "job"}
    decided(ledger, "job")
    assert seen(ledger, "job").body == {"is": "job"}


@pytest.mark.parametrize("ledger", ["memory", "sqlite"], indirect=True)
def test_a_subject_that_was_forgotten_and_came_again_is_not_as_it_was_read(
    ledger: Ledger,
) -> None:
    decided(ledger, "job", expire_at=NOW)
    before = seen(ledger, "job")
    claimed(ledger)
    ledger.settle("work", owner="me", now=NOW, result={})
    assert seen(ledger, "job").version == ""
    decided(ledger, "job")

    assert not ledger.decide([Change(before, {"is": "outdated"})], [])

    assert seen(ledger, "job").body == {"is": "job"}


# what was recorded


def test_recorded_work_comes_by_kind_and_newest_first_and_no_more_than_asked_for(
    ledger: Ledger,
) -> None:
    for age in (3, 1, 5, 2, 4):
        at = NOW - age * SECOND
        ledger.record(some_work(f"{age} s old", kind=Kind.EVENT, recorded_at=at))
        ledger.record(some_work(f"action {age}", kind=Kind.ACTION, recorded_at=at))
    before = NOW - SECOND

    page = ledger.recorded(Kind.EVENT, before=before, limit=2)

    assert [work.key for work in page] == ["2 s old", "3 s old"]
    rest = ledger.recorded(Kind.EVENT, before=page[-1].recorded_at, limit=10)
    assert [work.key for work in rest] == ["4 s old", "5 s old"]
    assert ledger.recorded(Kind.TIMER, before=NOW, limit=10) == []
    assert ledger.recorded(Kind.EVENT, before=NOW, limit=0) == []


def test_recorded_work_comes_whole_whatever_became_of_it(ledger: Ledger) -> None:
    claimed(ledger, "leased")
    claimed(ledger, "settled")
    ledger.settle("settled", owner="me", now=NOW, result={"dedup_key": "abc"})
    ledger.record(some_work("waiting", due_at=NOW + LEASE))

    found = ledger.recorded(Kind.ACTION, before=NOW + SECOND, limit=10)

    assert {work.key for work in found} == {"leased", "settled", "waiting"}
    assert all(work == ledger.work(work.key) for work in found)


def test_recorded_work_that_has_expired_is_left_out_and_takes_nobodys_place(
    ledger: Ledger,
) -> None:
    end = NOW + KEEP_SETTLED
    ledger.record(some_work("oldest, open still", recorded_at=NOW - SECOND))
    for number in range(5):
        ledger.record(some_work(f"expired/{number}", due_at=None))
    ledger.record(some_work("kept", due_at=None, recorded_at=NOW + SECOND))

    found = ledger.recorded(Kind.ACTION, before=end, limit=2)

    assert [work.key for work in found] == ["kept", "oldest, open still"]
    assert len(ledger.recorded(Kind.ACTION, before=end - SECOND, limit=10)) == 7


# opening anew


def test_reopened_work_is_due_now_as_if_never_attempted_and_keeps_its_result(
    ledger: Ledger,
) -> None:
    claimed(ledger)
    ledger.settle("work", owner="me", now=NOW, result={"outcome": "refused"})
    later = NOW + timedelta(days=3)

    assert ledger.reopen("work", now=later)

    work = ledger.work("work")
    assert work is not None
    assert (work.due_at, work.attempts, work.result) == (later, 0, {"outcome": "refused"})
    assert ledger.due(later - SECOND, 10) == []
    again = ledger.claim("work", owner="you", now=later, lease=LEASE)
    assert isinstance(again, Work)
    assert (again.attempts, again.body) == (1, some_work().body)


def test_reopened_work_is_kept_until_it_is_settled_again(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.settle("work", owner="me", now=NOW, result={})

    ledger.reopen("work", now=NOW + SECOND)

    end = NOW + KEEP_SETTLED + LEASE
    assert isinstance(ledger.claim("work", owner="you", now=end, lease=LEASE), Work)


def test_who_settled_it_holds_nothing_of_what_is_reopened(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.settle("work", owner="me", now=NOW, result={})
    ledger.reopen("work", now=NOW)

    assert not ledger.settle("work", owner="me", now=NOW, result={})
    assert not ledger.postpone("work", owner="me", due_at=NOW, result={})


def test_only_what_is_settled_and_not_expired_can_be_reopened(ledger: Ledger) -> None:
    ledger.record(some_work("waiting"))
    leased = claimed(ledger, "leased")
    ledger.record(some_work("expired", due_at=None))

    assert not ledger.reopen("waiting", now=NOW)
    assert not ledger.reopen("leased", now=NOW + LEASE)
    assert not ledger.reopen("expired", now=NOW + KEEP_SETTLED)
    assert not ledger.reopen("nothing", now=NOW)

    assert ledger.work("waiting") == some_work("waiting")
    assert ledger.work("leased") == leased


def test_of_many_that_reopen_at_once_one_does(ledger: Ledger) -> None:
    ledger.record(some_work(due_at=None))

    reopened = at_once(lambda _: ledger.reopen("work", now=NOW))

    assert Counter(reopened) == {True: 1, False: THREADS - 1}


# cooldowns and the store itself


def test_a_cooldown_lasts_until_it_was_said_to(ledger: Ledger) -> None:
    until = NOW + timedelta(minutes=5, microseconds=3)

    ledger.cool_down("cloud.getdbt.com", until)

    assert ledger.cooldown("cloud.getdbt.com") == until
    assert ledger.cooldown("api.pagerduty.com") is None


def test_a_cooldown_is_never_shortened(ledger: Ledger) -> None:
    ledger.cool_down("host", NOW + 2 * SECOND)

    ledger.cool_down("host", NOW + SECOND)
    assert ledger.cooldown("host") == NOW + 2 * SECOND

    ledger.cool_down("host", NOW + 3 * SECOND)
    assert ledger.cooldown("host") == NOW + 3 * SECOND


def test_of_cooldowns_asked_for_at_once_the_longest_holds(ledger: Ledger) -> None:
    at_once(lambda number: ledger.cool_down("host", NOW + number * SECOND))

    assert ledger.cooldown("host") == NOW + (THREADS - 1) * SECOND


def test_a_ledger_that_is_ours_passes_its_check_new_and_used(ledger: Ledger) -> None:
    ledger.check()
    claimed(ledger)
    ledger.check()

    assert ledger.due(NOW + LEASE, 10) != []
