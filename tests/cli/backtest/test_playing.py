"""Playing: every run is decided on and counted once, the last ones as well."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from cli import history
from cli.backtest.played import Played
from cli.backtest.playing import play
from cli.history import Entry, History
from subscriber import configuration
from subscriber.run import Answer
from subscriber.yaml_lines import parse
from tests.builders import NOW, a_body, a_good_body, a_result

RULES = """
version: 1
dbt_cloud: {token: env:TOKEN}
destinations:
  oncall: {kind: pagerduty, routing_key: env:KEY}
rules:
  - name: page
    when: {outcome: failed}
    alert: {after: {minutes: 30}}
    then: [oncall]
"""
AT_ONCE = RULES.replace("    alert: {after: {minutes: 30}}\n", "")
MINUTE = timedelta(minutes=1)


def an_entry(minute: int, answer: Answer | None = None, *, is_bad: bool = True) -> Entry:
    made = a_body if is_bad else a_good_body
    body = made(event_id=f"run-{minute}", run_id=100 + minute)
    at = (NOW + minute * MINUTE).isoformat().encode()
    failed = Answer(results=(a_result(),), is_complete=True)
    return Entry(body.replace(b"2026-01-05T11:59:58.123456789Z", at), answer or failed)


def played(folder: Path, entries: Iterable[Entry], rules: str = RULES) -> Played:
    history.write(folder / "runs.jsonl", entries)
    read = configuration.read(*parse(rules, "rules.yaml"))
    return play(read, History.of(folder / "runs.jsonl"))


def test_the_last_run_is_decided_on_though_its_metadata_is_missing(tmp_path: Path) -> None:
    found = played(tmp_path, [an_entry(0, Answer(is_final=False))], AT_ONCE)

    assert [str(line.verb) for line in found.lines] == ["open"]
    assert found.lines[0].at == NOW + timedelta(seconds=90)
    assert found.rules["page"].matched == 1


def test_what_time_alone_would_bring_after_the_last_run_is_not_told(tmp_path: Path) -> None:
    assert played(tmp_path, [an_entry(0)]).lines == []
    assert len(played(tmp_path, [an_entry(0), an_entry(31)]).lines) == 1


def test_each_event_counts_once_however_many_there_are(tmp_path: Path) -> None:
    found = played(tmp_path, (an_entry(n, is_bad=n % 100 == 7) for n in range(1_200)))

    assert found.rules["page"].matched == 12
    assert found.rules["page"].misses == {"the run succeeded": 1_188}
    assert (found.events, found.jobs) == (1_200, 1)
