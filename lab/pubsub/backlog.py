"""What one subscription holds: which messages are due, who leases them, which have had their tries.

Pure: it takes the time (monotonic seconds) and never looks at a clock.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from lab.pubsub import retries
from lab.pubsub.messages import Message
from lab.pubsub.refusals import invalid
from lab.pubsub.settings import Settings

_ACK_ID = re.compile(r"(\d{1,20})-(\d{1,20})")


@dataclass(frozen=True, slots=True)
class Lease:
    """A message handed out once. `attempt` counts from 1, and is 0 without a dead-letter policy."""

    ack_id: str
    message: Message
    attempt: int


@dataclass(slots=True)
class _Held:
    """A message not yet acknowledged: leased until `at` while `lease` is not 0, else due then."""

    message: Message
    added_at: float
    at: float
    lease: int = 0
    refusals: int = 0


class Backlog:
    """The unacknowledged messages of one subscription; `settings` may be replaced at any time."""

    def __init__(self, settings: Settings, leases: Iterator[int]) -> None:
        """`leases` numbers the leases of all subscriptions, so that an ack id fits only one."""
        self.settings = settings
        self._leases = leases
        self._held: dict[int, _Held] = {}
        # both hold entries that are no longer true: those are skipped when they come up
        self._waiting: list[tuple[float, int]] = []
        self._ending: list[tuple[float, int]] = []
        self._spent: list[int] = []
        self._outlived: list[Message] = []

    def __len__(self) -> int:
        return len(self._held)

    def add(self, message: Message, now: float) -> None:
        number = int(message.id)
        self._held[number] = _Held(message, added_at=now, at=now)
        heappush(self._waiting, (now, number))

    def take(
        self, limit: float, now: float, *, lease_s: float = math.inf, limit_bytes: float = math.inf
    ) -> list[Lease]:
        """Lease at most `limit` messages that are due; those beyond their retention are dropped.

        The one whose data reaches `limit_bytes` in all is the last one.
        """
        taken: list[Lease] = []
        size_bytes = 0
        while len(taken) < limit and size_bytes < limit_bytes:
            number = self._first(self._waiting, leased=False)
            if number is None or self._held[number].at > now:
                break
            heappop(self._waiting)
            held = self._held[number]
            if now - held.added_at >= self.settings.retention_s:
                del self._held[number]
                self._outlived.append(held.message)
                continue
            held.lease = next(self._leases)
            held.at = now + lease_s
            if not math.isinf(held.at):
                heappush(self._ending, (held.at, number))
            attempt = held.refusals + 1 if self.settings.dead_letters else 0
            size_bytes += len(held.message.content.data)
            taken.append(Lease(f"{number}-{held.lease}", held.message, attempt))
        return taken

    def acknowledge(self, ack_id: str, now: float) -> bool:
        """Forget the message, unless its lease has run out. Raises Refused for no ack id at all."""
        number = self._leased(ack_id, now)
        if number is None:
            return False
        del self._held[number]
        return True

    def refuse(self, ack_id: str, now: float) -> bool:
        """Have the message sent again when it is due, unless its lease has run out already."""
        number = self._leased(ack_id, now)
        if number is None:
            return False
        self._put_back(number, now)
        return True

    def extend(self, ack_id: str, now: float, *, lease_s: float) -> bool:
        """Let the lease end `lease_s` from now, unless it has run out already."""
        number = self._leased(ack_id, now)
        if number is None:
            return False
        self._held[number].at = now + lease_s
        heappush(self._ending, (now + lease_s, number))
        return True

    def expire(self, now: float) -> None:
        """Refuse what was leased and not settled in time."""
        while (number := self._first(self._ending, leased=True)) is not None:
            if self._held[number].at > now:
                break
            heappop(self._ending)
            self._put_back(number, now)

    def spent(self) -> list[tuple[Message, int]]:
        """What has newly been refused as often as the dead-letter policy allows, and how often."""
        numbers, self._spent = self._spent, []
        found = [self._held[number] for number in numbers if number in self._held]
        return [(held.message, held.refusals) for held in found]

    def outlived(self) -> list[Message]:
        """What has newly been dropped because it was kept for as long as messages are kept."""
        messages, self._outlived = self._outlived, []
        return messages

    def drop(self, message: Message) -> None:
        self._held.pop(int(message.id), None)

    def is_leased(self, ack_id: str, now: float) -> bool:
        return self._leased(ack_id, now) is not None

    def next_due_at(self) -> float:
        """When the next message is due; infinity if none waits."""
        number = self._first(self._waiting, leased=False)
        return math.inf if number is None else self._held[number].at

    def next_end_at(self) -> float:
        """When the next lease ends; infinity if none does."""
        number = self._first(self._ending, leased=True)
        return math.inf if number is None else self._held[number].at

    def _put_back(self, number: int, now: float) -> None:
        held = self._held[number]
        held.lease = 0
        held.refusals += 1
        held.at = now + retries.delay_s(self.settings.retry, held.refusals)
        heappush(self._waiting, (held.at, number))
        policy = self.settings.dead_letters
        if policy is not None and held.refusals >= policy.attempts:
            self._spent.append(number)

    def _leased(self, ack_id: str, now: float) -> int | None:
        parts = _ACK_ID.fullmatch(ack_id)
        if parts is None:
            raise invalid(f"You have passed an invalid ack ID to the service (ack_id={ack_id}).")
        number, lease = int(parts[1]), int(parts[2])
        held = self._held.get(number)
        if held is None or held.lease != lease or lease == 0 or held.at <= now:
            return None
        return number

    def _first(self, heap: list[tuple[float, int]], *, leased: bool) -> int | None:
        while heap:
            at, number = heap[0]
            held = self._held.get(number)
            if held is not None and held.at == at and (held.lease != 0) is leased:
                return number
            heappop(heap)
        return None
