"""What a subscription hands out and when, told without a clock."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.pubsub.backlog import Backlog, Lease
from lab.pubsub.messages import Content, Message
from lab.pubsub.refusals import Refused
from lab.pubsub.retries import AT_ONCE_S, Retry
from lab.pubsub.settings import DeadLetters, Settings

DEADLINE_S = 10.0


def a_message(number: int) -> Message:
    return Message(str(number), datetime(2026, 1, 1, tzinfo=UTC), Content(b"x", {}))


def a_backlog(*numbers: int, settings: Settings | None = None) -> Backlog:
    backlog = Backlog(settings or Settings(), itertools.count(1))
    for number in numbers:
        backlog.add(a_message(number), now=0)
    return backlog


def ids(leases: list[Lease]) -> list[str]:
    return [lease.message.id for lease in leases]


def take(backlog: Backlog, now: float, limit: int = 100) -> list[Lease]:
    return backlog.take(limit, now, lease_s=DEADLINE_S)


def test_messages_are_handed_out_once_in_the_order_in_which_they_came() -> None:
    backlog = a_backlog(1, 2, 3)

    first, second = take(backlog, 0, limit=2), take(backlog, 0, limit=2)

    assert ids(first) == ["1", "2"]
    assert ids(second) == ["3"]
    assert take(backlog, 9.9) == []


def test_what_is_acknowledged_is_forgotten() -> None:
    backlog = a_backlog(1, 2)
    lease, _ = take(backlog, 0)

    assert backlog.acknowledge(lease.ack_id, now=1)
    assert not backlog.acknowledge(lease.ack_id, now=1)

    assert len(backlog) == 1


def test_what_is_not_settled_in_time_is_due_again() -> None:
    backlog = a_backlog(1)
    (lease,) = take(backlog, 0)

    backlog.expire(9.9)
    early = take(backlog, 9.9)
    backlog.expire(10)
    again = take(backlog, 10 + AT_ONCE_S)

    assert early == []
    assert ids(again) == ["1"]
    assert not backlog.acknowledge(lease.ack_id, now=11), "the former lease counts no more"


@pytest.mark.parametrize("expired", [False, True])
def test_an_acknowledgement_after_the_deadline_does_nothing(*, expired: bool) -> None:
    backlog = a_backlog(1)
    (lease,) = take(backlog, 0)
    if expired:
        backlog.expire(10)

    assert not backlog.acknowledge(lease.ack_id, now=10)
    assert len(backlog) == 1


def test_a_deadline_can_be_extended_and_brought_forward() -> None:
    backlog = a_backlog(1, 2)
    later, sooner = take(backlog, 0)

    backlog.extend(later.ack_id, 5, lease_s=60)
    backlog.extend(sooner.ack_id, 5, lease_s=1)
    backlog.expire(12)

    assert ids(take(backlog, 12 + AT_ONCE_S)) == ["2"]
    assert backlog.next_end_at() == pytest.approx(12 + AT_ONCE_S + DEADLINE_S)
    assert backlog.acknowledge(later.ack_id, now=64)


def test_without_a_policy_what_is_refused_is_due_at_once() -> None:
    backlog = a_backlog(1)
    (lease,) = take(backlog, 0)

    assert backlog.refuse(lease.ack_id, now=3)

    assert backlog.next_due_at() == 3 + AT_ONCE_S
    assert ids(take(backlog, 3 + AT_ONCE_S)) == ["1"]


def test_a_retry_policy_delays_refusals_and_expiries_more_and_more() -> None:
    backlog = a_backlog(1, settings=Settings(retry=Retry(10, 30)))
    delays = []

    now = 0.0
    for refuses in (True, False, True, True):
        (lease,) = take(backlog, now)
        if refuses:
            backlog.refuse(lease.ack_id, now)
        else:
            now += DEADLINE_S
            backlog.expire(now)
        delays.append(backlog.next_due_at() - now)
        now = backlog.next_due_at()

    assert delays == [10, 20, 30, 30]


def test_a_message_is_dropped_when_its_retention_has_passed() -> None:
    backlog = a_backlog(1, settings=Settings(retention_s=600))
    (lease,) = take(backlog, 0)
    backlog.refuse(lease.ack_id, now=1)
    backlog.add(a_message(2), now=500)

    assert ids(take(backlog, 600)) == ["2"]
    assert len(backlog) == 1


def test_attempts_are_counted_only_with_a_dead_letter_policy() -> None:
    counting = a_backlog(1, settings=Settings(dead_letters=DeadLetters("t", 5)))
    silent = a_backlog(1)

    attempts: list[list[int]] = []
    for backlog in (counting, silent):
        attempts.append([])
        for now in range(3):
            (lease,) = take(backlog, now)
            attempts[-1].append(lease.attempt)
            backlog.refuse(lease.ack_id, now)

    assert attempts == [[1, 2, 3], [0, 0, 0]]


def test_a_message_is_spent_after_as_many_refusals_and_expiries_as_allowed() -> None:
    backlog = a_backlog(1, settings=Settings(dead_letters=DeadLetters("t", 2)))

    (first,) = take(backlog, 0)
    backlog.refuse(first.ack_id, now=0)
    after_one = backlog.spent()
    take(backlog, 1)
    backlog.expire(1 + DEADLINE_S)
    after_two = backlog.spent()

    assert after_one == []
    assert [(message.id, refusals) for message, refusals in after_two] == [("1", 2)]
    assert backlog.spent() == []
    assert len(backlog) == 1, "it stays until it has been forwarded"


def test_an_ack_id_of_another_subscription_does_nothing() -> None:
    leases = itertools.count(1)
    one, other = Backlog(Settings(), leases), Backlog(Settings(), leases)
    for backlog in (one, other):
        backlog.add(a_message(1), now=0)
    (lease,), _ = take(one, 0), take(other, 0)

    assert not other.acknowledge(lease.ack_id, now=1)
    assert len(other) == 1


@pytest.mark.parametrize("ack_id", ["", "x", "1", "1-", "-1", "1-1-1", "1-1x"])
def test_what_never_was_an_ack_id_is_refused(ack_id: str) -> None:
    with pytest.raises(Refused):
        a_backlog(1).acknowledge(ack_id, now=0)


steps = st.lists(
    st.one_of(
        st.just("add"), st.just("take"), st.just("ack"), st.just("nack"), st.just("extend"),
        st.floats(0, 30),
    ),
    max_size=60,
)  # fmt: skip


@given(steps)
def test_every_message_is_held_until_acknowledged_and_never_leased_twice(
    steps: list[str | float],
) -> None:
    backlog = a_backlog(settings=Settings(retry=Retry(1, 8)))
    now, published = 0.0, 0
    acknowledged: set[str] = set()
    leased: dict[str, tuple[str, float]] = {}

    for step in steps:
        leased = {ack_id: each for ack_id, each in leased.items() if each[1] > now}
        backlog.expire(now)
        if step == "add":
            published += 1
            backlog.add(a_message(published), now)
        elif step == "take":
            for lease in take(backlog, now, limit=2):
                assert lease.message.id not in {message_id for message_id, _ in leased.values()}
                assert lease.message.id not in acknowledged
                leased[lease.ack_id] = (lease.message.id, now + DEADLINE_S)
        elif isinstance(step, float):
            now += step
        elif leased:
            ack_id, (message_id, _) = next(iter(leased.items()))
            if step == "ack":
                assert backlog.acknowledge(ack_id, now)
                acknowledged.add(message_id)
                del leased[ack_id]
            elif step == "nack":
                assert backlog.refuse(ack_id, now)
                del leased[ack_id]
            else:
                assert backlog.extend(ack_id, now, lease_s=20)
                leased[ack_id] = (message_id, now + 20)
        assert len(backlog) == published - len(acknowledged)

    backlog.expire(now + 1_000)
    rest = backlog.take(100, now + 2_000)
    assert {lease.message.id for lease in rest} | acknowledged == {
        str(number) for number in range(1, published + 1)
    }
