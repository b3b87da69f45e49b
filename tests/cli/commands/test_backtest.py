"""A backtest of runs that are kept in a file: what people read, and what differs.

The golden files are what people see at 80 and at 40 columns.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import history
from cli.exits import Exit
from cli.history import Entry
from subscriber.run import Answer, RunDetails, Status
from tests.builders import a_body, a_good_body, a_result
from tests.cli.golden import is_golden
from tests.cli.running import Ran, afterrun

BEGAN = datetime(2026, 3, 2, 4, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)

RULES = """\
version: 1
dbt_cloud: {token: secret:not-readable-here}
destinations:
  oncall: {kind: pagerduty, routing_key: secret:nor-this}
  team: {kind: slack, webhook_url: secret:nor-that}
  finance: {kind: slack, webhook_url: secret:not-even-this}
rules:
  - name: production failures page
    when: {outcome: failed, environment: Production}
    alert: {remind: 12h}
    then: [oncall, team]
  - name: finance hears of its own nodes
    when: {outcome: failed, nodes: {tag: finance}}
    then: [finance]
  - name: staging is told
    when: {outcome: failed, environment: Stagging}
    then: [team]
"""
OLD = """\
version: 1
dbt_cloud: {token: secret:not-readable-here}
destinations:
  oncall: {kind: pagerduty, routing_key: secret:nor-this}
  phone: {kind: pagerduty, routing_key: secret:gone}
  team: {kind: slack, webhook_url: secret:nor-that}
rules:
  - name: two failures in a row page
    when: {outcome: failed, environment: Production}
    alert: {after: {runs: 2}}
    then: [oncall, phone]
  - name: the team hears of each
    when: {outcome: failed, environment: Production}
    title: "{job} is broken"
    then: [team]
"""


def a_history() -> Iterator[Entry]:
    """A fortnight: a nightly job fails for two nights, and in the end; an hourly one flickers."""
    run_id = 1_000
    for night in range(14):
        at = BEGAN + timedelta(days=night)
        for job, name, hour in ((7, "Nightly build", 0), (8, "Hourly build", 5), (8, "", 6)):
            run_id += 1
            is_bad = (job == 7 and night in (4, 5, 13)) or (hour == 5 and night % 5 == 3)
            yield an_entry(run_id, at + hour * HOUR, job, name or "Hourly build", is_bad=is_bad)


def an_entry(run_id: int, at: datetime, job: int, name: str, *, is_bad: bool) -> Entry:
    told: dict[str, Any] = {
        "event_id": f"run-{run_id}",
        "run_id": run_id,
        "job_id": job,
        "jobName": name,
        "runFinishedAt": at.isoformat(),
    }
    details = RunDetails(trigger="scheduled", link=f"https://cloud.getdbt.com/runs/{run_id}")
    if not is_bad:
        good = (a_result("model.shop.orders", status=Status.GOOD, is_described=True),)
        return Entry(
            timed(a_good_body(**told), at), Answer(run=details, results=good, is_complete=True)
        )
    failed = a_result(
        "model.shop.orders",
        status=Status.FAILED,
        message='Database Error in model orders (models/orders.sql)\n  column "vat" does not exist',
        path="models/orders.sql",
        tags=("daily",),
        is_described=True,
    )
    answer = Answer(run=details, results=(failed,), is_complete=True)
    return Entry(timed(a_body(**told), at), answer)


def timed(body: bytes, at: datetime) -> bytes:
    return body.replace(b"2026-01-05T11:59:58.123456789Z", at.isoformat().encode())


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare()


def prepare() -> None:
    history.write(Path("runs.jsonl"), a_history())
    Path("afterrun.yaml").write_text(RULES)
    Path("old.yaml").write_text(OLD)


def backtest(*arguments: str, columns: int = 80) -> Ran:
    return afterrun("backtest", "--history", "runs.jsonl", *arguments, columns=columns)


CASES = {
    "backtest.txt": ([], 80),
    "backtest-narrow.txt": (["--show", "3"], 40),
    "backtest-against.txt": (["--against", "old.yaml"], 80),
    "backtest-against-the-same.txt": (["--against", "afterrun.yaml"], 80),
}


@pytest.mark.parametrize("name", CASES)
def test_people_see_what_is_kept(name: str) -> None:
    arguments, columns = CASES[name]

    ran = backtest(*arguments, columns=columns)

    assert ran.code == 0
    assert is_golden(name, ran.out)


def test_nothing_is_wider_than_the_terminal() -> None:
    for arguments, columns in CASES.values():
        lines = backtest(*arguments, columns=columns).out.splitlines()
        assert max(map(len, lines)) <= columns


def test_json_has_all_that_people_see() -> None:
    found = backtest("--json", "--against", "old.yaml", "--show", "1").data

    assert (found["events"], found["jobs"]) == (42, 2)
    assert found["ended"] == {"succeeded": 36, "failed": 6}
    assert found["told"][0] == {
        "at": "2026-03-05T09:10:00+00:00",
        "destination": "oncall",
        "verb": "open",
        "headline": 'Hourly build failed in Production: model orders: column "vat" does not exist',
        "problem": "afterrun/1/job/8/1011",
        "key": "1/oncall/job/8/1011/open/1",
    }
    assert found["days"]["oncall"]["2026-03-05"] == 2
    assert found["totals"]["oncall"] == {"open": 5, "remind": 4, "close": 4}
    assert found["against"]["gone_destinations"] == ["phone"]
    assert len(found["against"]["new"]) > 1
    assert [each["headline"] for each in found["problems"] if each["closed_at"] is None] == [
        'Nightly build failed in Production: model orders: column "vat" does not exist'
    ]


def test_a_rule_that_matched_nothing_says_why() -> None:
    rules = {each["rule"]: each for each in backtest("--json").data["rules"]}

    assert rules["production failures page"]["matched"] == 6
    assert rules["finance hears of its own nodes"]["misses"] == {
        "the run succeeded": 36,
        "none of the nodes it is about": 6,
    }
    assert rules["staging is told"]["misses"] == {"another environment": 42}


def test_only_the_last_days_of_a_file_can_be_played() -> None:
    found = backtest("--json", "--days", "2").data

    assert (found["since"], found["events"]) == ("2026-03-13T10:10:00+00:00", 7)


def test_no_secret_and_no_network_is_needed() -> None:
    ran = backtest()

    assert (ran.code, ran.err) == (0, "")


def test_a_file_without_runs_has_a_sentence() -> None:
    Path("runs.jsonl").write_text("")

    assert backtest().out == "runs.jsonl holds no runs.\n"
    assert backtest("--json").data == {"events": 0, "told": []}


def test_a_file_that_is_not_there_is_a_mistake() -> None:
    ran = afterrun("backtest", "--history", "nothing.jsonl")

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert ran.err == "error: nothing.jsonl cannot be read: No such file or directory\n"


def test_a_damaged_line_is_named_by_its_number() -> None:
    lines = Path("runs.jsonl").read_text().splitlines()
    lines[6] = lines[6][:200]
    Path("runs.jsonl").write_text("\n".join(lines))

    ran = backtest()

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert ran.err.startswith("error: runs.jsonl:7: no line of a history; ")


def test_a_wrong_configuration_is_named_whichever_it_is() -> None:
    Path("old.yaml").write_text(OLD.replace("outcome: failed", "outcome: faild", 1))

    ran = backtest("--against", "old.yaml")

    assert ran.code == Exit.MISTAKE
    assert "old.yaml:9:" in ran.err


def test_to_play_and_to_save_at_once_is_a_wrong_command_line() -> None:
    ran = backtest("--save", "other.jsonl")

    assert ran.code == Exit.USAGE
    assert not Path("other.jsonl").exists()


@pytest.mark.parametrize("when", ["outcome: started", "outcome: failed, event: errored"])
def test_what_a_backtest_cannot_know_is_said_of_the_rules_that_ask_for_it(when: str) -> None:
    rules = RULES.replace("outcome: failed, environment: Stagging", when)
    Path("afterrun.yaml").write_text(rules)

    assert "Only ends of runs are played: `started` and `errored` match" in backtest().err
