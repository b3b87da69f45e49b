"""What people read of events, exactly as they read it, in a wide terminal and in a narrow one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cli.commands.events import show
from cli.events import page
from cli.events.alert_story import stories
from cli.events.life import lives
from cli.events.listing import Listing, Wanted
from cli.events.search import find
from subscriber.progress import Done, Running
from tests.cli.golden import is_golden, kept
from tests.cli.nights import BUSY, Night, a_whole_night
from tests.subscriber.runs import ORDERS
from tests.subscriber.story import a_rule

ROOT = Path(__file__).parents[3]
COLUMNS = (80, 40)

SCENES: dict[str, tuple[str, Callable[[Night], object]]] = {
    "paged": ("100", lambda night: night.pages_updates_and_recovers()),
    "updated": ("101", lambda night: night.pages_updates_and_recovers()),
    "recovered": ("102", lambda night: night.pages_updates_and_recovers()),
    "silenced": ("200", lambda night: night.is_silenced()),
    "refused": ("300", lambda night: night.is_refused_by_people()),
    "busy": ("400", lambda night: night.is_not_delivered_yet()),
    "unmatched": ("500", lambda night: night.matches_nothing()),
    "undecided": ("600", lambda night: night.waits_for_metadata()),
    "held": ("800", lambda night: night.is_held_and_told()),
    "unreadable": ("unreadable/1", lambda night: night.is_unreadable()),
    "refresh-failed": ("700", lambda night: night.fails_to_refresh()),
}


@pytest.fixture(params=COLUMNS)
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("NO_COLOR", "1")
    return int(request.param)


def looked_up(night: Night, name: str) -> None:
    now = night.clock()
    for life in lives(night.ledger, find(night.ledger, name, now).found):
        page.show(life, stories(night.ledger, life), now)


@pytest.mark.parametrize("scene", SCENES)
def test_the_life_of_an_event_reads_well(
    scene: str, columns: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run, happens = SCENES[scene]
    night = Night()
    happens(night)

    looked_up(night, run)

    out = capsys.readouterr().out
    if night.silence:
        out = out.replace(night.silence.id, "5115e9ce")
    assert is_golden(f"event-{scene}.{columns}.txt", out)


def test_a_whole_night_reads_well(columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    night = a_whole_night(Night())
    listing = Listing(night.ledger, Wanted(), night.clock(), limit=20)

    show(list(listing), night.clock())

    assert is_golden(f"events.{columns}.txt", capsys.readouterr().out)


@pytest.mark.parametrize("scene", SCENES)
def test_no_line_is_wider_than_the_terminal_but_for_what_is_copied(
    scene: str, columns: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run, happens = SCENES[scene]
    night = Night()
    happens(night)

    looked_up(night, run)

    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > columns and "://" not in line] == []


def test_what_is_due_and_not_taken_up_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    night = Night().is_not_delivered_yet()
    night.clock.passes(3_600)

    looked_up(night, "400")

    assert "is the subscriber running, and do its ticks come?" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_refresh_that_runs_says_when_it_is_looked_at_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    night = Night()
    night.report.says.extend([Running(), Running(), Done()])
    night.runs.succeeds(700, jobId="8", jobName="Hourly revenue")
    night.story.ticks(after_s=10)

    looked_up(night, "700")

    out = " ".join(capsys.readouterr().out.split())
    assert "report refresh running" in out
    assert "(1 look found it running)" in out


def test_what_is_open_already_names_the_alert(capsys: pytest.CaptureFixture[str]) -> None:
    night = Night()
    night.runs.fails(100, "model.shop.orders")
    night.clock.passes(3_600)
    night.runs.fails(101, "model.shop.orders")

    looked_up(night, "101")

    out = capsys.readouterr().out
    assert "Nothing was sent" in out
    assert "the alert is open already" in out
    assert "oncall  afterrun/1/job/7/100, open for 1 h (2 runs with the problem, 1 node)" in out


def test_an_alert_that_was_opened_later_is_not_what_it_is_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    night = Night()
    for run in (100, 101):
        night.runs.fails(run, ORDERS)
        night.clock.passes(60)
    night.runs.succeeds(102, ORDERS)
    night.runs.fails(103, ORDERS)

    looked_up(night, "101")

    assert "job/7/103" not in capsys.readouterr().out


def test_every_reminder_of_an_alert_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    night = Night().is_held_and_told()
    for _ in range(24):
        night.passes(60)

    looked_up(night, "800")

    alerts = capsys.readouterr().out.partition("Alerts it is about")[2]
    assert alerts.count("remind  run 800") == 25


def test_what_recovered_before_it_went_out_was_not_sent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    night = Night()
    night.story.alerts.failures = [BUSY]
    night.story.people.failures = [BUSY]
    night.runs.fails(100, ORDERS)
    night.runs.succeeds(101, ORDERS)
    night.story.ticks(after_s=10)

    looked_up(night, "100")

    assert "Nothing was sent: it recovered before anything had gone out." in (
        capsys.readouterr().out
    )


def test_an_event_that_nobody_decides_on_is_said_to_be_due(
    capsys: pytest.CaptureFixture[str],
) -> None:
    night = Night().waits_for_metadata()
    night.clock.passes(600)

    looked_up(night, "600")

    out = " ".join(capsys.readouterr().out.split())
    assert "is the subscriber running" in out
    assert "due since 01-05 12:00:35 and not taken up" in out


def test_what_is_replayed_late_has_no_end_in_the_past(capsys: pytest.CaptureFixture[str]) -> None:
    night = Night().is_refused_by_people()
    night.clock.passes(48 * 3_600)
    night.story.people.failures = [BUSY]
    night.ledger.reopen("1/people/job/7/300/open/1", now=night.clock())
    night.story.ticks(after_s=1)

    looked_up(night, "300")

    out = capsys.readouterr().out
    assert "people open  waits since" in out
    assert "tried again" in out
    assert "until 01-06" not in out


def test_an_event_of_many_nodes_is_still_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    night = Night()
    rule = a_rule("each", "oncall", outcome="failed", alert={"per": "node"})
    vars(night.story)["configuration"] = replace(night.story.configuration, rules=(rule,))
    nodes = [f"model.shop.n{n}" for n in range(300)]
    for n in range(15):
        night.runs.fails(100 + n, *nodes[: 20 * (n + 1)])
    night.runs.succeeds(200, *nodes)

    looked_up(night, "200")

    out = capsys.readouterr().out
    assert len(out.splitlines()) < 260
    assert "  and 280 more" in out
    assert "100 more, which the record has no room for" in out


def test_the_page_shows_what_is_really_said() -> None:
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    listed = kept("events.80.txt")

    assert kept("event-refused.80.txt") in page
    assert listed[: listed.index("01-05 14:00")] in page
