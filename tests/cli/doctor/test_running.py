"""Checks run at once; what one of them runs into does not concern the others."""

import threading
from collections.abc import Iterable, Iterator

from cli.doctor.finding import About, Finding, Group, State
from cli.doctor.once import Once
from cli.doctor.running import Check, run
from shared.errors import Mistake, PermanentFailure

ABOUT = About(Group.LEDGER, "it")


def a_check(*found: Finding, name: str = "it") -> Check:
    return Check(Group.LEDGER, name, lambda: found)


def test_what_is_found_comes_in_the_order_of_the_checks() -> None:
    second_is_done = threading.Event()

    def first() -> Iterable[Finding]:
        second_is_done.wait(10)
        return [ABOUT.ok("first")]

    def second() -> Iterator[Finding]:
        yield ABOUT.ok("second")
        second_is_done.set()

    found = run([Check(Group.LEDGER, "a", first), Check(Group.LEDGER, "b", second)])

    assert [each.said for each in found] == ["first", "second"]


def test_what_is_raised_is_a_finding_beside_what_was_found_before() -> None:
    def act() -> Iterator[Finding]:
        yield ABOUT.ok("there")
        raise PermanentFailure("refused")

    found = run([Check(Group.LEDGER, "it", act), a_check(ABOUT.ok("well"))])

    assert [(each.state, each.said) for each in found] == [
        (State.OK, "there"),
        (State.FAILS, "refused"),
        (State.OK, "well"),
    ]


def test_a_mistake_is_a_finding_too() -> None:
    def act() -> Iterator[Finding]:
        raise Mistake("LEDGER: wrong")
        yield

    assert [each.said for each in run([Check(Group.LEDGER, "it", act)])] == ["LEDGER: wrong"]


def test_a_check_may_find_nothing() -> None:
    assert run([a_check()]) == []


def test_a_check_that_does_not_end_is_left_behind() -> None:
    ends = threading.Event()

    def act() -> Iterable[Finding]:
        ends.wait(30)
        return []

    found = run([Check(Group.PUBSUB, "slow", act), a_check(ABOUT.ok("well"))], within_s=0.2)
    ends.set()

    assert [(each.name, each.state, each.said) for each in found] == [
        ("slow", State.FAILS, "no answer in 0.2 s"),
        ("it", State.OK, "well"),
    ]


def test_each_is_told_as_it_ends_with_those_still_awaited() -> None:
    heard: list[tuple[list[str], int]] = []

    run(
        [a_check(ABOUT.ok("a")), a_check(ABOUT.ok("b"))],
        lambda found, waiting: heard.append(([each.said for each in found], len(waiting))),
    )

    assert sorted(said for said, _ in heard) == [["a"], ["b"]]
    assert [waiting for _, waiting in heard] == [1, 0]


def test_what_several_need_is_asked_for_once() -> None:
    answers = iter(["first", "second"])
    once = Once(lambda: next(answers))

    assert (once(), once()) == ("first", "first")


def test_a_failure_is_asked_for_once_too() -> None:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        raise PermanentFailure("no")

    once, raised = Once(ask), []
    for _ in range(2):
        try:
            once()
        except PermanentFailure as failure:
            raised.append(str(failure))

    assert (raised, asked) == (["no", "no"], [1])
