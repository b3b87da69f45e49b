"""The ledger in Firestore (Native mode): the one for Cloud Run, where no disk is kept.

Every change is one conditional write and no transaction: contended transactions wait for each
other for tens of seconds. A refused write is read again and thought over, which also recognises a
write of ours whose answer was lost.

Bodies and results are JSON in one string field each: any depth, no index entry for each of their
values, and readable in the console.

What a database must have for our queries (`firestore_queries`), and should have so as not to pay
for more, is declared in firestore.indexes.json: composite indexes, TTL policies on
`expire_at`, and fields without an index of their own.

Source: https://cloud.google.com/firestore/docs/ttl
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar
from uuid import uuid4

from shared.errors import Mistake, TemporaryFailure
from subscriber.ledger import firestore_queries as queries
from subscriber.ledger.contract import Change, Kind, Refusal, Settlement, Subject, Work
from subscriber.ledger.decision import Decision, State
from subscriber.ledger.entry import Entry, damaged
from subscriber.ledger.firestore_database import Database, Document
from subscriber.ledger.firestore_queries import WORK
from subscriber.ledger.schema import SCHEMA_VERSION, refusal

SUBJECTS, COOLDOWNS, META = "afterrun_subjects", "afterrun_cooldowns", "afterrun_meta"
CALL_TIMEOUT_S = 5.0
ROUNDS = 10  # each but the last was lost to somebody else's write

_TIMES = ("recorded_at", "due_at", "expire_at")
_Refused = TypeVar("_Refused", Refusal, None)


class FirestoreLedger:
    """Keeps everything in four collections of one database.

    Connects on first use, and looks first whether what is there is ours. With `must_exist`
    it has to be: who only reads then needs no right to write.
    """

    def __init__(
        self,
        project: str,
        database: str,
        emulator_host: str | None = None,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        must_exist: bool = False,
    ) -> None:
        self._store = Database(project, database, emulator_host, timeout_s)
        self._must_exist = must_exist
        self._is_ours = False

    def record(self, work: Work) -> None:
        entry = Entry.of(work)
        known = Document(WORK, entry.key, {})
        for _ in range(ROUNDS):
            additions = _additions([entry], [known])
            if not additions or self._database.write(additions):
                return
            (known,) = self._known([entry])
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
        found = self._database.find(queries.due(now), limit)
        return [_entry(document).work() for document in islice(found, limit)]

    def work(self, key: str) -> Work | None:
        document = self._read(WORK, key)
        return _entry(document).work() if document.version else None

    def recorded(self, kind: Kind, *, before: datetime, limit: int) -> Sequence[Work]:
        entries = map(_entry, self._database.find(queries.recorded(kind, before), limit))
        kept = (entry for entry in entries if not entry.is_expired(before))
        return [entry.work() for entry in islice(kept, limit)]

    def reopen(self, key: str, *, now: datetime) -> bool:
        owner = uuid4().hex
        reopened = self._change(key, lambda entry: entry.reopened(owner, now), missing=None)
        return reopened is not None

    def subjects(self, keys: Sequence[str]) -> Sequence[Subject]:
        documents = self._database.read(SUBJECTS, keys)
        return [
            State(found.key, found.version, found.values.get("body", "{}")).subject()
            for found in documents
        ]

    def decide(
        self, changes: Sequence[Change], due: Sequence[Work], settles: Settlement | None = None
    ) -> bool:
        decision = Decision.of(changes, due, settles)
        # every decision writes its subjects, so the writer of one tells whose write it was
        writer = uuid4().hex
        subjects = [_subject(state, writer) for state in decision.states]
        known = [Document(WORK, entry.key, {}) for entry in decision.due]
        for _ in range(ROUNDS):
            settlement = []
            if settles is not None:
                document = self._read(WORK, settles.key)
                entry = _entry(document) if document.version else None
                settled = decision.settled(entry)
                if settled is None:
                    recorded = [each.key for each in self._known(decision.due) if each.version]
                    return decision.is_repeated(entry, recorded)
                settlement = [replace(document, values=_changed(settled))]
            writes = [*subjects, *settlement, *_additions(decision.due, known)]
            if not writes or self._database.write(writes):
                return True
            found = self._database.read(SUBJECTS, [each.key for each in subjects], ["writer"])
            if found and found[0].values.get("writer") == writer:
                return True
            if [each.version for each in found] != [each.version for each in subjects]:
                return False
            # then it was the settled work, or some of what is due was known already
            known = self._known(decision.due)
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
        ours = Document(META, "schema", {"version": SCHEMA_VERSION})
        if self._must_exist or not self._store.write([ours]):
            (kept,) = self._store.read(META, ["schema"])
            if self._must_exist and not kept.version:
                raise Mistake(
                    "LEDGER: nothing was ever recorded in this Firestore database; name the one "
                    "of the subscriber: firestore:PROJECT/DATABASE"
                )
            version = kept.values.get("version", 0)
            if version != SCHEMA_VERSION:
                raise Mistake(f"LEDGER: the Firestore database: {refusal(version)}")
        self._is_ours = True

    @property
    def _database(self) -> Database:
        """The database, once it has passed the check."""
        if not self._is_ours:
            self.check()
        return self._store

    def _read(self, collection: str, key: str) -> Document:
        return self._database.read(collection, [key])[0]

    def _known(self, entries: Sequence[Entry]) -> list[Document]:
        """What is recorded under the keys of `entries`, as far as `_additions` looks at it."""
        return self._database.read(WORK, [entry.key for entry in entries], ["expire_at"])

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
            if self._database.write([replace(document, values=_changed(after))]):
                return after
        raise _contended()


def _additions(entries: Sequence[Entry], known: Sequence[Document]) -> list[Document]:
    """What to write to have `entries` recorded: those not known, and those long settled."""
    return [
        replace(document, values=_values(entry))
        for entry, document in zip(entries, known, strict=True)
        if not document.version or _is_expired(document, entry.recorded_at)
    ]


def _is_expired(document: Document, now: datetime) -> bool:
    return "expire_at" in document.values and document.values["expire_at"] <= now


def _subject(state: State, writer: str) -> Document:
    values = {"body": state.body, "expire_at": state.expire_at, "writer": writer}
    return Document(SUBJECTS, state.key, values, state.version)


def _values(entry: Entry) -> dict[str, Any]:
    return vars(entry) | {"kind": entry.kind.value}


def _changed(entry: Entry) -> dict[str, Any]:
    """Without what never changes, which is not sent again."""
    values = _values(entry)
    for name in ("kind", "body", "recorded_at"):
        del values[name]
    return values


def _entry(document: Document) -> Entry:
    values = document.values | {
        name: _utc(document.values[name]) if name in document.values else None for name in _TIMES
    }
    try:
        return Entry(**values | {"kind": Kind(values["kind"])})
    except ValueError:
        raise damaged(str(values["key"])) from None


def _utc(time: datetime) -> datetime:
    """`time` as a plain datetime; the library's own counts nanoseconds, which ours never have."""
    return datetime.combine(time.date(), time.time(), UTC)


def _contended() -> TemporaryFailure:
    return TemporaryFailure("Firestore: others keep changing the same documents")
