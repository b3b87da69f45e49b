"""Fetching asks slowly, and no further once dbt Cloud wants a pause."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.backtest.fetching import AT_ONCE, RUNS_PER_S, WORKERS, Fetched, Fetching
from cli.history import Keeping
from shared.errors import TemporaryFailure
from shared.event import RunEvent
from subscriber import configuration
from subscriber.configuration import Configuration
from subscriber.dbt_cloud.account import Names
from subscriber.ledger.memory import MemoryLedger
from subscriber.run import Answer, Question
from subscriber.yaml_lines import parse

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
RULES = """
version: 1
dbt_cloud: {token: env:TOKEN}
destinations: {team: {kind: slack, webhook_url: env:URL}}
rules: [{name: all, when: {outcome: failed}, then: [team]}]
"""


@dataclass
class AnAccount:
    """So many runs that failed, the newest first."""

    count: int
    id: str = "1"

    def names(self, *, also_deleted: bool) -> Names:
        return Names({}, {}, {})

    def runs(self, since: datetime) -> Any:
        for number in range(self.count, 0, -1):
            at = SINCE + timedelta(minutes=number)
            yield {
                "id": number,
                "status": 20,
                "job_definition_id": 7,
                "created_at": at.isoformat(),
                "finished_at": at.isoformat(),
            }


@dataclass
class Api:
    base_url: str = "https://dbt.example"
    endpoint: str = "https://metadata.example/graphql"


@dataclass
class ADbtCloud:
    answers: Callable[[RunEvent], Answer] = lambda _: Answer()
    admin: Api = field(default_factory=Api)
    discovery: Api = field(default_factory=Api)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    asked: list[str] = field(default_factory=list)

    def about(self, event: RunEvent, question: Question) -> Answer:
        self.asked.append(event.run_id)
        return self.answers(event)


@dataclass
class Time:
    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)

    def monotonic(self) -> float:
        return self.now


def rules() -> Configuration:
    return configuration.read(*parse(RULES, "rules.yaml"))


def fetched(
    path: Path, dbt_cloud: ADbtCloud, count: int, time: Time | None = None, limit: int = 1_000
) -> Fetched:
    time = time or Time()
    accounts: list[Any] = [AnAccount(count)]
    asks: Any = dbt_cloud
    with Keeping(path) as kept:
        return Fetching(
            accounts, asks, [rules()], kept, sleep=time.sleep, monotonic=time.monotonic
        ).fetch(SINCE, limit)


def test_the_first_runs_are_asked_about_at_once_and_the_others_in_time(tmp_path: Path) -> None:
    time = Time()

    found = fetched(tmp_path / "runs.jsonl", ADbtCloud(), 200, time)

    assert found.asked == 200
    assert not any(time.slept[:AT_ONCE])
    assert time.now == pytest.approx((200 - AT_ONCE) / RUNS_PER_S)


def test_after_a_429_no_more_is_asked_than_was_on_its_way(tmp_path: Path) -> None:
    def answer(event: RunEvent) -> Answer:
        if event.run_id == "40":
            dbt_cloud.ledger.cool_down("metadata.example", SINCE)
        return Answer()

    dbt_cloud = ADbtCloud(answer)

    with pytest.raises(TemporaryFailure, match=r"metadata.example answered 429: too many calls"):
        fetched(tmp_path / "runs.jsonl", dbt_cloud, 50)

    assert len(dbt_cloud.asked) <= 11 + WORKERS


def test_what_was_down_once_is_asked_about_again_and_kept_as_it_is_then(tmp_path: Path) -> None:
    def answer(event: RunEvent) -> Answer:
        is_down = event.run_id in ("3", "7") and dbt_cloud.asked.count(event.run_id) == 1
        return Answer(was_down=is_down or event.run_id == "7", notes=("it is down",))

    dbt_cloud = ADbtCloud(answer)

    found = fetched(tmp_path / "runs.jsonl", dbt_cloud, 9)

    assert found.asked == 9
    assert [dbt_cloud.asked.count(run) for run in ("2", "3", "7")] == [1, 2, 2]


def test_a_mistake_in_a_thread_is_raised_where_it_is_waited_for(tmp_path: Path) -> None:
    def answer(event: RunEvent) -> Answer:
        raise ValueError(event.run_id)

    with pytest.raises(ValueError, match=r"\d"):
        fetched(tmp_path / "runs.jsonl", ADbtCloud(answer), 30)


CUT_AT = SINCE + timedelta(minutes=2)


@pytest.mark.parametrize(("count", "limit", "oldest"), [(5, 5, None), (6, 5, CUT_AT), (1, 5, None)])
def test_older_runs_are_left_out_and_that_is_said(
    tmp_path: Path, count: int, limit: int, oldest: datetime | None
) -> None:
    found = fetched(tmp_path / "runs.jsonl", ADbtCloud(), count, limit=limit)

    assert found.ended == min(count, limit)
    assert found.oldest == oldest
