"""Silences: what shall not be told for a while, by whom and why.

A silence holds back telling, not recording: runs are decided on as always. A problem that is still
there when the silence ends is told then; what came and went meanwhile is told in one line. A
recovery is never held back: it closes what is open, and wakes nobody.

All silences are one document of the ledger, changed by conditional writes.
"""

import json
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.errors import Mistake, TemporaryFailure
from shared.event import RunEvent
from subscriber.diagnosis import clean
from subscriber.ledger.contract import Change, Ledger
from subscriber.patterns import Patterns, parse

KEY = "silences"
VERSION = 1
LENGTH_LIMIT = timedelta(days=30)
COUNT_LIMIT = 200  # active at once
ENDED_LIMIT = 100
KEPT = timedelta(days=7)
"""How long a silence is listed after its end; of many, the last ENDED_LIMIT."""

SIZE_LIMIT_BYTES = 2_500  # of one as JSON: the ledger takes 900,000 for all

RECHECK = timedelta(minutes=4)
"""How soon what is held back is looked at again: a silence may be ended early, or made longer.

With the minute until the next tick, it is told within five.
"""

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
            "account": (event.account_id, ""),
            "project": (event.project_id, event.project_name),
            "environment": (event.environment_id, event.environment_name),
            "job": (event.job_id, event.job_name),
        }
        for matcher, written in self.matchers.items():
            patterns = Patterns(written)
            if matcher == "destination":
                # it has no id: digits are its name
                if not patterns.match_any([destination]):
                    return False
            elif matcher == "node":
                if not nodes or not all(_is_node(patterns, node) for node in nodes):
                    return False
            elif not patterns.match(id=names[matcher][0], name=names[matcher][1]):
                return False
        return True

    def covers(self, other: "Silence") -> bool:
        """Whether it holds back all that `other` does; it may, where this says no."""
        is_as_wide = not self.episode or self.episode == other.episode
        return is_as_wide and self.matchers.items() <= other.matchers.items()

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


def holding(silences: Sequence[Silence], id_: str, now: datetime) -> Silence | None:
    """The active silence for whose end to wait with what the silence `id_` has held back.

    That one, or one that has taken its place; None if it may be told.
    """
    ended = next((each for each in silences if each.id == id_), None)
    if ended is None:
        return None
    found = [each for each in silences if each.is_active(now) and each.covers(ended)]
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

        `matchers` are patterns by MATCHERS, each a text, a number or a list. Raises Mistake if it
        has neither matchers nor an episode or could never match, is longer than LENGTH_LIMIT, has
        no author or comment, is too long as a whole, or if COUNT_LIMIT are active; TemporaryFailure
        if the ledger does not answer.
        """
        now = self.clock()
        silence = Silence(
            id=uuid.uuid4().hex[:8],
            starts_at=now,
            ends_at=now + _length(length),
            author=_line("author", author),
            comment=_line("comment", comment),
            matchers=_matchers(matchers),
            episode=_episode(episode),
        )
        if not silence.matchers and not silence.episode:
            raise Mistake(f"a silence needs an episode or one of: {', '.join(MATCHERS)}")
        if len(json.dumps(body([silence]))) > SIZE_LIMIT_BYTES:
            raise Mistake("a silence is too long to be kept: write globs, or make several")

        def added(known: list[Silence]) -> list[Silence]:
            if sum(each.is_active(now) for each in known) >= COUNT_LIMIT:
                raise Mistake(f"{COUNT_LIMIT} silences are active; expire some first")
            return [*known, silence]

        self._change(added)
        return silence

    def listed(self) -> tuple[Silence, ...]:
        """Active silences and those that ended in the last days, the one that ends last first."""
        (subject,) = self.ledger.subjects([KEY])
        return tuple(_listed(read(subject.body), self.clock()))

    def expire(self, id: str) -> Silence:  # noqa: A002 - the word for it
        """End a silence now; what it held back is told in five minutes. Harmless if it has ended.

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
            after = change(_listed(read(before.body), now))
            if self.ledger.decide([Change(before, body(after))], []):
                return after
        raise TemporaryFailure("others change the silences all the time")


def _listed(silences: Iterable[Silence], now: datetime) -> list[Silence]:
    """Those that are active, and of those that ended lately the last ones."""
    latest_first = sorted(silences, key=lambda each: each.ends_at, reverse=True)
    active = [each for each in latest_first if each.ends_at > now]
    ended = [each for each in latest_first if now - KEPT < each.ends_at <= now]
    return active + ended[:ENDED_LIMIT]


def _silence(kept: Mapping[str, Any]) -> Silence:
    matchers = {name: tuple(written) for name, written in kept["matchers"].items()}
    times = {name: datetime.fromisoformat(kept[name]) for name in ("starts_at", "ends_at")}
    return Silence(**{**kept, **times, "matchers": matchers})


def _length(length: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= length <= LENGTH_LIMIT:
        raise Mistake(f"a silence lasts from a minute to {LENGTH_LIMIT.days} days")
    return length


def _line(name: str, text: str) -> str:
    line = " ".join(clean(text).split())[:TEXT_LIMIT]
    if not line:
        raise Mistake(f"a silence needs its {name}: others will ask")
    return line


def _matchers(matchers: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    unknown = [name for name in matchers if name not in MATCHERS]
    if unknown:
        raise Mistake(f"a silence matches on {', '.join(MATCHERS)}, not on {', '.join(unknown)}")
    return {name: _patterns(name, written) for name, written in matchers.items()}


def _patterns(name: str, written: Any) -> tuple[str, ...]:
    try:
        patterns = parse(written)
    except ValueError as error:
        raise Mistake(f"{name}: {error}") from None
    if patterns.matches_nothing:
        raise Mistake(f"{name}: what is asked for is left out as well, so it can never match")
    if name == "account" and not all(each.removeprefix("!").isdigit() for each in patterns.written):
        raise Mistake("account: an account has no name in an event; write its id")
    return patterns.written


def _episode(key: str) -> str:
    if key and not key.startswith("afterrun/"):
        raise Mistake("an episode is named by its key: afterrun/ACCOUNT/SUBJECT/RUN")
    return key
