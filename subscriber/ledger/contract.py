"""The ledger: what was recorded, what is due and when, who has claimed it, and what came of it.

Everything that must not be lost or done twice goes through here. A piece of work (an event to
decide on, an action to deliver) is recorded, claimed with a lease, acted on, and only then
settled. A claim whose lease ran out, because its owner died or was too slow, is due again.

`due_at` is the whole state of a piece of work: a time in the past means due, a time in the future
means waiting or leased, None means settled. Thus one ordered look-up finds all that is due.

A claim is held until it is settled or postponed, or until somebody else is granted the work: an
owner that is merely late may still settle.

What is remembered between pieces of work is kept as subjects (a job, a node, a silence). They are
read together, as of one moment, and changed together with the work that follows: one decision, all
of it or nothing, and only if none of them has changed since.

Times are aware and UTC, and always handed in. All methods are safe to call from several threads
and processes at once; all raise TemporaryFailure when the ledger cannot be reached or is busy for
longer than a few seconds, and then nothing or all of the call has happened. All raise Mistake when
the store is not ours to use (see `check`), and PermanentFailure, before anything is written, for
what is beyond the limits below. What is no longer needed (settled work, subjects that expire) is
removed by the store some time after its time is up, and reads as it is until then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

KEEP_SETTLED = timedelta(days=30)
"""How long settled work is kept, to recognise duplicates and to answer what happened.

After it, work counts as never recorded; the store removes it some time later.
"""

KEY_LIMIT = 1_500
"""Characters of a key; keys are text of any kind, slashes included."""

BODY_LIMIT_BYTES = 900_000
"""Size of a body as JSON in ASCII; Firestore takes 1 MiB a document."""

RESULT_LIMIT_BYTES = 100_000
"""Size of a result as JSON in ASCII."""

DECISION_LIMIT_BYTES = 9_000_000
"""Size of all keys, bodies and results of a decision; Firestore takes 10 MiB a commit."""

DECISION_LIMIT_WRITES = 500
"""Subjects and pieces of work that a decision writes; Firestore takes as many a commit."""


class Kind(StrEnum):
    EVENT = "event"
    ACTION = "action"
    TIMER = "timer"
    """Subjects to look at again when it is due."""
    FOLLOW = "follow"
    """A refresh that was started, to be looked at until it ends."""


@dataclass(frozen=True)
class Work:
    """A piece of work. `body` is JSON (what it takes to do it), `result` what came of it.

    `attempts` counts the claims; `owner` is who holds or last held it.
    """

    key: str
    kind: Kind
    body: dict[str, Any]
    recorded_at: datetime
    due_at: datetime | None
    owner: str = ""
    attempts: int = 0
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        return self.due_at is None


class Refusal(StrEnum):
    """Why a claim was not granted."""

    SETTLED = "settled"
    BUSY = "busy"
    """Somebody else's lease runs, or it is not due yet."""
    MISSING = "missing"
    """No such work is recorded (or it was settled more than KEEP_SETTLED ago)."""


@dataclass(frozen=True)
class Subject:
    """What is remembered of one subject (a job): one document, changed by decisions only.

    `body` is JSON. `version` names the state that was read, and no other one of this subject ever;
    "" means that nothing is remembered.
    """

    key: str
    body: dict[str, Any]
    version: str = ""


@dataclass(frozen=True)
class Change:
    """A subject as it was read, and what it becomes.

    From `expire_at` on the store may forget the subject; None: never. Each change says it anew.
    """

    before: Subject
    body: dict[str, Any]
    expire_at: datetime | None = None


@dataclass(frozen=True)
class Settlement:
    """Work that a decision settles: by whom it is held, and what came of it."""

    key: str
    owner: str
    now: datetime
    result: dict[str, Any]


class Ledger(Protocol):
    def record(self, work: Work) -> None:
        """Keep `work` unless its key is known already, settled or not. Safe to repeat.

        Work without `due_at` is settled from the beginning.
        """

    def claim(self, key: str, *, owner: str, now: datetime, lease: timedelta) -> Work | Refusal:
        """Take the work `key` if it is due: it becomes due again at `now + lease`.

        Exactly one of many simultaneous claims is granted, whose Work (with `attempts` counted up)
        is returned. `owner` is random for each claim: repeated by the library after a lost answer,
        the call recognises its own claim.
        """

    def settle(self, key: str, *, owner: str, now: datetime, result: dict[str, Any]) -> bool:
        """It is done, or given up: never due again. False if `owner` no longer holds it."""

    def postpone(
        self,
        key: str,
        *,
        owner: str,
        due_at: datetime,
        result: dict[str, Any],
        counted: bool = True,
    ) -> bool:
        """Let go of a claim; due again at `due_at`. `result` says why, for people.

        With `counted=False` the attempt does not count (nothing was tried). False if `owner` no
        longer holds it.
        """

    def due(self, now: datetime, limit: int) -> Sequence[Work]:
        """At most `limit` pieces of work that are due, the longest due first; claims nothing."""

    def work(self, key: str) -> Work | None:
        """The work recorded as `key`, settled or not; possibly still after KEEP_SETTLED."""

    def recorded(self, kind: Kind, *, before: datetime, limit: int) -> Sequence[Work]:
        """At most `limit` pieces of work recorded before that time, the newest recorded first.

        Settled or not, without what has expired by `before`. In no order among what was recorded
        at one moment, as the actions of a decision are.
        """

    def reopen(self, key: str, *, now: datetime) -> bool:
        """Settled work is due now, as if never attempted; its result is kept until the next.

        False if it is not settled or not known. After a lost answer the call recognises its own
        write, unless somebody has claimed the work since: then False as well.
        """

    def subjects(self, keys: Sequence[str]) -> Sequence[Subject]:
        """What is remembered of each, in their order, all as of one moment.

        The body is empty where nothing is remembered.
        """

    def decide(
        self, changes: Sequence[Change], due: Sequence[Work], settles: Settlement | None = None
    ) -> bool:
        """Write every subject, record `due` and settle, all or nothing.

        Only if every subject is still as it was read, and the settled work still held by its owner:
        else False, and nothing has happened; read again and decide again. Work of `due` whose key
        is recorded already stays as it is; of two with one key the first counts.

        Recognises its own write when the library repeats it after a lost answer; only if somebody
        else has changed its first subject since is such a write answered with False, and then it is
        seen when read again. A decision without changes that repeats a settlement (same owner, same
        result, all of `due` recorded) is the same decision, and True.

        Raises ValueError for a subject that is changed twice, PermanentFailure beyond
        DECISION_LIMIT_BYTES or DECISION_LIMIT_WRITES: nothing is written then.
        """

    def cooldown(self, name: str) -> datetime | None:
        """Until when `name` (a host) wants to be left alone; None or a time past: it does not."""

    def cool_down(self, name: str, until: datetime) -> None:
        """Leave `name` alone until then; never shortens a longer one. Safe to repeat."""

    def check(self) -> None:
        """Raise Mistake if the store is not ours to use: wrong version, no right to write."""
