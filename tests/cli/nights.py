"""Nights: ledgers as a subscriber writes them, of what people look up at 3 a.m."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.ledger.contract import Ledger
from subscriber.ledger.memory import MemoryLedger
from subscriber.ledger.sqlite import SqliteLedger
from subscriber.progress import Failed, Running
from subscriber.rules import Rule
from subscriber.run import Answer
from subscriber.silences import Silence
from tests.builders import Clock, a_body
from tests.cli.running import Ran, afterrun
from tests.subscriber.runs import ITEMS, ORDERS, Runs, silenced
from tests.subscriber.story import Story, a_rule
from tests.subscriber.test_following import Followed

MINUTE = 60.0
BUSY = TemporaryFailure("events.pagerduty.com answered 503")
REFUSED = PermanentFailure("slack.com answered channel_not_found: invite the app to the channel")

RULES = (
    a_rule("production failures page", "oncall", outcome="failed", environment="Production"),
    a_rule("people hear of failures", "people", outcome="failed", environment="Production"),
    Rule.model_validate(
        {
            "name": "good runs refresh",
            "when": {"outcome": "succeeded", "job": "Hourly revenue"},
            "refresh": {"timeout": "1h", "on_failure": ["people"]},
            "then": ["report"],
        }
    ),
)


class OnTime(Story):
    """A story whose events come two seconds after dbt Cloud sent them, and that five after the
    run.
    """

    def comes(self, body: bytes, **attributes: str) -> None:
        try:
            told = json.loads(body)
        except ValueError:
            super().comes(body, **attributes)
            return
        now = self.clock()
        told["timestamp"] = (now - timedelta(seconds=2)).isoformat()
        told["data"]["runFinishedAt"] = (now - timedelta(seconds=7)).isoformat()
        super().comes(json.dumps(told).encode(), **attributes)


@dataclass
class Night:
    """A subscriber with a pager, a channel and a report, and what happens to it."""

    ledger: Ledger = field(default_factory=MemoryLedger)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.story = OnTime(rules=RULES, ledger=self.ledger, clock=self.clock)
        self.report = Followed(received=self.story.reports)
        destinations: Any = self.story.configuration.destinations
        destinations["report"] = self.report
        self.runs = Runs(self.story)
        self.silence: Silence | None = None

    def passes(self, minutes: float) -> "Night":
        """Time passes, with a tick a minute at the most that matters."""
        self.story.ticks(after_s=minutes * MINUTE)
        return self

    def pages_updates_and_recovers(self) -> "Night":
        """wev_1 to wev_3, runs 100 to 102."""
        self.runs.fails(100, ORDERS)
        self.passes(60)
        self.runs.fails(101, ORDERS, ITEMS)
        self.passes(60)
        self.runs.succeeds(102, ORDERS, ITEMS)
        return self

    def is_silenced(self) -> "Night":
        self.silence = silenced(
            self.story, 120, comment="warehouse moves", environment="Production"
        )
        self.clock.passes(5)
        self.runs.fails(200, ORDERS)
        return self

    def is_refused_by_people(self) -> "Night":
        self.story.people.failures = [REFUSED]
        self.runs.fails(300, ORDERS)
        return self

    def is_not_delivered_yet(self) -> "Night":
        self.story.alerts.failures = [BUSY] * 5
        self.runs.fails(400, ORDERS)
        for seconds in (5, 10, 20):
            self.story.ticks(after_s=seconds)
        return self

    def is_held_and_told(self) -> "Night":
        """A rule that waits ten minutes, and reminds."""
        held = a_rule(
            "after ten minutes",
            "oncall",
            outcome="failed",
            alert={"after": {"minutes": 10}, "remind": "1h"},
        )
        vars(self.story)["configuration"] = replace(self.story.configuration, rules=(held,))
        self.runs.fails(800, ORDERS)
        self.passes(10).passes(60)
        return self

    def is_unreadable(self) -> "Night":
        self.story.comes(b"hello")
        return self

    def matches_nothing(self) -> "Night":
        self.runs.fails(500, ORDERS, environmentId="77", environmentName="Staging")
        return self

    def waits_for_metadata(self) -> "Night":
        self.story.dbt_cloud.answer = Answer()
        self.story.comes(a_body(event_id="wev_e", run_id=600, event_type="job.run.errored"))
        self.story.ticks(after_s=20)
        return self

    def fails_to_refresh(self) -> "Night":
        self.report.says.extend([Running(), Failed("the query failed: no such column")])
        self.runs.succeeds(700, jobId="8", jobName="Hourly revenue")
        self.story.ticks(after_s=10)
        self.story.ticks(after_s=15)
        return self


def a_whole_night(night: Night) -> Night:
    """One of everything, some minutes apart."""
    night.pages_updates_and_recovers().passes(10)
    night.is_refused_by_people().passes(10)
    night.runs.succeeds(301, ORDERS)
    night.passes(10).matches_nothing().passes(5)
    night.fails_to_refresh().passes(10)
    night.is_not_delivered_yet()
    night.waits_for_metadata()
    return night


def on_sqlite(folder: Path, clock: Clock) -> tuple[Night, str]:
    """A night that is kept in a file, and what `--ledger` says of it."""
    path = folder / "afterrun.db"
    return Night(SqliteLedger(path), clock), f"sqlite:{path}"


class Place:
    """A ledger of tonight, and how a command line names it."""

    def __init__(self, night: Night, where: str, **environ: str) -> None:
        self.night, self.where, self.environ = night, where, environ

    def run(self, *arguments: str, columns: int = 80) -> Ran:
        return afterrun(*arguments, "--ledger", self.where, environ=self.environ, columns=columns)


def tonight() -> Clock:
    return Clock(datetime.now(UTC) - timedelta(hours=3))
