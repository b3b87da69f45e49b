"""Silences: what shall not be told for a while, by whom and why.

A silence holds back telling, not recording: runs are decided on as always. A problem that is still
there when the silence ends is told then; what came and went meanwhile is told in one line. A
recovery is never held back: it closes what is open, and wakes nobody.

All silences are one document of the ledger, changed by conditional writes.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.errors import Mistake, TemporaryFailure
from shared.event import RunEvent
from subscriber.ledger.contract import Change, Ledger
from subscriber.patterns import Patterns, parse

KEY = "silences"
VERSION = 1
LENGTH_LIMIT = timedelta(days=30)
COUNT_LIMIT = 200
KEPT = timedelta(days=7)
"""How long a silence is listed after its end."""

RECHECK = timedelta(minutes=5)
"""How soon what is held back is looked at again: a silence may be ended early, or made longer."""

TEXT_LIMIT = 300
MATCHERS = ("destination", "account", "project", "environment", "job", "node")
ATTEMPTS = 20


@dataclass(frozen=True)
class Silence:
    """`matchers` are patterns by MATCHERS, as in a rule; all must match. At least one is given.

    `episode`, if given, is the key of the one episode it is about, and ends the silence with it.
    """

    id: str
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    matchers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    episode: str = ""

    def is_active(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at

    def matches(
        self, event: RunEvent, destination: str, nodes: Collection[str], episode: str
    ) -> bool:
        """Whether it holds back what would be told of `event` there.

        `nodes` are the unique ids that are to be told: a silence of nodes must match every one.
        """
        if self.episode and self.episode != episode:
            return False
        names = {
            "destination": ("", destination),
            "account": (event.account_id, ""),
            "project": (event.project_id, event.project_name),
            "environment": (event.environment_id, event.environment_name),
            "job": (event.job_id, event.job_name),
        }
        for matcher, written in self.matchers.items():
            patterns = Patterns(written)
            if matcher == "node":
                if not nodes or not all(_is_node(patterns, node) for node in nodes):
                    return False
            elif not patterns.match(id=names[matcher][0], name=names[matcher][1]):
                return False
        return True

    def said(self) -> str:
        """Who, until when and why, in one line for people."""
        until = self.ends_at.isoformat(timespec="minutes")
        return f"by {self.author} until {until}: {self.comment} ({self.id})"


def _is_node(patterns: Patterns, unique_id: str) -> bool:
    return patterns.match_any([unique_id, unique_id.split(".", 2)[-1]])


def silencing(
    silences: Iterable[Silence],
    event: RunEvent,
    destination: str,
    nodes: Collection[str],
    episode: str,
    now: datetime,
) -> Silence | None:
    """The active silence that ends last of those which hold this back; None if it may be told."""
    found = [
        silence
        for silence in silences
        if silence.is_active(now) and silence.matches(event, destination, nodes, episode)
    ]
    return max(found, key=lambda silence: silence.ends_at, default=None)


def read(body: Mapping[str, Any]) -> tuple[Silence, ...]:
    """The silences in the ledger's document; raises Mistake if another version wrote it."""
    if body and body.get("version") != VERSION:
        raise Mistake(
            f"LEDGER: its silences were written by another version of the program (this one reads "
            f"{VERSION}); run the program that wrote them"
        )
    return tuple(_silence(each) for each in body.get("silences", ()))


def body(silences: Sequence[Silence]) -> dict[str, Any]:
    """As the ledger keeps them."""
    return {
        "version": VERSION,
        "silences": [
            asdict(each)
            | {"starts_at": each.starts_at.isoformat(), "ends_at": each.ends_at.isoformat()}
            for each in silences
        ],
    }


def ended_with(
    silences: Sequence[Silence], episodes: Collection[str], now: datetime
) -> list[Silence]:
    """The same silences, those bound to one of `episodes` ended now."""
    return [
        replace(each, ends_at=now) if each.episode in episodes and each.is_active(now) else each
        for each in silences
    ]


@dataclass(frozen=True)
class Silences:
    """The silences of a ledger, for whoever makes and ends them. Safe to share and to repeat."""

    ledger: Ledger
    clock: Callable[[], datetime]

    def add(
        self,
        *,
        length: timedelta,
        author: str,
        comment: str,
        matchers: Mapping[str, Any],
        episode: str = "",
    ) -> Silence:
        """Begin a silence now. A second call begins a second one.

        Raises Mistake if it would match everything, is longer than LENGTH_LIMIT, has no author or
        comment, or if COUNT_LIMIT are active; TemporaryFailure if the ledger does not answer.
        """
        now = self.clock()
        silence = Silence(
            id=uuid.uuid4().hex[:8],
            starts_at=now,
            ends_at=now + _length(length),
            author=_line("author", author),
            comment=_line("comment", comment),
            matchers=_matchers(matchers),
            episode=episode,
        )
        if not silence.matchers and not episode:
            raise Mistake(f"a silence needs an episode or one of: {', '.join(MATCHERS)}")

        def added(known: list[Silence]) -> list[Silence]:
            if sum(each.is_active(now) for each in known) >= COUNT_LIMIT:
                raise Mistake(f"{COUNT_LIMIT} silences are active; expire some first")
            return [*known, silence]

        self._change(added)
        return silence

    def listed(self) -> tuple[Silence, ...]:
        """Active silences and those that ended in the last days, the one that ends last first."""
        (subject,) = self.ledger.subjects([KEY])
        return tuple(sorted(read(subject.body), key=lambda each: each.ends_at, reverse=True))

    def expire(self, id: str) -> Silence:  # noqa: A002 - the word for it
        """End a silence now; what it held back is told within RECHECK. Harmless if it has ended.

        Raises Mistake if no silence has this id.
        """
        now = self.clock()

        def ended(known: list[Silence]) -> list[Silence]:
            if not any(each.id == id for each in known):
                raise Mistake(f"no silence has the id {id}")
            return [
                replace(each, ends_at=now) if each.id == id and each.is_active(now) else each
                for each in known
            ]

        return next(each for each in self._change(ended) if each.id == id)

    def _change(self, change: Callable[[list[Silence]], list[Silence]]) -> list[Silence]:
        now = self.clock()
        for _ in range(ATTEMPTS):
            (before,) = self.ledger.subjects([KEY])
            after = [each for each in change(list(read(before.body))) if each.ends_at + KEPT > now]
            if self.ledger.decide([Change(before, body(after))], []):
                return after
        raise TemporaryFailure("others change the silences all the time")


def _silence(kept: Mapping[str, Any]) -> Silence:
    matchers = {name: tuple(written) for name, written in kept["matchers"].items()}
    times = {name: datetime.fromisoformat(kept[name]) for name in ("starts_at", "ends_at")}
    return Silence(**{**kept, **times, "matchers": matchers})


def _length(length: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= length <= LENGTH_LIMIT:
        raise Mistake(f"a silence lasts from a minute to {LENGTH_LIMIT.days} days")
    return length


def _line(name: str, text: str) -> str:
    line = " ".join(text.split())[:TEXT_LIMIT]
    if not line:
        raise Mistake(f"a silence needs its {name}: others will ask")
    return line


def _matchers(matchers: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    unknown = [name for name in matchers if name not in MATCHERS]
    if unknown:
        raise Mistake(f"a silence matches on {', '.join(MATCHERS)}, not on {', '.join(unknown)}")
    try:
        return {name: parse(written).written for name, written in matchers.items()}
    except ValueError as error:
        raise Mistake(str(error)) from None
