"""The ledger of a rehearsal: in memory, quick for a hundred thousand runs, for one thread."""

import heapq
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from subscriber.ledger.contract import Change, Kind, Ledger, Refusal, Settlement, Subject, Work
from subscriber.ledger.memory import MemoryLedger

RECENT = 1_000  # settled events that are still known


class RehearsalLedger(MemoryLedger):
    """Begins as `original` is, which is only read.

    What is due is found without a look at all the rest, and settled events are forgotten once so
    many others came: a rehearsal tells each event once, and nothing refers to one that is settled.
    """

    def __init__(self, original: Ledger | None = None, *, recent: int = RECENT) -> None:
        super().__init__()
        self._recent = recent
        self._original = original
        self._known: set[str] = set()
        self._times: list[tuple[datetime, str]] = []
        """When which key was said to be due: a heap, overtaken times included."""

    def record(self, work: Work) -> None:
        super().record(work)
        self._note(work.key, work.due_at)

    def claim(self, key: str, *, owner: str, now: datetime, lease: timedelta) -> Work | Refusal:
        claimed = super().claim(key, owner=owner, now=now, lease=lease)
        if isinstance(claimed, Work):
            self._note(key, claimed.due_at)
        return claimed

    def postpone(
        self,
        key: str,
        *,
        owner: str,
        due_at: datetime,
        result: dict[str, Any],
        counted: bool = True,
    ) -> bool:
        did = super().postpone(key, owner=owner, due_at=due_at, result=result, counted=counted)
        self._note(key, due_at)
        return did

    def reopen(self, key: str, *, now: datetime) -> bool:
        did = super().reopen(key, now=now)
        self._note(key, now)
        return did

    def decide(
        self, changes: Sequence[Change], due: Sequence[Work], settles: Settlement | None = None
    ) -> bool:
        for work in due if self._original is not None else ():
            # what went out already stays as it is, as it would there
            self._bring(work.key)
        did = super().decide(changes, due, settles)
        for work in due:
            self._note(work.key, work.due_at)
        return did

    def due(self, now: datetime, limit: int) -> Sequence[Work]:
        found: dict[str, tuple[datetime, Work]] = {}
        while self._times and self._times[0][0] <= now and len(found) < limit:
            at, key = heapq.heappop(self._times)
            work = super().work(key)
            if work is not None and work.due_at == at:
                found[key] = at, work
        for key, (at, _) in found.items():
            heapq.heappush(self._times, (at, key))
        return [work for _, work in found.values()]

    def cooldown(self, name: str) -> datetime | None:
        found = super().cooldown(name)
        return found if found or self._original is None else self._original.cooldown(name)

    def work(self, key: str) -> Work | None:
        found = super().work(key)
        return found if found or self._original is None else self._original.work(key)

    def subjects(self, keys: Sequence[str]) -> Sequence[Subject]:
        if self._original is not None and (new := [key for key in keys if key not in self._known]):
            for subject in self._original.subjects(new):
                if subject.version:
                    super().decide([Change(Subject(subject.key, {}), subject.body)], [])
            self._known.update(new)
        return super().subjects(keys)

    def _bring(self, key: str) -> None:
        """Have here what the original has as `key`, unless there is something already."""
        if self._original is not None and (found := self._original.work(key)) is not None:
            self.record(found)

    def _note(self, key: str, at: datetime | None) -> None:
        if at is not None:
            heapq.heappush(self._times, (at, key))

    def _forget_expired(self, now: datetime) -> None:
        # actions stay: an episode's next one may refer to them however long ago they went out
        while len(self._settled) > self._recent:
            oldest = self._settled.popleft()
            if oldest.kind is Kind.EVENT and self._entries.get(oldest.key) is oldest:
                del self._entries[oldest.key]
