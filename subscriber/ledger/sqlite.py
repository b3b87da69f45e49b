"""The ledger in a SQLite file: the default on one machine, for any number of its processes."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from subscriber.ledger.contract import Change, Kind, Refusal, Settlement, Subject, Work
from subscriber.ledger.decision import Decision, State
from subscriber.ledger.entry import Entry, damaged
from subscriber.ledger.sqlite_file import SqliteFile

BUSY_TIMEOUT_S = 5.0
FORGET_AT_ONCE = 10  # expired rows of each table that a settlement removes; it adds but one

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIMES = ("recorded_at", "due_at", "expire_at")


class SqliteLedger:
    """Keeps everything in one file, which is created on first use; its folder must exist."""

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self._file = SqliteFile(path, busy_timeout_s)

    def record(self, work: Work) -> None:
        entry = Entry.of(work)
        with self._file.changing() as connection:
            _record(connection, entry)

    def claim(self, key: str, *, owner: str, now: datetime, lease: timedelta) -> Work | Refusal:
        with self._file.changing() as connection:
            entry = _entry(connection, key)
            claimed = entry.claimed(owner, now, lease) if entry else Refusal.MISSING
            if isinstance(claimed, Refusal):
                return claimed
            _update(connection, claimed)
        return claimed.work()

    def settle(self, key: str, *, owner: str, now: datetime, result: dict[str, Any]) -> bool:
        with self._file.changing() as connection:
            entry = _entry(connection, key)
            settled = entry.settled(owner, now, result) if entry else None
            if settled is None:
                return False
            _update(connection, settled)
            _forget_expired(connection, now)
            return True

    def postpone(
        self,
        key: str,
        *,
        owner: str,
        due_at: datetime,
        result: dict[str, Any],
        counted: bool = True,
    ) -> bool:
        with self._file.changing() as connection:
            entry = _entry(connection, key)
            postponed = entry.postponed(owner, due_at, result, counted=counted) if entry else None
            if postponed is None:
                return False
            _update(connection, postponed)
            return True

    def due(self, now: datetime, limit: int) -> Sequence[Work]:
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM work WHERE due_at <= ? ORDER BY due_at LIMIT ?",
                (_number(now), limit),
            ).fetchall()
        return [_entry_of(row).work() for row in rows]

    def work(self, key: str) -> Work | None:
        with self._file.reading() as connection:
            entry = _entry(connection, key)
        return entry.work() if entry else None

    def recorded(self, kind: Kind, *, before: datetime, limit: int) -> Sequence[Work]:
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM work WHERE kind = :kind AND recorded_at < :before"
                " AND (expire_at IS NULL OR expire_at > :before)"
                " ORDER BY recorded_at DESC LIMIT :limit",
                {"kind": kind, "before": _number(before), "limit": limit},
            ).fetchall()
        return [_entry_of(row).work() for row in rows]

    def reopen(self, key: str, *, now: datetime) -> bool:
        with self._file.changing() as connection:
            entry = _entry(connection, key)
            reopened = entry.reopened(uuid4().hex, now) if entry else None
            if reopened is None:
                return False
            _update(connection, reopened)
            return True

    def subjects(self, keys: Sequence[str]) -> Sequence[Subject]:
        with self._file.reading() as connection:
            states = [_state(connection, key) for key in keys]
        return [state.subject() for state in states]

    def decide(
        self, changes: Sequence[Change], due: Sequence[Work], settles: Settlement | None = None
    ) -> bool:
        decision = Decision.of(changes, due, settles)
        with self._file.changing() as connection:
            for state in decision.states:
                if _state(connection, state.key).version != state.version:
                    return False
            if settles is not None:
                entry = _entry(connection, settles.key)
                settled = decision.settled(entry)
                if settled is None:
                    known = [each.key for each in decision.due if _entry(connection, each.key)]
                    return decision.is_repeated(entry, known)
                _update(connection, settled)
                _forget_expired(connection, settles.now)
            for state in decision.states:
                _write(connection, state)
            for entry in decision.due:
                _record(connection, entry)
            return True

    def cooldown(self, name: str) -> datetime | None:
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT until FROM cooldowns WHERE name = ?", (name,)
            ).fetchone()
        return _time(row["until"]) if row else None

    def cool_down(self, name: str, until: datetime) -> None:
        with self._file.changing() as connection:
            connection.execute(
                "INSERT INTO cooldowns (name, until) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET until = max(until, excluded.until)",
                (name, _number(until)),
            )

    def check(self) -> None:
        with self._file.changing() as connection:
            # a transaction alone writes nothing: a file that is read-only shows itself here
            connection.execute("UPDATE cooldowns SET until = until WHERE name = ''")

    def close(self) -> None:
        """Let go of the file; it is opened again on the next use."""
        self._file.close()


def _entry(connection: sqlite3.Connection, key: str) -> Entry | None:
    row = connection.execute("SELECT * FROM work WHERE key = ?", (key,)).fetchone()
    return _entry_of(row) if row else None


def _record(connection: sqlite3.Connection, entry: Entry) -> None:
    known = _entry(connection, entry.key)
    if known is None or known.is_expired(entry.recorded_at):
        connection.execute(
            "REPLACE INTO work (key, kind, body, recorded_at, due_at, owner, attempts, result,"
            " is_held, expire_at) VALUES (:key, :kind, :body, :recorded_at, :due_at, :owner,"
            " :attempts, :result, :is_held, :expire_at)",
            _row(entry),
        )


def _update(connection: sqlite3.Connection, entry: Entry) -> None:
    connection.execute(
        "UPDATE work SET due_at = :due_at, owner = :owner, attempts = :attempts, result = :result,"
        " is_held = :is_held, expire_at = :expire_at WHERE key = :key",
        _row(entry),
    )


def _forget_expired(connection: sqlite3.Connection, now: datetime) -> None:
    for table in ("work", "subjects"):
        connection.execute(
            f"DELETE FROM {table} WHERE rowid IN"  # noqa: S608 - one of the two above
            f" (SELECT rowid FROM {table} WHERE expire_at <= ? ORDER BY expire_at LIMIT ?)",
            (_number(now), FORGET_AT_ONCE),
        )


def _state(connection: sqlite3.Connection, key: str) -> State:
    row = connection.execute("SELECT * FROM subjects WHERE key = ?", (key,)).fetchone()
    if row is None:
        return State(key)
    return State(row["key"], row["version"], row["body"], _time(row["expire_at"]))


def _write(connection: sqlite3.Connection, state: State) -> None:
    # a subject may be forgotten and come again: a count would name two states alike
    version = uuid4().hex
    connection.execute(
        "REPLACE INTO subjects (key, body, version, expire_at) VALUES (?, ?, ?, ?)",
        (state.key, state.body, version, _number(state.expire_at)),
    )


def _row(entry: Entry) -> dict[str, Any]:
    values = vars(entry)
    return values | {name: _number(values[name]) for name in _TIMES}


def _entry_of(row: sqlite3.Row) -> Entry:
    values = dict(row)
    try:
        values |= {name: _time(values[name]) for name in _TIMES}
        values |= {"kind": Kind(values["kind"]), "is_held": bool(values["is_held"])}
    except (ValueError, TypeError, OverflowError):
        raise damaged(str(values["key"])) from None
    return Entry(**values)


def _number(time: datetime | None) -> int | None:
    """Microseconds since 1970: exact, and in the order of time."""
    return None if time is None else (time - _EPOCH) // _MICROSECOND


def _time(number: int | None) -> datetime | None:
    return None if number is None else _EPOCH + number * _MICROSECOND
