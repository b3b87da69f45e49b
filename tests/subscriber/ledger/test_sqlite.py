"""What a file adds: several processes, one of them killed, files that are not ours."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import Mistake, TemporaryFailure
from subscriber.ledger.contract import KEEP_SETTLED, Change, Settlement, Subject, Work
from subscriber.ledger.sqlite import FORGET_AT_ONCE, SqliteLedger
from tests.subscriber.ledger.builders import LEASE, NOW, SECOND, seen, some_work
from tests.subscriber.ledger.contenders import all_act_once, all_decisions_count, contender


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    with closing(SqliteLedger(path, busy_timeout_s=0.2)) as ledger:
        yield ledger


@pytest.fixture
def other(path: Path, ledger: SqliteLedger) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection to the file."""
    ledger.check()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize("contend", [all_act_once, all_decisions_count])
def test_processes_that_create_one_file_and_contend_for_it_lose_nothing_and_do_nothing_twice(
    path: Path, ledger: SqliteLedger, contend: Callable[..., None]
) -> None:
    contend(ledger, "sqlite", str(path))


def test_a_process_killed_in_the_middle_of_a_claim_has_claimed_nothing(
    path: Path, ledger: SqliteLedger
) -> None:
    ledger.record(some_work())
    with contender("is-stuck", "1", "sqlite", str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stuck\n"
        with pytest.raises(TemporaryFailure):
            ledger.claim("work", owner="me", now=NOW, lease=LEASE)

        process.kill()
        process.wait()

    work = ledger.claim("work", owner="me", now=NOW, lease=LEASE)
    assert isinstance(work, Work)
    assert work.attempts == 1


def test_what_was_recorded_is_there_when_the_file_is_opened_again(
    path: Path, ledger: SqliteLedger
) -> None:
    ledger.record(some_work())
    ledger.close()

    with closing(SqliteLedger(path)) as again:
        assert again.work("work") == some_work()


@pytest.mark.parametrize(
    "change", ["body = '{'", "result = 'x'", "kind = 'wish'", "recorded_at = 9223372036854775807"]
)
def test_what_somebody_has_damaged_is_named(
    ledger: SqliteLedger, other: sqlite3.Connection, change: str
) -> None:
    ledger.record(some_work())
    other.execute(f"UPDATE work SET {change}")  # noqa: S608 - one of the four above

    with pytest.raises(Mistake, match="LEDGER: what it holds as work is damaged"):
        ledger.work("work")


def test_nothing_is_created_before_the_first_use(path: Path, ledger: SqliteLedger) -> None:
    assert not path.exists()

    ledger.check()

    assert path.exists()


def test_a_file_that_is_busy_for_too_long_is_a_reason_to_try_again(
    ledger: SqliteLedger, other: sqlite3.Connection
) -> None:
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryFailure, match="SQLITE_BUSY"):
        ledger.record(some_work())
    other.execute("ROLLBACK")

    ledger.record(some_work())

    assert ledger.work("work") == some_work()


def test_reading_does_not_wait_for_who_writes(
    ledger: SqliteLedger, other: sqlite3.Connection
) -> None:
    ledger.record(some_work())
    other.execute("BEGIN EXCLUSIVE")
    other.execute("DELETE FROM work")

    assert ledger.work("work") == some_work()
    assert ledger.due(NOW, 10) == [some_work()]


def test_a_decision_that_fails_halfway_leaves_nothing(
    ledger: SqliteLedger, other: sqlite3.Connection
) -> None:
    refuse = "CREATE TRIGGER no BEFORE INSERT ON work BEGIN SELECT RAISE(ABORT, 'no'); END"
    other.execute(refuse)

    with pytest.raises(TemporaryFailure):
        ledger.decide([Change(seen(ledger, "job/17"), {"episode": "open"})], [some_work()])

    assert seen(ledger, "job/17").version == ""


def test_expired_work_is_removed_a_little_with_each_settlement(
    ledger: SqliteLedger, other: sqlite3.Connection
) -> None:
    for number in range(FORGET_AT_ONCE + 1):
        ledger.record(some_work(f"old/{number}", due_at=None))
    end = NOW + KEEP_SETTLED
    for number, left in enumerate((1, 0)):
        ledger.record(some_work(f"new/{number}", recorded_at=end))
        ledger.claim(f"new/{number}", owner="me", now=end, lease=LEASE)

        ledger.settle(f"new/{number}", owner="me", now=end, result={})

        count = other.execute("SELECT count(*) FROM work WHERE key LIKE 'old/%'").fetchone()
        assert count == (left,)


def test_expired_subjects_are_removed_a_little_with_each_settlement(
    ledger: SqliteLedger, other: sqlite3.Connection
) -> None:
    for number in range(FORGET_AT_ONCE + 1):
        ledger.decide([Change(Subject(f"old/{number}", {}), {}, expire_at=NOW)], [])
    ledger.decide([Change(Subject("later", {}), {}, expire_at=NOW + SECOND)], [])
    ledger.decide([Change(Subject("never", {}), {})], [])
    for number, left in enumerate((1, 0)):
        ledger.record(some_work(f"new/{number}"))
        ledger.claim(f"new/{number}", owner="me", now=NOW, lease=LEASE)

        ledger.decide([], [], Settlement(f"new/{number}", "me", NOW, {}))

        count = other.execute("SELECT count(*) FROM subjects").fetchone()
        assert count == (left + len(["later", "never"]),)


def test_a_file_of_something_else_is_refused_and_left_alone(
    path: Path, ledger: SqliteLedger
) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE customers (name TEXT)")
    before = path.read_bytes()

    with pytest.raises(Mistake, match="something else"):
        ledger.check()

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("version", "way_out"),
    [
        (1, "older version of the program.* name a new ledger, and close by hand"),
        (3, "newer version of the program: run the program that wrote it"),
    ],
    ids=["older", "newer"],
)
def test_a_file_of_another_version_is_refused_with_the_way_out_and_left_alone(
    path: Path, ledger: SqliteLedger, other: sqlite3.Connection, version: int, way_out: str
) -> None:
    other.execute(f"PRAGMA user_version = {version}")
    ledger.close()

    with pytest.raises(Mistake, match=f"ledger.db: its version is {version}, .*{way_out}"):
        ledger.record(some_work())

    assert other.execute("SELECT count(*) FROM work").fetchone() == (0,)


def test_a_file_that_is_no_database_is_refused(path: Path, ledger: SqliteLedger) -> None:
    path.write_text("rules: []\n" * 100)

    with pytest.raises(Mistake, match="no SQLite file"):
        ledger.check()


def test_a_folder_in_the_place_of_the_file_is_a_mistake(path: Path, ledger: SqliteLedger) -> None:
    path.mkdir()

    with pytest.raises(Mistake, match="cannot be opened"):
        ledger.check()


def test_a_missing_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="folder does not exist"):
        SqliteLedger(tmp_path / "missing" / "ledger.db").check()


def test_an_empty_file_becomes_a_ledger(path: Path, ledger: SqliteLedger) -> None:
    path.touch()

    ledger.record(some_work())

    assert ledger.work("work") == some_work()
