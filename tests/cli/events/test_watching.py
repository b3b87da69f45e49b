"""Watching: what comes is shown once, and again only when something has become of it."""

from datetime import timedelta

from cli.events.listing import Wanted
from cli.events.watching import PATIENCE, Watching
from subscriber.patterns import parse
from subscriber.progress import Done, Running
from tests.cli.nights import BUSY, Night

ORDERS = "model.shop.orders"


def watching(night: Night, **wanted: object) -> Watching:
    made = Watching(night.ledger, Wanted(**wanted), night.clock)  # type: ignore[arg-type]
    made.begin()
    return made


def seen(watching: Watching) -> list[tuple[str, list[str]]]:
    return [(each.run, [str(part) for part in each.parts]) for each in watching.look()]


def test_what_was_there_is_not_news() -> None:
    night = Night().pages_updates_and_recovers()

    assert seen(watching(night)) == []


def test_what_comes_is_shown_once_the_oldest_first() -> None:
    night = Night().pages_updates_and_recovers()
    watch = watching(night)

    night.runs.fails(103, ORDERS)
    night.clock.passes(1)
    night.runs.succeeds(104, ORDERS)

    assert [run for run, _ in seen(watch)] == ["103", "104"]
    assert seen(watch) == []


def test_what_waits_is_shown_anew_when_that_has_changed() -> None:
    night = Night()
    watch = watching(night)
    night.story.alerts.failures = [BUSY]
    night.runs.fails(100, ORDERS)

    assert seen(watch) == [("100", ["oncall open waits", "people open"])]
    assert seen(watch) == []
    night.story.ticks(after_s=5)
    assert seen(watch) == [("100", ["oncall open", "people open"])]
    night.story.ticks(after_s=5)
    assert seen(watch) == []


def test_a_refresh_is_shown_when_it_has_ended() -> None:
    night = Night()
    watch = watching(night)
    night.report.says.extend([Running(), Done()])
    night.runs.succeeds(700, jobId="8", jobName="Hourly revenue")

    assert seen(watch) == [("700", ["report refresh running"])]
    night.story.ticks(after_s=10)
    night.story.ticks(after_s=15)

    assert seen(watch)[-1] == ("700", ["report refresh"])


def test_only_what_is_wanted_is_shown() -> None:
    night = Night()
    watch = watching(night, job=parse("Hourly*"))

    night.runs.fails(100, ORDERS)
    night.runs.fails(101, ORDERS, jobName="Hourly revenue")

    assert [run for run, _ in seen(watch)] == ["101"]


def test_what_becomes_a_problem_later_is_shown_then() -> None:
    night = Night()
    watch = watching(night, problems=True)
    night.report.says.extend([Running()])
    night.runs.succeeds(700, jobId="8", jobName="Hourly revenue")
    assert seen(watch) == []

    night.story.ticks(after_s=3_600)

    assert [run for run, _ in seen(watch)] == ["700"]


def test_more_than_a_page_at_once_is_shown_too() -> None:
    night = Night()
    watch = watching(night)

    for run in range(100, 135):
        night.runs.fails(run, ORDERS)
        night.clock.passes(1)

    assert [run for run, _ in seen(watch)] == [str(run) for run in range(100, 135)]


def test_it_does_not_remember_for_ever() -> None:
    night = Night()
    watch = watching(night)
    for run in range(100, 300):
        night.story.alerts.failures = [BUSY] * 10
        night.runs.fails(run, ORDERS, job_id=run)
        night.clock.passes(30)
        list(watch.look())

    assert len(watch.seen) < 20
    assert len(watch.shown) <= 50
    night.clock.passes((PATIENCE + timedelta(seconds=1)).total_seconds())
    list(watch.look())
    list(watch.look())
    assert watch.shown == {}
