"""The life of an event: its record, and all that the ledger holds of what followed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cli.events.newest import works
from cli.events.tellings import Telling, telling
from shared import event as events
from shared.event import RunEvent, UnreadableEvent
from subscriber.ledger.contract import Kind, Ledger, Work

READ_LIMIT = 400  # pieces of work that are read of one life
STEPS = 80  # each leads from what is known to what it names: a reminder to the next one


@dataclass(frozen=True)
class Life:
    """`followed` is what came of the event by key, in the order in which it was found; None where
    the ledger does not hold it (any more). `more` counts what was named and not read.
    """

    work: Work
    event: RunEvent | None
    followed: Mapping[str, Work | None] = field(default_factory=dict)
    more: int = 0

    @property
    def tellings(self) -> Sequence[Telling]:
        """Every action that followed, with what came of it."""
        return [
            telling(key, work, self._follow(work))
            for key, work in self.followed.items()
            if (work.kind if work else _kind(key)) is Kind.ACTION
        ]

    def of_kind(self, kind: Kind) -> Iterator[Work]:
        return (work for work in self.followed.values() if work and work.kind is kind)

    def _follow(self, work: Work | None) -> Work | None:
        return self.followed.get(str(work.result.get("follow", ""))) if work else None


def read(work: Work) -> RunEvent | None:
    """The event in a record; None where it tells of no run."""
    try:
        return events.read(str(work.body.get("event", "")).encode())
    except UnreadableEvent:
        return None


def lives(
    ledger: Ledger, recorded: Sequence[Work], *, limit: int = READ_LIMIT, steps: int = STEPS
) -> list[Life]:
    """The life of each of these events, read together; at most `limit` pieces of work of each."""
    followed: list[dict[str, Work | None]] = [{} for _ in recorded]
    more = [_named(work) for work in recorded]
    for _ in range(steps):
        wanted = [keys[: max(limit - len(known), 0)] for keys, known in _both(more, followed)]
        if not any(wanted):
            break
        found = works(ledger, (key for keys in wanted for key in keys))
        for index, keys in enumerate(wanted):
            followed[index] |= {key: found[key] for key in keys}
            named = [each for key in keys if (held := found[key]) for each in _named(held)]
            rest = [*more[index][len(keys) :], *named]
            more[index] = [each for each in dict.fromkeys(rest) if each not in followed[index]]
    return [
        Life(work, read(work), known, len(left))
        for work, known, left in zip(recorded, followed, more, strict=True)
    ]


def _both(
    more: Sequence[list[str]], followed: Sequence[dict[str, Work | None]]
) -> Iterator[tuple[list[str], dict[str, Work | None]]]:
    return zip(more, followed, strict=True)


def _named(work: Work) -> list[str]:
    """The keys of what followed from a piece of work, as its result names them."""
    result = work.result
    follow = [str(result["follow"])] if result.get("follow") else []
    return [*result.get("actions", ()), *follow, *result.get("timers", ())]


def _kind(key: str) -> Kind:
    """What a key is of that the ledger does not hold any more."""
    if "/timer/" in key:
        return Kind.TIMER
    return Kind.FOLLOW if "/follow/" in key else Kind.ACTION
