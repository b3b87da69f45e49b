"""Finding events: by whatever a person has at hand."""

import pytest

from cli.events.search import Search, find, run_of
from subscriber.ledger.contract import Kind
from tests.builders import a_body
from tests.cli.nights import Night


@pytest.fixture
def night() -> Night:
    night = Night().pages_updates_and_recovers()
    night.fails_to_refresh()
    return night


def ids(search: Search) -> list[str]:
    return [work.key.removeprefix("1/event/") for work in search.found]


def keys(night: Night, kind: Kind) -> list[str]:
    return [w.key for w in night.ledger.recorded(kind, before=night.passes(1).clock(), limit=50)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wev_2", ["wev_2"]),
        ("1/event/wev_2", ["wev_2"]),
        ("101", ["wev_2"]),
        ("1/oncall/job/7/100/update/1", ["wev_2"]),
        ("1/oncall/job/7/100/close/1", ["wev_3"]),
        ("afterrun/1/job/7/100", ["wev_1"]),
        ("1/report/job/8/700/refresh/1", ["wev_4"]),
        ("1/people/refresh/report/700/open/1", ["wev_4"]),
        ("wev_9", []),
        ("999", []),
        ("", []),
        ("a/b/c/d/e/f", []),
    ],
)
def test_an_event_is_found_by(name: str, expected: list[str], night: Night) -> None:
    assert ids(find(night.ledger, name, night.clock())) == expected


def test_what_is_followed_leads_to_the_event_that_started_it(night: Night) -> None:
    (followed,) = keys(night, Kind.FOLLOW)

    assert ids(find(night.ledger, followed, night.clock())) == ["wev_4"]


def test_all_events_of_a_run_are_found_the_first_to_come_first() -> None:
    night = Night().waits_for_metadata()
    night.runs.fails(600, "model.shop.orders", event_id="wev_f")

    assert ids(find(night.ledger, "600", night.clock())) == ["wev_e", "wev_f"]


def test_an_event_that_is_older_than_what_is_searched_is_found_all_the_same(
    night: Night,
) -> None:
    assert ids(find(night.ledger, "wev_1", night.clock(), searched=1)) == ["wev_1"]


def test_a_run_that_is_not_among_what_is_searched_says_so(
    night: Night,
) -> None:
    search = find(night.ledger, "100", night.clock(), searched=2)

    assert (ids(search), search.looked, search.is_whole) == ([], 2, False)


def test_the_account_keeps_others_out(night: Night) -> None:
    night.story.comes(a_body(event_id="wev_2", run_id=101, account_id=2))

    assert [w.key for w in find(night.ledger, "wev_2", night.clock(), "2").found] == [
        "2/event/wev_2"
    ]
    assert [w.key for w in find(night.ledger, "101", night.clock(), "1").found] == ["1/event/wev_2"]


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("70403103", "70403103"),
        ("wev_70403103", ""),
        ("afterrun/1/job/7/100", "100"),
        ("1/oncall/job/7/100/open/1", "100"),
        ("1/people/job/7/100/failed/tell/1", "100"),
        ("1/oncall/node/test.shop.a.1/100/update/2", "100"),
        ("1/event/wev_1", ""),
        ("²", ""),
    ],
)
def test_a_run_is_read_from(name: str, run: str) -> None:
    assert run_of(name) == run
