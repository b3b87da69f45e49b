"""A subscriber put together from fakes, for tests that tell a story."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import SecretStr

from shared.secret_refs import Secret
from subscriber.configuration import Configuration, DbtCloudSettings
from subscriber.decisions import Decisions
from subscriber.deliveries import Deliveries
from subscriber.ledger.contract import Ledger
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import Outbound
from subscriber.owners import Owner
from subscriber.process import Processor
from subscriber.rules import Override, Rule
from subscriber.waking import Waking
from tests.builders import Clock, a_message, a_tick
from tests.fakes import (
    FakeAlerts,
    FakeDbtCloud,
    FakeDeadLetters,
    FakePeople,
    FakeReports,
    Received,
)

MISSING = object()


def a_rule(
    name: str,
    then: str,
    *,
    alert: object = MISSING,
    words: Any = None,
    **when: object,
) -> Rule:
    """`words` are its title, its note, its severity."""
    settings = {} if alert is MISSING else {"alert": alert}
    written = {"name": name, "when": when, "then": [then], **settings, **(words or {})}
    return Rule.model_validate(written)


PAGE = a_rule("failures page", "oncall", outcome="failed", environment="Production")
REFRESH = a_rule("good runs refresh", "report", outcome="succeeded", job="7")


@dataclass
class Story:
    """One subscriber, its world, and what came of it."""

    rules: tuple[Rule, ...] = (PAGE, REFRESH)
    dbt_cloud: FakeDbtCloud = field(default_factory=FakeDbtCloud)
    ledger: Ledger = field(default_factory=MemoryLedger)
    clock: Clock = field(default_factory=Clock)
    alerts: Received = field(default_factory=Received)
    reports: Received = field(default_factory=Received)
    people: Received = field(default_factory=Received)
    overrides: tuple[Override, ...] = ()
    owners: dict[str, Owner] = field(default_factory=dict)
    dead_letters: FakeDeadLetters = field(default_factory=FakeDeadLetters)
    monotonic: Callable[[], float] = lambda: 0.0

    def comes(self, body: bytes, **attributes: str) -> None:
        """An event is pushed."""
        self.processor.take(a_message(body, **attributes))

    def ticks(self, after_s: float = 0.0) -> None:
        self.clock.passes(after_s)
        self.processor.take(a_tick())

    @cached_property
    def configuration(self) -> Configuration:
        return Configuration(
            dbt_cloud=DbtCloudSettings(token=SecretStr("env:TOKEN")),
            destinations={
                "oncall": FakeAlerts(received=self.alerts),
                "report": FakeReports(received=self.reports),
                "people": FakePeople(received=self.people),
            },
            rules=self.rules,
            overrides=self.overrides,
            owners=self.owners,
        )

    @cached_property
    def processor(self) -> Processor:
        deliveries = Deliveries(
            destinations=self.configuration.destinations,
            ledger=self.ledger,
            outbound=Outbound(),
            dead_letters=self.dead_letters,
            secret=lambda ref: Secret(str(ref), ref),
            secret_anew=lambda ref: Secret(str(ref), ref),
            clock=self.clock,
            jitter=lambda: 1.0,
            monotonic=self.monotonic,
        )
        return Processor(
            ledger=self.ledger,
            decisions=Decisions(
                self.configuration, self.ledger, self.dbt_cloud, self.dead_letters, self.clock
            ),
            waking=Waking(self.ledger, self.clock),
            deliveries=deliveries,
            dead_letters=self.dead_letters,
            clock=self.clock,
            monotonic=self.monotonic,
        )
