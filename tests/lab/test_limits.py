"""A vendor's limit: how many requests a stand-in takes in how long."""

from datetime import timedelta

from lab.limits import Window
from tests.builders import Clock

MINUTE = timedelta(minutes=1)


def test_so_many_are_taken_in_a_stretch_and_no_more() -> None:
    window = Window(2, MINUTE, Clock())

    assert [window.take() for _ in range(3)] == [None, None, MINUTE]


def test_there_is_room_again_when_the_first_is_past() -> None:
    clock = Clock()
    window = Window(2, MINUTE, clock)
    window.take()
    clock.passes(40)
    window.take()

    assert window.take() == timedelta(seconds=20)

    clock.passes(20)
    assert window.take() is None
    assert window.take() == timedelta(seconds=40)


def test_what_was_refused_does_not_count() -> None:
    clock = Clock()
    window = Window(1, MINUTE, clock)
    window.take()
    for _ in range(5):
        window.take()
    clock.passes(60)

    assert window.room_in() is None
    assert window.take() is None
