"""Which events are listed, and how far back they are looked for."""

from datetime import timedelta

import pytest

from cli.events.listing import Listing, Wanted
from subscriber.patterns import parse
from tests.cli.nights import Night, a_whole_night

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def night() -> Night:
    return a_whole_night(Night())


def listed(night: Night, wanted: Wanted, limit: int = 50) -> tuple[list[str], Listing]:
    listing = Listing(night.ledger, wanted, night.clock(), limit)
    return [each.run for each in listing], listing


@pytest.mark.parametrize(
    ("wanted", "runs"),
    [
        (Wanted(), ["600", "400", "700", "500", "301", "300", "102", "101", "100"]),
        (Wanted(job=parse("hourly*")), ["700"]),
        (Wanted(job=parse(["8", "9"])), ["700"]),
        (Wanted(environment=parse("Staging")), ["500"]),
        (Wanted(environment=parse("!Production")), ["500"]),
        (Wanted(outcomes=["succeeded"]), ["700", "301", "102"]),
        (
            Wanted(outcomes=["failed"], job=parse("7")),
            ["600", "400", "500", "300", "101", "100"],
        ),
        (Wanted(outcomes=["cancelled"]), []),
        (Wanted(problems=True), ["600", "400", "700", "300"]),
        (Wanted(since=timedelta(minutes=30)), ["600", "400", "700", "500", "301"]),
        (Wanted(since=timedelta(minutes=30), problems=True), ["600", "400", "700"]),
    ],
)
def test_what_is_asked_for_is_listed_the_newest_first(
    wanted: Wanted, runs: list[str], night: Night
) -> None:
    found, listing = listed(night, wanted)

    assert found == runs
    assert not listing.has_more


@pytest.mark.parametrize(("limit", "has_more"), [(3, True), (8, True), (9, False), (10, False)])
def test_it_says_whether_there_are_more(limit: int, has_more: bool, night: Night) -> None:  # noqa: FBT001
    found, listing = listed(night, Wanted(), limit)

    assert len(found) == min(limit, 9)
    assert listing.has_more is has_more


def test_of_problems_too_it_says_whether_there_are_more(night: Night) -> None:
    found, listing = listed(night, Wanted(problems=True), 4)

    assert (len(found), listing.has_more) == (4, False)
    assert listed(night, Wanted(problems=True), 3)[1].has_more


def test_it_stops_looking_and_says_how_far_back_it_came() -> None:
    night = Night().pages_updates_and_recovers()

    wanted = Wanted(outcomes=["failed"])
    listing = Listing(night.ledger, wanted, night.clock(), limit=20, looked_limit=2)
    found = [each.run for each in listing]

    assert (found, listing.looked, listing.has_more) == (["101"], 2, True)
    assert listing.since == night.clock() - HOUR
