"""The ledger: whether it may be used, and what waits in it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cli.doctor import ledger as looking
from cli.doctor import left_open, sqlite
from cli.doctor.finding import About, Group, State
from subscriber.ledger.contract import Change, Kind, Subject, Work
from subscriber.ledger.memory import MemoryLedger
from subscriber.ledger.sqlite import SqliteLedger
from subscriber.states import job_key
from tests.builders import NOW, a_body, an_event

ABOUT = About(Group.LEDGER, "it")


def a_work(key: str = "k", *, due: timedelta | None = None, outcome: str = "") -> Work:
    due_at = None if due is None else NOW - due
    return Work(key, Kind.ACTION, {}, NOW, due_at, result={"outcome": outcome})


def test_what_waits_for_less_than_ten_minutes_is_well() -> None:
    due = [a_work(due=timedelta(minutes=10))]

    found = looking.judged_due(ABOUT, due, NOW, "", "p")

    assert (found.state, found.said) == (State.OK, "1 due, none of it for long")


def test_what_is_overdue_tells_that_no_ticks_come() -> None:
    due = [a_work(due=timedelta(minutes=75)), a_work(due=timedelta(minutes=11))]

    found = looking.judged_due(ABOUT, due, NOW, "europe-west1", "p")

    assert found.state is State.FAILS
    assert found.said.startswith("2 overdue, the oldest for 1 h 15 min: ticks do not come")
    assert found.mend.startswith(
        "gcloud scheduler jobs describe dbt-cloud-tick --location=europe-west1 --project=p"
    )


def test_what_is_beyond_counting_is_said_so() -> None:
    due = [a_work(due=timedelta(hours=1))] * looking.DUE_LIMIT

    assert looking.judged_due(ABOUT, due, NOW, "", "p").said.startswith("200 or more overdue")


def test_what_was_given_up_is_counted() -> None:
    actions = [a_work(outcome="refused"), a_work(outcome="delivered"), a_work(outcome="refused")]

    found = looking.given_up(ABOUT, actions)

    assert (found.state, found.said, found.mend) == (
        State.WARN,
        "2 of the last 3 actions were given up for good",
        "afterrun dead-letters list",
    )


def test_none_given_up_is_well() -> None:
    assert looking.given_up(ABOUT, [a_work(outcome="delivered")]).state is State.OK


@pytest.fixture
def ledger() -> MemoryLedger:
    kept = MemoryLedger()
    kept.record(Work("e", Kind.EVENT, {"event": a_body().decode()}, NOW, None))
    kept.record(Work("not one", Kind.EVENT, {"message_id": "1"}, NOW, None))
    episode = {
        "destination": "old",
        "subject": "job/7",
        "since": NOW.isoformat(),
        "latest_run": 100,
        "level": "failure",
        "alert": {},
        "told_at": NOW.isoformat(),
        "told_level": None,
        "nodes": {},
        "told_nodes": {},
        "words": None,
    }
    held = {**episode, "destination": "other", "told_at": None}
    body = {"version": 1, "newest_run": 100, "episodes": [episode, held], "words": []}
    kept.decide([Change(Subject(job_key(an_event()), {}), body)], [])
    return kept


def test_an_alert_that_is_open_where_nothing_is_configured_any_more_is_listed(
    ledger: MemoryLedger,
) -> None:
    found = left_open.found(ledger, {"oncall"}, NOW + timedelta(seconds=1))

    assert (found.state, found.said) == (
        State.WARN,
        "job/7 at old: no longer configured; a recovery still closes them",
    )


def test_an_alert_that_is_open_where_it_is_configured_is_counted(ledger: MemoryLedger) -> None:
    found = left_open.found(ledger, {"old"}, NOW + timedelta(seconds=1))

    assert (found.state, found.said) == (
        State.OK,
        "1, by the jobs of the last 2 events; each destination is still configured",
    )


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "afterrun.db"
    made = SqliteLedger(path)
    made.check()
    yield path
    made.close()


def test_a_ledgers_file_may_be_opened(file: Path) -> None:
    assert sqlite.why_not(ABOUT, file, is_named=True) is None


@pytest.mark.parametrize(("is_named", "state"), [(True, State.FAILS), (False, State.SKIPPED)])
def test_a_file_that_is_not_there_or_empty_is_not_made_a_ledger(
    tmp_path: Path, *, is_named: bool, state: State
) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()

    for path in (empty, tmp_path / "none.db"):
        found = sqlite.why_not(ABOUT, path, is_named=is_named)

        assert found is not None
        assert found.state is state
    assert empty.stat().st_size == 0
    assert not (tmp_path / "none.db").exists()


def test_a_file_of_something_else_is_said_to_be_no_ledger(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_text("this is no database, but some text that is long enough to be looked at")

    found = sqlite.why_not(ABOUT, other, is_named=True)

    assert found is not None
    assert "SQLITE_NOTADB" in found.said


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    found = sqlite.why_not(ABOUT, tmp_path / "none" / "afterrun.db", is_named=True)

    assert found is not None
    assert found.mend == f"mkdir -p {tmp_path}/none"


def test_a_path_stands_in_a_command_as_a_shell_has_it(tmp_path: Path) -> None:
    found = sqlite.why_not(ABOUT, tmp_path / "a; touch b" / "afterrun.db", is_named=True)

    assert found is not None
    assert found.mend == f"mkdir -p '{tmp_path}/a; touch b'"
