"""The ledger in memory: for tests and for a first try; gone when the process ends."""

import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Any

from subscriber.ledger.contract import Refusal, Subject, Work
from subscriber.ledger.entry import Entry, checked_key, decoded, encoded_body

FORGET_AT_ONCE = 10  # expired entries that a settlement removes; it adds but one


class MemoryLedger:
    """Keeps everything in this process. Bodies go in and out as copies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._settled: deque[Entry] = deque()  # about in the order in which they expire
        self._subjects: dict[str, tuple[int, str]] = {}
        self._cooldowns: dict[str, datetime] = {}

    def record(self, work: Work) -> None:
        entry = Entry.of(work)
        with self._lock:
            self._record(entry)

    def claim(self, key: str, *, owner: str, now: datetime, lease: timedelta) -> Work | Refusal:
        with self._lock:
            entry = self._entries.get(key)
            claimed = entry.claimed(owner, now, lease) if entry else Refusal.MISSING
            if isinstance(claimed, Refusal):
                return claimed
            self._entries[key] = claimed
        return claimed.work()

    def settle(self, key: str, *, owner: str, now: datetime, result: dict[str, Any]) -> bool:
        with self._lock:
            entry = self._entries.get(key)
            settled = entry.settled(owner, now, result) if entry else None
            if settled is None:
                return False
            self._keep(settled)
            self._forget_expired(now)
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
        with self._lock:
            entry = self._entries.get(key)
            postponed = entry.postponed(owner, due_at, result, counted=counted) if entry else None
            if postponed is None:
                return False
            self._entries[key] = postponed
            return True

    def due(self, now: datetime, limit: int) -> Sequence[Work]:
        with self._lock:
            due = [
                (entry.due_at, key)
                for key, entry in self._entries.items()
                if entry.due_at is not None and entry.due_at <= now
            ]
            entries = [self._entries[key] for _, key in nsmallest(limit, due)]
        return [entry.work() for entry in entries]

    def work(self, key: str) -> Work | None:
        with self._lock:
            entry = self._entries.get(key)
        return entry.work() if entry else None

    def subject(self, key: str) -> Subject:
        with self._lock:
            version, body = self._subjects.get(key, (0, "{}"))
        return Subject(key, decoded(body), str(version or ""))

    def decide(self, before: Subject, body: dict[str, Any], actions: Sequence[Work]) -> bool:
        key, text = checked_key(before.key), encoded_body(body)
        entries = [Entry.of(action) for action in actions]
        with self._lock:
            version, _ = self._subjects.get(key, (0, ""))
            if before.version != str(version or ""):
                return False
            self._subjects[key] = version + 1, text
            for entry in entries:
                self._record(entry)
            return True

    def cooldown(self, name: str) -> datetime | None:
        with self._lock:
            return self._cooldowns.get(name)

    def cool_down(self, name: str, until: datetime) -> None:
        with self._lock:
            self._cooldowns[name] = max(until, self._cooldowns.get(name, until))

    def check(self) -> None:
        """Memory is always ours to use."""

    def _record(self, entry: Entry) -> None:
        known = self._entries.get(entry.key)
        if known is None or known.is_expired(entry.recorded_at):
            self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        if entry.expire_at is not None:
            self._settled.append(entry)

    def _forget_expired(self, now: datetime) -> None:
        for _ in range(min(FORGET_AT_ONCE, len(self._settled))):
            if not self._settled[0].is_expired(now):
                return
            oldest = self._settled.popleft()
            if self._entries.get(oldest.key) is oldest:
                del self._entries[oldest.key]
