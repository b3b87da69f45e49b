"""The newest that is recorded, page by page: all of it, each once."""

from datetime import timedelta
from itertools import islice

import pytest

from cli.events.newest import newest, works
from subscriber.ledger.contract import Kind, Work
from subscriber.ledger.memory import MemoryLedger
from tests.builders import NOW

SECOND = timedelta(seconds=1)


def a_ledger(*ages_s: int) -> MemoryLedger:
    ledger = MemoryLedger()
    for number, age in enumerate(ages_s):
        at = NOW - age * SECOND
        ledger.record(Work(f"1/event/{number}", Kind.EVENT, {}, recorded_at=at, due_at=at))
    return ledger


@pytest.mark.parametrize("page", [1, 2, 3, 7, 100])
def test_all_is_read_the_newest_first_each_once(page: int) -> None:
    ages = [0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 5, 5, 5]

    found = list(newest(a_ledger(*ages), Kind.EVENT, NOW, page))

    assert [(NOW - work.recorded_at) // SECOND for work in found] == ages
    assert len({work.key for work in found}) == len(ages)


def test_more_of_one_moment_than_a_page_holds_is_read_too() -> None:
    found = list(newest(a_ledger(*[1] * 50, 2), Kind.EVENT, NOW, 4))

    assert len({work.key for work in found}) == len(found) == 51


def test_no_more_pages_are_read_than_are_come_to() -> None:
    class Counting(MemoryLedger):
        asked = 0

        def recorded(self, *args: object, **told: object) -> list[Work]:
            self.asked += 1
            return list(super().recorded(*args, **told))  # type: ignore[arg-type]

    ledger = Counting()
    for number in range(100):
        at = NOW - number * SECOND
        ledger.record(Work(str(number), Kind.EVENT, {}, recorded_at=at, due_at=at))

    assert len(list(islice(newest(ledger, Kind.EVENT, NOW, 10), 25))) == 25
    assert ledger.asked == 3


def test_what_a_machine_recorded_whose_clock_is_ahead_is_among_them() -> None:
    ledger = a_ledger(-60)

    assert len(list(newest(ledger, Kind.EVENT, NOW))) == 1


def test_works_are_read_by_their_keys() -> None:
    ledger = a_ledger(0, 1)

    found = works(ledger, ["1/event/1", "gone", "1/event/1"])

    assert {key: bool(work) for key, work in found.items()} == {"1/event/1": True, "gone": False}
