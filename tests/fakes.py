"""Fakes of our own small interfaces, to hand in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pydantic import Field

from shared.errors import Failure, TemporaryFailure
from shared.event import RunEvent
from subscriber.actions import Action, Handle
from subscriber.dead_letter import Message
from subscriber.destination import Destination, Does
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import Outbound
from subscriber.run import Answer, Question


class FakeDbtCloud:
    """Answers what it was told to, and remembers what it was asked."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or Answer()
        self.asked: list[tuple[str, Question]] = []

    def about(self, event: RunEvent, question: Question) -> Answer:
        self.asked.append((event.run_id, question))
        return self.answer


@dataclass
class Received:
    """What fake destinations received, and how they shall fail before."""

    actions: list[Action] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def verbs(self) -> list[str]:
        return [f"{action.verb} {action.episode_key}" for action in self.actions]

    def deliver(self, action: Action) -> Handle:
        if self.failures:
            raise self.failures.pop(0)
        self.actions.append(action)
        return Handle(key=action.episode_key)


class FakeAlerts(Destination):
    """A destination that alerts."""

    does: ClassVar[Does] = Does.ALERT
    repeatable: ClassVar[bool] = True
    received: Any = Field(exclude=True)
    base_url: str = "https://alerts.example"

    @classmethod
    def kind(cls) -> str:
        return cls.__name__

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        handle: Handle = self.received.deliver(action)
        return handle


class FakePeople(FakeAlerts):
    """A destination that tells people."""

    does: ClassVar[Does] = Does.TELL
    repeatable: ClassVar[bool] = False


class FakeReports(FakeAlerts):
    """A destination that refreshes."""

    does: ClassVar[Does] = Does.REFRESH
    repeatable: ClassVar[bool] = False


@dataclass
class FakeDeadLetters:
    """Keeps what is left; fails first as often as it was told to."""

    left: list[tuple[bytes, dict[str, str], str]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def leave(self, data: bytes, attributes: Mapping[str, str], reason: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.left.append((data, dict(attributes), reason))


class UnreachableLedger(MemoryLedger):
    """A ledger whose named methods fail until told otherwise."""

    def __init__(self, *methods: str) -> None:
        super().__init__()
        self.unreachable = set(methods)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("_") and name != "unreachable" and name in self.unreachable:

            def fails(*_: object, **__: object) -> None:
                raise TemporaryFailure("the ledger is away")

            return fails
        return found


class FakeLetters:
    """A subscription of dead letters: leased ones are hidden until they are given back.

    `fails` names what shall fail, by the call's name.
    """

    def __init__(self, *messages: Message) -> None:
        self.kept = {message.id: message for message in messages}
        self.leased: set[str] = set()
        self.pulls = 0
        self.fails: dict[str, Exception] = {}

    def check(self) -> None:
        self._may_fail("check")

    def pull(self, limit: int) -> Sequence[Message]:
        self._may_fail("pull")
        self.pulls += 1
        free = [message for message in self.kept.values() if message.id not in self.leased]
        page = free[: min(limit, 50)]
        self.leased |= {message.id for message in page}
        return [replace(message, lease=message.id) for message in page]

    def give_back(self, leases: Sequence[str]) -> None:
        self._may_fail("give_back")
        self.leased -= set(leases)

    def take_away(self, lease: str) -> None:
        self._may_fail("take_away")
        self.leased.discard(lease)
        del self.kept[lease]

    def _may_fail(self, call: str) -> None:
        if call in self.fails:
            raise self.fails[call]


@dataclass
class FakeTopic:
    """Keeps what is published; fails first as often as it was told to."""

    published: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.published.append((data, dict(attributes)))
