"""A decision as every ledger writes it: its texts, checked before anything is written. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from shared.errors import PermanentFailure
from subscriber.ledger.contract import (
    DECISION_LIMIT_BYTES,
    DECISION_LIMIT_WRITES,
    Change,
    Settlement,
    Subject,
    Work,
)
from subscriber.ledger.entry import Entry, checked_key, decoded, encoded_body, encoded_result


@dataclass(frozen=True)
class State:
    """A subject with `body` as JSON text.

    In a store `version` names this state, in a decision the one that it replaces.
    """

    key: str
    version: str = ""
    body: str = "{}"
    expire_at: datetime | None = None

    @classmethod
    def of(cls, change: Change) -> Self:
        """What `change` makes of its subject. Raises PermanentFailure beyond the limits."""
        return cls(
            key=checked_key(change.before.key),
            version=change.before.version,
            body=encoded_body(change.body),
            expire_at=change.expire_at,
        )

    def subject(self) -> Subject:
        return Subject(self.key, decoded(self.body), self.version)

    @property
    def size_bytes(self) -> int:
        return len(self.key.encode()) + len(self.body)


@dataclass(frozen=True)
class Decision:
    """`states` are of different subjects; `due` is of different keys, and never the settled one."""

    states: Sequence[State]
    due: Sequence[Entry]
    settles: Settlement | None

    @classmethod
    def of(cls, changes: Sequence[Change], due: Sequence[Work], settles: Settlement | None) -> Self:
        """Raises ValueError and PermanentFailure as `Ledger.decide` says."""
        states = [State.of(change) for change in changes]
        if len({state.key for state in states}) < len(states):
            raise ValueError("a decision changes a subject twice")
        entries = {entry.key: entry for entry in map(Entry.of, reversed(due))}
        if settles is not None:
            # it is held, so it is recorded
            entries.pop(settles.key, None)
        decision = cls(states, list(entries.values())[::-1], settles)
        decision._check_limits()
        return decision

    def settled(self, entry: Entry | None) -> Entry | None:
        """What becomes of `entry`, the work to settle; None if its owner does not hold it."""
        if self.settles is None or entry is None:
            return None
        after = entry.settled(self.settles.owner, self.settles.now, self.settles.result)
        return None if after is entry else after

    def is_repeated(self, entry: Entry | None, recorded: Collection[str]) -> bool:
        """Whether this has happened before, going by `entry`, the work to settle.

        `recorded` holds the keys of `due` that are recorded. Of a decision with changes the
        subjects tell, so this says no.
        """
        if self.states or self.settles is None or entry is None:
            return False
        return (
            entry.due_at is None
            and entry.owner == self.settles.owner
            and entry.result == encoded_result(self.settles.result)
            and all(work.key in recorded for work in self.due)
        )

    def _check_limits(self) -> None:
        size_bytes = sum(state.size_bytes for state in self.states)
        size_bytes += sum(entry.size_bytes for entry in self.due)
        writes = len(self.states) + len(self.due)
        if self.settles is not None:
            size_bytes += len(self.settles.key.encode())
            size_bytes += len(encoded_result(self.settles.result))
            writes += 1
        if size_bytes > DECISION_LIMIT_BYTES:
            raise PermanentFailure(
                f"a decision too big for the ledger: {size_bytes} bytes, "
                f"at most {DECISION_LIMIT_BYTES}"
            )
        if writes > DECISION_LIMIT_WRITES:
            raise PermanentFailure(
                f"a decision too big for the ledger: {writes} subjects and pieces of work, "
                f"at most {DECISION_LIMIT_WRITES}"
            )
