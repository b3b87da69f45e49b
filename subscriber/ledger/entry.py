"""A piece of work as every ledger keeps it, and what the contract's calls make of it. Pure.

The ledgers differ in how they make one change at a time; what the change is, is said once, here.
A call that finds its own work done already (the library repeated it after a lost answer) returns
the entry itself: there is nothing to write.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from shared.errors import Mistake, PermanentFailure
from subscriber.ledger.contract import (
    BODY_LIMIT_BYTES,
    KEEP_SETTLED,
    KEY_LIMIT,
    RESULT_LIMIT_BYTES,
    Kind,
    Refusal,
    Work,
)


@dataclass(frozen=True)
class Entry:
    """Work with `body` and `result` as JSON text, and with what only ledgers need to know.

    `is_held`: claimed, and neither settled nor postponed since; the lease may have run out.
    `expire_at`: when it may be forgotten; only settled work has one.
    """

    key: str
    kind: Kind
    body: str
    recorded_at: datetime
    due_at: datetime | None
    owner: str
    attempts: int
    result: str
    is_held: bool = False
    expire_at: datetime | None = None

    @property
    def size_bytes(self) -> int:
        """What the limits count: key, body and result."""
        return len(self.key.encode()) + len(self.body) + len(self.result)

    @classmethod
    def of(cls, work: Work) -> Self:
        """`work` as it is first recorded. Raises PermanentFailure if it is beyond the limits."""
        return cls(
            key=checked_key(work.key),
            kind=work.kind,
            body=encoded_body(work.body),
            recorded_at=work.recorded_at,
            due_at=work.due_at,
            owner=work.owner,
            attempts=work.attempts,
            result=encoded_result(work.result),
            expire_at=work.recorded_at + KEEP_SETTLED if work.is_settled else None,
        )

    def work(self) -> Work:
        """It as work. Raises Mistake if what is kept is no JSON: somebody else has written it."""
        try:
            body, result = decoded(self.body), decoded(self.result)
        except (ValueError, RecursionError):
            raise damaged(self.key) from None
        return Work(
            key=self.key,
            kind=self.kind,
            body=body,
            recorded_at=self.recorded_at,
            due_at=self.due_at,
            owner=self.owner,
            attempts=self.attempts,
            result=result,
        )

    def is_expired(self, now: datetime) -> bool:
        return self.expire_at is not None and self.expire_at <= now

    def claimed(self, owner: str, now: datetime, lease: timedelta) -> Self | Refusal:
        if self.is_expired(now):
            return Refusal.MISSING
        if self.due_at is None:
            return Refusal.SETTLED
        if self.due_at <= now:
            return replace(
                self, due_at=now + lease, owner=owner, is_held=True, attempts=self.attempts + 1
            )
        return self if self._is_held_by(owner) else Refusal.BUSY

    def settled(self, owner: str, now: datetime, result: dict[str, Any]) -> Self | None:
        if self._is_held_by(owner):
            return replace(
                self,
                due_at=None,
                is_held=False,
                result=encoded_result(result),
                expire_at=now + KEEP_SETTLED,
            )
        return self if self.due_at is None and self.owner == owner else None

    def postponed(
        self, owner: str, due_at: datetime, result: dict[str, Any], *, counted: bool
    ) -> Self | None:
        if self._is_held_by(owner):
            return replace(
                self,
                due_at=due_at,
                is_held=False,
                result=encoded_result(result),
                attempts=self.attempts if counted else self.attempts - 1,
            )
        return self if self.due_at == due_at and self.owner == owner else None

    def reopened(self, owner: str, now: datetime) -> Self | None:
        """`owner` is random for each call and holds nothing: it tells whose change it was."""
        if self.due_at is None and not self.is_expired(now):
            return replace(self, due_at=now, owner=owner, attempts=0, expire_at=None)
        return self if self.due_at == now and self.owner == owner else None

    def _is_held_by(self, owner: str) -> bool:
        return self.is_held and self.owner == owner


def checked_key(key: str) -> str:
    """`key`. Raises PermanentFailure if it is too long, or no text that can be written down."""
    if len(key) > KEY_LIMIT:
        raise PermanentFailure(f"a key in the ledger is longer than {KEY_LIMIT} characters")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise PermanentFailure("a key in the ledger holds half a surrogate pair") from None
    return key


def encoded_body(body: dict[str, Any]) -> str:
    """`body` as JSON in ASCII. Raises PermanentFailure beyond BODY_LIMIT_BYTES."""
    return _encoded(body, BODY_LIMIT_BYTES)


def encoded_result(result: dict[str, Any]) -> str:
    """`result` as JSON in ASCII. Raises PermanentFailure beyond RESULT_LIMIT_BYTES."""
    return _encoded(result, RESULT_LIMIT_BYTES)


def damaged(key: str) -> Mistake:
    """What a ledger holds under `key` cannot be read, whoever has written it."""
    return Mistake(f"LEDGER: what it holds as {key} is damaged; restore it, or delete that row")


def decoded(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text)
    return value


def _encoded(value: dict[str, Any], limit_bytes: int) -> str:
    # in ASCII, half a surrogate pair survives (JSON may hold one, UTF-8 may not), and a character
    # is a byte
    text = json.dumps(value, separators=(",", ":"))
    if len(text) > limit_bytes:
        raise PermanentFailure(
            f"too big for the ledger: {len(text)} bytes as JSON, at most {limit_bytes}"
        )
    return text
