"""The ledger in Firestore (Native mode): the one for Cloud Run, where no disk is kept.

Every change is one conditional write and no transaction: contended transactions wait for each
other for tens of seconds. A refused write is read again and thought over, which also recognises a
write of ours whose answer was lost.

Bodies and results are JSON in one string field each: any depth, no index entry for each of their
values, and readable in the console.

No composite index is needed. What a database should have, for the collection afterrun_work: a TTL
policy on `expire_at`, and no index on `body`, `result` and `expire_at` (nor on `body` of
afterrun_subjects), which would cost time and room for nothing. `due_at` must keep its index.

Source: https://cloud.google.com/firestore/docs/ttl
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from shared.errors import Mistake, TemporaryFailure
from subscriber.ledger.contract import Kind, Refusal, Subject, Work
from subscriber.ledger.entry import Entry, checked_key, decoded, encoded_body
from subscriber.ledger.firestore_database import Database, Document

WORK, SUBJECTS = "afterrun_work", "afterrun_subjects"
COOLDOWNS, META = "afterrun_cooldowns", "afterrun_meta"
SCHEMA_VERSION = 1
CALL_TIMEOUT_S = 5.0
ROUNDS = 10  # each but the last was lost to somebody else's write

_TIMES = ("recorded_at", "due_at", "expire_at")
_Refused = TypeVar("_Refused", Refusal, None)


class FirestoreLedger:
    """Keeps everything in four collections of one database. Connects on first use."""

    def __init__(
        self,
        project: str,
        database: str,
        emulator_host: str | None = None,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        self._database = Database(project, database, emulator_host, timeout_s)

    def record(self, work: Work) -> None:
        entry = Entry.of(work)
        known = Document(WORK, entry.key, {})
        for _ in range(ROUNDS):
            additions = _additions([entry], [known])
            if not additions or self._database.write(additions):
                return
            known = self._read(WORK, entry.key)
        raise _contended()

    def claim(self, key: str, *, owner: str, now: datetime, lease: timedelta) -> Work | Refusal:
        claimed = self._change(
            key, lambda entry: entry.claimed(owner, now, lease), missing=Refusal.MISSING
        )
        return claimed if isinstance(claimed, Refusal) else claimed.work()

    def settle(self, key: str, *, owner: str, now: datetime, result: dict[str, Any]) -> bool:
        settled = self._change(key, lambda entry: entry.settled(owner, now, result), missing=None)
        return settled is not None

    def postpone(
        self,
        key: str,
        *,
        owner: str,
        due_at: datetime,
        result: dict[str, Any],
        counted: bool = True,
    ) -> bool:
        postponed = self._change(
            key,
            lambda entry: entry.postponed(owner, due_at, result, counted=counted),
            missing=None,
        )
        return postponed is not None

    def due(self, now: datetime, limit: int) -> Sequence[Work]:
        return [
            _entry(document).work() for document in self._database.until(WORK, "due_at", now, limit)
        ]

    def work(self, key: str) -> Work | None:
        document = self._read(WORK, key)
        return _entry(document).work() if document.version else None

    def subject(self, key: str) -> Subject:
        document = self._read(SUBJECTS, key)
        return Subject(key, decoded(document.values.get("body", "{}")), document.version)

    def decide(self, before: Subject, body: dict[str, Any], actions: Sequence[Work]) -> bool:
        # no two decisions write the same document, so its writer tells whose write it was
        writer = uuid4().hex
        subject = Document(
            SUBJECTS,
            checked_key(before.key),
            {"body": encoded_body(body), "writer": writer},
            before.version,
        )
        entries = list({entry.key: entry for entry in map(Entry.of, reversed(actions))}.values())
        known = [Document(WORK, entry.key, {}) for entry in entries]
        for _ in range(ROUNDS):
            if self._database.write([subject, *_additions(entries, known)]):
                return True
            found = self._read(SUBJECTS, before.key)
            if found.values.get("writer") == writer:
                return True
            if found.version != before.version:
                return False
            # then some action was known already; it stays as it is
            known = self._database.read(WORK, [entry.key for entry in entries])
        raise _contended()

    def cooldown(self, name: str) -> datetime | None:
        until = self._read(COOLDOWNS, name).values.get("until")
        return None if until is None else _utc(until)

    def cool_down(self, name: str, until: datetime) -> None:
        for _ in range(ROUNDS):
            known = self._read(COOLDOWNS, name)
            if known.version and known.values["until"] >= until:
                return
            if self._database.write([replace(known, values={"until": until})]):
                return
        raise _contended()

    def check(self) -> None:
        # tried each time: who may not write is refused before it matters that it is there
        if self._database.write([Document(META, "schema", {"version": SCHEMA_VERSION})]):
            return
        version = self._read(META, "schema").values.get("version")
        if version != SCHEMA_VERSION:
            raise Mistake(
                f"LEDGER: the Firestore database holds version {version} of the ledger, this "
                f"program reads {SCHEMA_VERSION}; run the program that wrote it, or name another"
            )

    def _read(self, collection: str, key: str) -> Document:
        return self._database.read(collection, [key])[0]

    def _change(
        self, key: str, change: Callable[[Entry], Entry | _Refused], *, missing: _Refused
    ) -> Entry | _Refused:
        for _ in range(ROUNDS):
            document = self._read(WORK, key)
            if not document.version:
                return missing
            before = _entry(document)
            after = change(before)
            if not isinstance(after, Entry) or after is before:
                return after
            values = _values(after)
            # what never changes is not sent again
            for name in ("kind", "body", "recorded_at"):
                del values[name]
            if self._database.write([replace(document, values=values)]):
                return after
        raise _contended()


def _additions(entries: Sequence[Entry], known: Sequence[Document]) -> list[Document]:
    """What to write to have `entries` recorded: those not known, and those long settled."""
    return [
        replace(document, values=_values(entry))
        for entry, document in zip(entries, known, strict=True)
        if not document.version or _entry(document).is_expired(entry.recorded_at)
    ]


def _values(entry: Entry) -> dict[str, Any]:
    return vars(entry) | {"kind": entry.kind.value}


def _entry(document: Document) -> Entry:
    values = document.values | {
        name: _utc(document.values[name]) if name in document.values else None for name in _TIMES
    }
    return Entry(**values | {"kind": Kind(values["kind"])})


def _utc(time: datetime) -> datetime:
    """`time` as a plain datetime; the library's own counts nanoseconds, which ours never have."""
    return datetime.combine(time.date(), time.time(), UTC)


def _contended() -> TemporaryFailure:
    return TemporaryFailure("Firestore: others keep changing the same documents")
