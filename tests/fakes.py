"""Fakes of our own small interfaces, to hand in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import Field

from shared.errors import Failure, TemporaryFailure
from shared.event import RunEvent
from subscriber.actions import Action, Handle
from subscriber.destination import Destination, Does
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import Outbound
from subscriber.run import Answer


class FakeDbtCloud:
    """Answers what it was told to, and remembers what it was asked."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or Answer()
        self.asked: list[tuple[str, bool]] = []

    def about(self, event: RunEvent, *, diagnose: bool) -> Answer:
        self.asked.append((event.run_id, diagnose))
        return self.answer


@dataclass
class Received:
    """What fake destinations received, and how they shall fail before."""

    actions: list[Action] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

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

    def deliver(self, action: Action, outbound: Outbound, opened: Handle | None = None) -> Handle:
        handle: Handle = self.received.deliver(action)
        return handle


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
