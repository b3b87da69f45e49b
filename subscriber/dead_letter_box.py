"""The box of dead letters: looking at what is in it, and having it dealt with again.

Pub/Sub cannot be read without taking: to look at letters is to lease them and to give them back.
Meanwhile nobody else sees them; who looks at the same time sees the rest. Whatever happens to who
looks, a letter is back after LEASE_S at the latest.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from shared.errors import Failure, Mistake
from subscriber import dead_letter
from subscriber.dead_letter import DeadLetter, Message
from subscriber.dead_letter_replay import Outcome, Replayed, kept, replayed, taken
from subscriber.dead_letter_subscription import LEASE_S, Letters
from subscriber.dead_letters import unmarked
from subscriber.ledger.contract import Work

LOOK_S = 60.0  # no further round is begun after it
ACT_S = LEASE_S - 30.0  # no further letter is replayed after it: its lease might run out meanwhile
HELD_LIMIT = 10_000  # letters a look goes through
REPLAY_LIMIT = 1_000  # letters replayed at once
REPLAY_LIMIT_BYTES = 100_000_000  # of those that are published again


class Reopens(Protocol):
    """What is needed of the ledger; both raise TemporaryFailure or Mistake."""

    def work(self, key: str) -> Work | None:
        """The work recorded as `key`, settled or not."""

    def reopen(self, key: str, *, now: datetime) -> bool:
        """Settled work is due again now, its attempts from 0; False if unknown or not settled."""


class Publishes(Protocol):
    """The topic of events."""

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> None:
        """Return once the message is on the topic; raises a Failure."""


@dataclass(frozen=True)
class Listing:
    """`letters`, the oldest first. With `more` there are others: which is not up to us."""

    letters: Sequence[DeadLetter]
    more: bool


@dataclass(frozen=True)
class Replay:
    """What became of each letter. With `more` there are letters that it did not come to."""

    results: Sequence[Replayed]
    more: bool


@dataclass(frozen=True)
class DeadLetterBox:
    """Each method takes a minute or two at most, and raises Mistake or a Failure where Pub/Sub
    does not let us look: nothing has happened then. All are safe to repeat."""

    letters: Letters
    ledger: Reopens
    events: Publishes
    clock: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic

    def listed(self, limit: int = 100) -> Listing:
        """At most `limit` letters, each once."""
        with self._looking() as look:
            seen = [dead_letter.read(message) for message in look.messages(limit + 1)]
        return Listing(
            sorted(seen, key=_age)[:limit], more=len(seen) > limit or not look.is_complete
        )

    def letter(self, letter_id: str) -> tuple[DeadLetter, bytes] | None:
        """The letter, and what it holds: an action as JSON, or the message as it came.

        None: not found.
        """
        with self._looking() as look:
            for message in look.messages(HELD_LIMIT):
                if message.id == letter_id:
                    return dead_letter.read(message), message.data
        return None

    def data(self, letter_id: str) -> bytes | None:
        """What the letter holds. None: not found."""
        found = self.letter(letter_id)
        return found and found[1]

    def replay(self, ids: Collection[str], *, dry_run: bool = False) -> Replay:
        """Have the letters of these ids dealt with again; all others stay as they are.

        With `dry_run` the results are what would become of each, and nothing is changed.
        """
        wanted = dict.fromkeys(ids)
        found: dict[str, _Found] = {}
        with self._looking() as look:
            for message in look.messages(HELD_LIMIT if wanted else 0):
                if message.id in wanted:
                    found[message.id] = _Found.of(message)
                    if len(found) == len(wanted):
                        break
            results = self._replay(look, found.values(), dry_run=dry_run)
        where = "the dead letters" if look.is_complete else "those that there was time to look at"
        results += [
            Replayed(missing, Outcome.NOT_FOUND, f"it is not among {where}")
            for missing in wanted
            if missing not in found
        ]
        return Replay(results, more=False)

    def replay_all(self, *, dry_run: bool = False) -> Replay:
        """Have what is in the box now dealt with again, the oldest first.

        What becomes a dead letter anew meanwhile is not replayed again. `dry_run`: see `replay`.
        """
        found: list[_Found] = []
        size_bytes = 0
        with self._looking() as look:
            for message in look.messages(REPLAY_LIMIT):
                found.append(_Found.of(message))
                size_bytes += len(found[-1].data)
                if size_bytes >= REPLAY_LIMIT_BYTES:
                    break
            results = self._replay(look, found, dry_run=dry_run)
        return Replay(results, more=not look.is_complete)

    def _replay(
        self, look: "_Look", found: Collection["_Found"], *, dry_run: bool
    ) -> list[Replayed]:
        """Deal with letters that are all leased already: what comes of it is not among them."""
        results: list[Replayed] = []
        reopened: set[str] = set()
        for each in sorted(found, key=lambda each: _age(each.letter)):
            if self.monotonic() - look.began >= ACT_S:
                results.append(kept(each.letter, "there was no time left; replay it again"))
                continue
            try:
                result = self._would(each, reopened) if dry_run else self._one(each, reopened)
            except (Failure, Mistake) as failure:
                result = kept(each.letter, str(failure))
            if result.outcome is Outcome.REOPENED:
                reopened.add(each.letter.key)
            if result.outcome is not Outcome.KEPT and not dry_run:
                result = self._without_letter(look, result)
            results.append(result)
        return results

    def _would(self, found: "_Found", reopened: set[str]) -> Replayed:
        """What would become of a letter, if those before it were replayed as well."""
        letter = found.letter
        if not letter.names_work:
            return Replayed(letter.id, Outcome.PUBLISHED, "published again", letter)
        if letter.key in reopened:
            return taken(letter, "another letter of it was replayed just now")
        return self._by_ledger(letter)

    def _one(self, found: "_Found", reopened: set[str]) -> Replayed:
        letter = found.letter
        result = self._would(found, reopened)
        if result.outcome is Outcome.PUBLISHED:
            self.events.publish(found.data, unmarked(letter.attributes))
        if result.outcome is not Outcome.REOPENED:
            return result
        if self.ledger.reopen(letter.key, now=self.clock()):
            return result
        # it has been reopened by somebody else since, or has been forgotten
        again = self._by_ledger(letter)
        if again.outcome is Outcome.REOPENED:
            return kept(letter, "the ledger has just forgotten it")
        return again

    def _by_ledger(self, letter: DeadLetter) -> Replayed:
        return replayed(letter, self.ledger.work(letter.key), self.clock())

    def _without_letter(self, look: "_Look", result: Replayed) -> Replayed:
        """`result`, its letter taken away; if that fails, a second replay finds what was done."""
        try:
            look.take_away(result.id)
        except (Failure, Mistake) as failure:
            return replace(result, reason=f"{result.reason}; the letter stays: {failure}")
        return result

    @contextmanager
    def _looking(self) -> Iterator["_Look"]:
        self.letters.check()
        look = _Look(self.letters, self.monotonic)
        try:
            yield look
        finally:
            look.give_back()


@dataclass
class _Look:
    """One look at the box. `is_complete` once there was nothing that had not been seen."""

    letters: Letters
    monotonic: Callable[[], float]
    began: float = field(init=False)
    is_complete: bool = False
    _leases: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = self.monotonic()

    def messages(self, limit: int) -> Iterator[Message]:
        """At most `limit` messages, each once however often it is delivered."""
        while len(self._leases) < limit and self.monotonic() - self.began < LOOK_S:
            pulled = self.letters.pull(limit - len(self._leases))
            new = [message for message in pulled if message.id not in self._leases]
            self._leases |= {message.id: message.lease for message in pulled}
            if not new:
                self.is_complete = True
                return
            yield from new

    def take_away(self, letter_id: str) -> None:
        """Never see this message again; raises a Failure, and then it is given back."""
        self.letters.take_away(self._leases[letter_id])
        del self._leases[letter_id]

    def give_back(self) -> None:
        """Let others have all that has not been taken away."""
        if self._leases:
            # if it cannot be done now, their leases run out
            with suppress(Failure, Mistake):
                self.letters.give_back(list(self._leases.values()))


@dataclass(frozen=True)
class _Found:
    """A letter to be replayed, with its data where that is published again."""

    letter: DeadLetter
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, message: Message) -> "_Found":
        letter = dead_letter.read(message)
        return cls(letter, b"" if letter.names_work else message.data)


def _age(letter: DeadLetter) -> tuple[datetime, str]:
    return letter.published_at, letter.id
