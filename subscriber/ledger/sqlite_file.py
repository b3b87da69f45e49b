"""The SQLite file of a ledger: opened once, ours or refused, changed by one at a time.

Source: https://www.sqlite.org/wal.html
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import Mistake, TemporaryFailure
from subscriber.ledger.schema import SCHEMA_VERSION, refusal

APPLICATION_ID = 0x41465452  # "AFTR", where `file` and SQLite look for whose a file is
SCHEMA = """
CREATE TABLE work (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    due_at INTEGER,
    owner TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    result TEXT NOT NULL,
    is_held INTEGER NOT NULL,
    expire_at INTEGER
);
CREATE INDEX work_due ON work (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX work_expire ON work (expire_at) WHERE expire_at IS NOT NULL;
CREATE INDEX work_recorded ON work (kind, recorded_at);
CREATE TABLE subjects (
    key TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    version TEXT NOT NULL,
    expire_at INTEGER
);
CREATE INDEX subjects_expire ON subjects (expire_at) WHERE expire_at IS NOT NULL;
CREATE TABLE cooldowns (name TEXT PRIMARY KEY, until INTEGER NOT NULL);
"""

_NOT_USABLE = {
    sqlite3.SQLITE_NOTADB: "it is no SQLite file",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; this user must be able to write it",
    sqlite3.SQLITE_READONLY: "it cannot be written; this user must be able to write it",
    sqlite3.SQLITE_PERM: "it cannot be written; this user must be able to write it",
}


class SqliteFile:
    """One connection, opened on first use, that the threads of this process take turns at.

    Turns are short (a commit waits for the disk, reads do not), and a queue of threads at a lock is
    quicker than SQLite's own waiting, which sleeps and tries again; that is left for processes.
    """

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._turn = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All look-ups within see one state as committed."""
        with self._transaction("DEFERRED") as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """What happens within is committed as one at the end, or not at all if something is raised.

        Nobody else, in this process or another, changes the file meanwhile.
        """
        with self._transaction("IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        if not self._turn.acquire(timeout=self._busy_timeout_s):
            raise TemporaryFailure("the ledger's file is busy")
        try:
            connection = self._connection()
            connection.execute(f"BEGIN {kind}")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            if not hasattr(error, "sqlite_errorcode"):
                raise  # a call that SQLite never saw: a bug
            raise self._failure(error) from None
        finally:
            self._turn.release()

    def close(self) -> None:
        with self._turn:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        if not self._path.parent.is_dir():
            raise self._mistake("its folder does not exist; create it, or name another")
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout_s,
            isolation_level=None,  # transactions begin where we say so
            check_same_thread=False,  # the lock sees to it
        )
        connection.row_factory = sqlite3.Row
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # in a transaction: another process may be creating it between one look and the next
        connection.execute("BEGIN")
        is_new = self._is_new(connection)
        connection.execute("COMMIT")
        if is_new:
            self._use_wal(connection)
            connection.execute("BEGIN IMMEDIATE")
            if self._is_new(connection):
                for statement in SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        # a commit returns when it is on the disk: what is acknowledged survives a power cut
        connection.execute("PRAGMA synchronous = FULL")

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Whether the file is empty still. Raises Mistake if it is neither that nor ours."""
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if (application_id, version, tables) == (0, 0, 0):
            return True
        if application_id != APPLICATION_ID:
            raise self._mistake("it belongs to something else; name another file")
        if version != SCHEMA_VERSION:
            raise self._mistake(refusal(version))
        return False

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Readers and the writer no longer wait for each other. Kept in the file, for ever."""
        deadline = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                # here alone SQLite does not wait while another process does the same
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise self._mistake("its file system will not do; name a file on a local disk")

    def _failure(self, error: sqlite3.Error) -> Mistake | TemporaryFailure:
        primary = error.sqlite_errorcode & 0xFF  # the other bits say more of the same
        if primary in _NOT_USABLE:
            return self._mistake(_NOT_USABLE[primary])
        return TemporaryFailure(f"the ledger's file: {error.sqlite_errorname}")

    def _mistake(self, what: str) -> Mistake:
        return Mistake(f"LEDGER: {self._path}: {what}")
