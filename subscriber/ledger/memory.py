"""The ledger in memory: for tests and for a first try; gone when the process ends."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import nlargest, nsmallest
from itertools import count, islice
from operator import attrgetter
from typing import Any
from uuid import uuid4

from subscriber.ledger.contract import Change, Kind, Refusal, Settlement, Subject, Work
from subscriber.ledger.decision import Decision, State
from subscriber.ledger.entry import Entry

FORGET_AT_ONCE = 10  # expired entries, and subjects, that a settlement removes; it adds but one


class MemoryLedger:
    """Keeps everything in this process. Bodies go in and out as copies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._settled: deque[Entry] = deque()  # about in the order in which they expire
        self._subjects: dict[str, State] = {}
        self._versions = count(1)
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

    def recorded(self, kind: Kind, *, before: datetime, limit: int) -> Sequence[Work]:
        with self._lock:
            found = [
                entry
                for entry in self._entries.values()
                if entry.kind is kind
                and entry.recorded_at < before
                and not entry.is_expired(before)
            ]
        return [entry.work() for entry in nlargest(limit, found, key=attrgetter("recorded_at"))]

    def reopen(self, key: str, *, now: datetime) -> bool:
        with self._lock:
            entry = self._entries.get(key)
            reopened = entry.reopened(uuid4().hex, now) if entry else None
            if reopened is None:
                return False
            self._entries[key] = reopened
            return True

    def subjects(self, keys: Sequence[str]) -> Sequence[Subject]:
        with self._lock:
            states = [self._subjects.get(key, State(key)) for key in keys]
        return [state.subject() for state in states]

    def decide(
        self, changes: Sequence[Change], due: Sequence[Work], settles: Settlement | None = None
    ) -> bool:
        decision = Decision.of(changes, due, settles)
        with self._lock:
            for state in decision.states:
                if self._subjects.get(state.key, State(state.key)).version != state.version:
                    return False
            if settles is not None:
                entry = self._entries.get(settles.key)
                settled = decision.settled(entry)
                if settled is None:
                    return decision.is_repeated(entry, self._entries.keys())
                self._keep(settled)
                self._forget_expired(settles.now)
            for state in decision.states:
                self._subjects[state.key] = replace(state, version=str(next(self._versions)))
            for entry in decision.due:
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
        expired = (
            key
            for key, state in self._subjects.items()
            if state.expire_at is not None and state.expire_at <= now
        )
        for key in list(islice(expired, FORGET_AT_ONCE)):
            del self._subjects[key]
        for _ in range(min(FORGET_AT_ONCE, len(self._settled))):
            if not self._settled[0].is_expired(now):
                return
            oldest = self._settled.popleft()
            if self._entries.get(oldest.key) is oldest:
                del self._entries[oldest.key]
