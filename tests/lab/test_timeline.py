import threading
import time
from datetime import timedelta

from lab.timeline import Moment, Timeline


def test_moments_are_kept_in_the_order_in_which_they_were_seen() -> None:
    timeline = Timeline()

    timeline.saw("dbt Cloud", "run failed", run="1")
    timeline.saw("PagerDuty", "alert opened")

    assert [(m.side, m.what) for m in timeline.moments] == [
        ("dbt Cloud", "run failed"),
        ("PagerDuty", "alert opened"),
    ]
    assert timeline.moments[0].facts == {"run": "1"}


def test_the_time_of_a_moment_is_utc() -> None:
    timeline = Timeline()

    timeline.saw("PagerDuty", "alert opened")

    assert timeline.moments[0].at.utcoffset() == timedelta(0)


def test_each_moment_is_shown_as_it_is_seen() -> None:
    shown: list[Moment] = []
    timeline = Timeline(show=shown.append)

    timeline.saw("PagerDuty", "alert opened")

    assert shown == timeline.moments


def test_what_is_handed_out_does_not_change_any_more() -> None:
    timeline = Timeline()
    before = timeline.moments

    timeline.saw("PagerDuty", "alert opened")

    assert before == []


def test_waiting_ends_when_another_thread_sees_what_is_waited_for() -> None:
    timeline = Timeline()
    is_waited_for = threading.Event()

    def see() -> None:
        is_waited_for.wait(timeout=5)
        timeline.saw("PagerDuty", "alert opened")

    def is_seen(moments: list[Moment]) -> bool:
        is_waited_for.set()
        return bool(moments)

    seer = threading.Thread(target=see)
    seer.start()
    began = time.monotonic()
    seen = timeline.wait(is_seen, timeout_s=5)
    took_s = time.monotonic() - began
    seer.join(timeout=5)

    assert seen
    assert took_s < 4


def test_waiting_for_what_has_been_seen_takes_no_time() -> None:
    timeline = Timeline()
    timeline.saw("PagerDuty", "alert opened")

    assert timeline.wait(lambda moments: moments[0].side == "PagerDuty", timeout_s=0)


def test_waiting_in_vain_ends_too() -> None:
    assert not Timeline().wait(lambda moments: bool(moments), timeout_s=0.01)


def test_moments_of_many_threads_are_all_kept() -> None:
    timeline = Timeline()

    def see_many() -> None:
        for _ in range(100):
            timeline.saw("PagerDuty", "alert opened")

    threads = [threading.Thread(target=see_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert len(timeline.moments) == 400
