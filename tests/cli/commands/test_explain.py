"""explain: who would be told what of an event, and why; nothing is sent, nothing is written."""

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli import history, sample
from cli.exits import Exit
from cli.history import Entry
from lab.dbt_cloud import events
from lab.dbt_cloud.cloud import DbtCloud, Served
from lab.faults import Fault
from lab.pagerduty import PagerDuty
from lab.serve import serve
from subscriber import configuration
from subscriber.actions import Action
from subscriber.decisions import Decisions, event_key
from subscriber.ledger.contract import Kind, Work
from subscriber.ledger.sqlite import SqliteLedger
from subscriber.silences import Silences
from subscriber.yaml_lines import parse
from tests.builders import NOW, Clock
from tests.cli.golden import is_golden
from tests.cli.running import Ran, afterrun
from tests.fakes import FakeDbtCloud, FakeDeadLetters

HOUR = timedelta(hours=1)
READ = ("failed-model", "failed-many", "clone-failure", "recovered", "test-endpoint", "warned")
"""Samples whose explanations are kept to be looked at."""

AT = "2026-01-05T12:00:00Z"
KEY = event_key(sample.load("failed-model").event)

RULES = """
version: 1
dbt_cloud: {host: ab123.us1.dbt.com, token: env:DBT_TOKEN}
destinations:
  oncall: {kind: pagerduty, routing_key: env:PD_KEY}
  data-alerts: {kind: slack, bot_token: env:SLACK_TOKEN, channel: C0123456789}
  finance: {kind: email, host: smtp.shop.example, sender: a@shop.example, to: [f@shop.example]}
  revenue: {kind: mode, workspace: acme, report: 5f4dcc3b5aa7, token: env:MT, secret: env:MS}
rules:
  - name: production failures page
    when: {outcome: failed, environment: Production, trigger: ["!ci", "!merge"]}
    alert: {after: {minutes: 30}, remind: 6h}
    then: [oncall]
  - name: everybody sees failures
    when: {outcome: [failed, warned], environment: Production}
    then: [data-alerts]
  - name: finance hears about its own nodes
    when: {outcome: [failed, warned], nodes: {tag: finance}}
    alert: {per: node}
    then: [finance]
  - name: revenue follows its job
    when: {outcome: succeeded, job: "Nightly*"}
    then: [revenue]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is run: rules, and no ledger yet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afterrun.yaml").write_text(RULES)
    return tmp_path


def explained(*arguments: str) -> Ran:
    ran = afterrun("explain", *arguments)
    assert ran.code == 0, ran.err
    return ran


def told(ran: Ran) -> list[str]:
    return [f"{each['verb']} {each['destination']}" for each in ran.data["told"]]


def happened(folder: Path, *story: Entry, rules: str = RULES) -> SqliteLedger:
    """A service's ledger, in which these events have come at their times, and all was delivered."""
    ledger = SqliteLedger(folder / "afterrun.db")
    ledger.check()
    for entry in story:
        at = sample.time_of(entry)
        decisions = Decisions(
            configuration.read(*parse(rules, "afterrun.yaml")),
            ledger,
            FakeDbtCloud(entry.answer),
            FakeDeadLetters(),
            Clock(at),
        )
        key = event_key(entry.event)
        body = {"event": entry.body.decode()}
        ledger.record(Work(key, Kind.EVENT, body, recorded_at=at, due_at=at))
        for action in decisions.on(key):
            delivered(ledger, action, at)
    return ledger


def delivered(ledger: SqliteLedger, action: Action, at: datetime) -> None:
    ledger.claim(action.key, owner="x", now=at, lease=HOUR)
    ledger.settle(action.key, owner="x", now=at, result={"outcome": "delivered"})


def body_file(folder: Path, name: str = "failed-model") -> Path:
    path = folder / "event.json"
    path.write_bytes(sample.load(name).body)
    return path


# --- what it says


@pytest.mark.parametrize("name", READ)
def test_it_reads_well(name: str) -> None:
    ran = explained(name, "--at", AT)

    assert is_golden(f"explain-{name}.txt", ran.out)


def test_the_answer_comes_first() -> None:
    lines = explained("failed-model").out.splitlines()

    assert lines[0] == "Nightly build failed in Production"
    assert lines.index("Who would be told") < lines.index("What is wrong") < lines.index("Rules")


def test_what_waits_is_told_later_when_nothing_else_happens() -> None:
    data = explained("failed-model", "--at", AT, "--json").data

    assert [f"{e['at']} {e['verb']} {e['destination']}" for e in data["later"]] == [
        "2026-01-05T12:30:00+00:00 open oncall",
        "2026-01-05T18:30:00+00:00 remind oncall",
    ]


def test_an_event_that_waits_for_what_dbt_cloud_knows_is_decided_on_later() -> None:
    data = explained("clone-failure", "--at", AT, "--json").data

    assert data["waited_for"] == "dbt Cloud does not know the nodes yet"
    assert data["decided_at"] == "2026-01-05T12:01:30+00:00"


def test_each_rule_that_does_not_match_says_what_it_asks_for_and_what_is_so() -> None:
    data = explained("failed-ci", "--as-environment", "Staging", "--json").data

    assert {rule["name"]: rule["why_not"] for rule in data["rules"]} == {
        "production failures page": [
            "the environment is Staging (70403103917189); the rule asks for Production",
            "the trigger is ci; the rule asks for not ci or merge",
        ],
        "everybody sees failures": [
            "the environment is Staging (70403103917189); the rule asks for Production"
        ],
        "finance hears about its own nodes": [],
        "revenue follows its job": ["the run failed; the rule asks for succeeded"],
    }


def test_a_rule_about_nodes_says_what_keeps_each_from_being_one_of_them(folder: Path) -> None:
    rules = RULES.replace("{tag: finance}", "{owner: Assortment}")
    (folder / "afterrun.yaml").write_text(rules)

    data = explained("failed-model", "--json").data

    assert data["rules"][2]["why_not"] == [
        "model orders: its owner is Finance data; the rule asks for Assortment"
    ]


def test_an_override_is_said(folder: Path) -> None:
    override = "overrides:\n  - {environment: Prod*, then: [data-alerts]}\n"
    (folder / "afterrun.yaml").write_text(RULES + override)

    ran = explained("failed-model")

    assert "An override is in force: what happens in Prod* goes to data-alerts" in ran.out


def test_an_account_of_nobody_is_said() -> None:
    assert "is none of yours: so dbt Cloud's button" in explained("test-endpoint").out


def test_a_run_of_another_account_than_those_configured_is_none_of_ours(folder: Path) -> None:
    rules = RULES.replace("token: env:DBT_TOKEN", "token: env:DBT_TOKEN, accounts: [12345]")
    (folder / "afterrun.yaml").write_text(rules)
    (folder / "h.jsonl").write_text(history.line(sample.load("failed-model")))

    assert explained("h.jsonl", "--json").data["is_known_account"] is False
    assert told(explained("failed-model", "--json")) == ["open data-alerts", "open finance"]


def test_payloads_hold_no_secret() -> None:
    ran = afterrun(
        "explain",
        "failed-model",
        "--payload",
        environ={"SLACK_TOKEN": "xoxb-1", "PD_KEY": "k" * 32},
    )

    assert '"channel": "C0123456789"' in ran.out
    assert '"dedup_key": "afterrun/' in ran.out
    assert "xoxb-1" not in ran.out
    assert "kkkk" not in ran.out


def test_owners_are_called_as_they_would_be(folder: Path) -> None:
    owners = "owners: {Finance data: {slack: U012AB3CD, pagerduty: env:PD_FINANCE}}\n"
    (folder / "afterrun.yaml").write_text(RULES + owners)

    data = explained("failed-model", "--payload", "--json").data

    assert "<@U012AB3CD>" in data["told"][0]["payload"]


def test_it_fits_a_narrow_terminal() -> None:
    ran = afterrun("explain", "failed-model", columns=40)

    too_wide = [line for line in ran.out.splitlines() if len(line) > 40]
    assert [line for line in too_wide if " " in line.strip()] == []


# --- what it remembers, and leaves as it is


def test_what_the_ledger_remembers_counts(folder: Path) -> None:
    happened(folder, sample.load("failed-model"))

    ran = explained("recovered", "--at", "2026-01-06T02:01:05Z", "--json")

    assert told(ran)[:2] == ["close data-alerts", "close finance"]
    assert ran.data["destinations"][0]["before"]["since"] == "2026-01-05T02:01:04.277726+00:00"


def test_fresh_forgets_it(folder: Path) -> None:
    happened(folder, sample.load("failed-model"))

    (folder / "e.jsonl").write_text(history.line(sample.load("recovered")))
    assert told(explained("e.jsonl", "--fresh", "--json")) == ["refresh revenue"]


def test_a_silence_holds_back(folder: Path) -> None:
    ledger = happened(folder)
    silences = Silences(ledger, Clock(NOW))
    silences.add(length=2 * HOUR, author="ada", comment="a move", matchers={"destination": "f*"})

    data = explained("failed-model", "--at", AT, "--json").data

    at_finance = next(each for each in data["destinations"] if each["destination"] == "finance")
    assert at_finance["decision"] == "silenced"
    assert "silenced: by ada until 2026-01-05T14:00+00:00: a move" in at_finance["reason"]
    assert [f"{e['verb']} {e['destination']}" for e in data["later"]][1] == "open finance"


def test_what_comes_too_late_is_only_counted(folder: Path) -> None:
    good = sample.load("succeeded")
    happened(folder, good)
    late = sample.changed(sample.load("failed-model"), data={"runId": "7"})
    (folder / "late.jsonl").write_text(history.line(late))

    data = explained("late.jsonl", "--at", "2026-01-08T00:00:00Z", "--json").data

    assert data["is_late"] is True
    assert [(e["destination"], e["decision"]) for e in data["destinations"]] == [
        ("data-alerts", "late"),
        ("finance", "late"),
        ("oncall", "nothing"),
    ]
    assert [(e["verb"], e["destination"]) for e in data["later"]] == [
        ("tell", "data-alerts"),
        ("tell", "finance"),
    ]


def test_a_reminder_that_the_service_waits_for_is_seen(folder: Path) -> None:
    rules = RULES.replace("after: {minutes: 30}, ", "")
    (folder / "afterrun.yaml").write_text(rules)
    happened(folder, sample.load("failed-model"), rules=rules)
    again = sample.changed(sample.load("failed-model"), HOUR, data={"runId": "80437497968255"})
    (folder / "again.jsonl").write_text(history.line(again))

    data = explained("again.jsonl", "--at", "2026-01-05T03:02:00Z", "--json").data

    assert [(e["destination"], e["decision"]) for e in data["destinations"]] == [
        ("data-alerts", "nothing"),
        ("finance", "nothing"),
        ("oncall", "nothing"),
    ]
    assert [(each["verb"], each["at"]) for each in data["later"]] == [
        ("remind", "2026-01-05T08:01:04.277726+00:00")
    ]


def test_an_event_that_came_before_is_said_and_explained_as_if_new(folder: Path) -> None:
    happened(folder, sample.load("failed-model"))
    (folder / "e.jsonl").write_text(history.line(sample.load("failed-model")))

    ran = explained("e.jsonl", "--at", "2026-01-05T02:02:00Z")

    assert "It came before, 2026-01-05 02:01:04, and 2 actions followed" in ran.out
    assert "the alert is open already" in ran.out


def test_what_was_told_before_is_not_told_again(folder: Path) -> None:
    rules = RULES.replace("when: {outcome: succeeded", "when: {outcome: [succeeded]")
    good = sample.load("succeeded")
    happened(folder, good, rules=rules)
    (folder / "e.jsonl").write_text(history.line(good))

    data = explained("e.jsonl", "--at", "2026-01-05T02:02:00Z", "--json").data

    assert data["told"] == []
    assert len(data["told_before"]) == 1


def test_an_events_id_is_found_in_the_ledger(folder: Path) -> None:
    entry = sample.load("failed-model")
    # what was settled long ago is no longer listed
    happened(folder, sample.changed(entry, datetime.now(UTC) - sample.time_of(entry)))

    ran = explained("wev_sample_failed_model", "--offline")

    assert "It came before" in ran.out
    assert f"`afterrun event {entry.event.run_id}`" in " ".join(ran.out.split())


def test_a_run_that_came_is_found_in_the_ledger_without_dbt_cloud(folder: Path) -> None:
    entry = sample.load("failed-model")
    happened(folder, sample.changed(entry, datetime.now(UTC) - sample.time_of(entry)))

    ran = explained(entry.event.run_id, "--offline", "--fresh")

    assert "It came before" in ran.out
    assert "data-alerts (slack) opens an alert" in ran.out


def test_an_event_that_waits_in_the_ledger_is_said_to(folder: Path) -> None:
    entry = sample.load("clone-failure")
    at = sample.time_of(entry)
    waits = {"reason": "dbt Cloud does not know the nodes yet"}
    work = Work(
        event_key(entry.event),
        Kind.EVENT,
        {"event": entry.body.decode()},
        recorded_at=at,
        due_at=at + timedelta(seconds=15),
        result=waits,
    )
    happened(folder).record(work)

    now = explained(work.key, "--offline").out

    assert "It has come, and is to be decided on 2026-01-05 02:00:17" in now


def test_what_is_held_in_the_ledger_goes_out_in_its_time(folder: Path) -> None:
    happened(folder, sample.load("failed-model"))
    again = sample.changed(sample.load("failed-model"), HOUR, data={"runId": "80437497968255"})
    (folder / "again.jsonl").write_text(history.line(again))

    ran = explained("again.jsonl", "--at", "2026-01-05T03:01:05Z")

    assert "oncall (pagerduty) opens an alert" in ran.out
    assert "before: held since 2026-01-05 02:01:04, nobody was told, 1 bad run" in ran.out


def test_an_event_that_the_ledger_does_not_have_is_said(folder: Path) -> None:
    happened(folder)

    ran = afterrun("explain", "wev_other")

    assert ran.code == Exit.REFUSED
    assert "the ledger has no event wev_other" in ran.err


def test_it_writes_nothing(folder: Path) -> None:
    happened(folder, sample.load("failed-model"))
    before = rows(folder)

    for name in ("failed-test", "recovered", "clone-failure", KEY):
        explained(name, "--offline", "--at", "2026-01-06T02:01:05Z")

    assert rows(folder) == before


def test_an_empty_file_stays_empty(folder: Path) -> None:
    (folder / "new.db").touch()

    ran = explained("failed-model", "--ledger", "sqlite:new.db")

    assert "remembered: nothing" in ran.out
    assert (folder / "new.db").read_bytes() == b""


def rows(folder: Path) -> list[str]:
    """All that the ledger's file holds."""
    with closing(sqlite3.connect(folder / "afterrun.db")) as connection:
        return list(connection.iterdump())


def test_it_sends_nothing(folder: Path) -> None:
    pagerduty = PagerDuty()
    with serve(pagerduty.app) as url:
        rules = RULES.replace(
            "routing_key: env:PD_KEY", f"routing_key: env:PD_KEY, base_url: '{url}'"
        )
        (folder / "afterrun.yaml").write_text(rules.replace("after: {minutes: 30}, ", ""))
        ran = afterrun("explain", "failed-model", "--json", environ={"PD_KEY": "k" * 32})

    assert "open oncall" in told(ran)
    assert list(pagerduty.alerts) == []


# --- which event is meant


def push(body: bytes) -> dict[str, object]:
    return {"message": {"data": base64.b64encode(body).decode(), "messageId": "1"}}


@pytest.mark.parametrize("form", ["body", "push", "message", "pulled", "cloud event", "history"])
def test_a_file_may_hold_the_event_in_any_form(form: str, folder: Path) -> None:
    entry = sample.load("failed-model")
    message = push(entry.body)
    written = {
        "body": entry.body.decode(),
        "push": json.dumps(message),
        "message": json.dumps(message["message"]),
        "pulled": json.dumps([{"ackId": "a", **message}]),
        "cloud event": json.dumps({"specversion": "1.0", "data": message}),
        "history": history.line(entry),
    }
    (folder / "event").write_text(written[form])

    data = explained("event", "--offline", "--json").data

    assert data["event"]["id"] == "wev_sample_failed_model"
    assert bool(data["diagnosis"]["nodes"]) is (form == "history")


def test_an_event_may_be_piped_in() -> None:
    ran = afterrun(
        "explain", "-", "--offline", "--json", answers=sample.load("failed-model").body.decode()
    )

    assert told(ran) == ["open data-alerts", "open finance"]


def test_a_history_is_told_to_its_end(folder: Path) -> None:
    history.write(folder / "h.jsonl", sample.story("recovered"))

    ran = explained("h.jsonl", "--json")

    assert told(ran) == ["close data-alerts", "close finance", "close oncall", "refresh revenue"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("hello", "not JSON (line 1)"),
        ("[]", "a list of 0"),
        ('"x"', "not a JSON object"),
        ('{"eventType": "x"}', "an event type that is not known"),
        ('{"eventType": "job.run.completed", "data": {}}', "no usable ids"),
        ('{"message": {"data": "*"}}', "`message.data` is not base64"),
        ('{"message": {"data": "dGljaw=="}}', "the message is a tick"),
        ('{"event": {}, "answer": {}, "version": 1}', "no event of a run"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_event_is_a_mistake_that_says_why(text: str, said: str, folder: Path) -> None:
    (folder / "event.json").write_text(text)

    ran = afterrun("explain", "event.json")

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert "event.json" in ran.err
    assert said in ran.err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("failed-modle", "`failed-modle` is no sample and no file; did you mean `failed-model`?"),
        ("nothing.json", "there is no file nothing.json"),
        ("wev_1", "there is no ledger to look in: see --ledger"),
        (".", "`.` is no sample and no file"),
    ],
)
def test_what_nobody_knows_is_a_mistake(name: str, said: str) -> None:
    ran = afterrun("explain", name)

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert said in ran.err


def test_a_time_that_is_none_is_a_mistake() -> None:
    ran = afterrun("explain", "failed-model", "--at", "noon")

    assert ran.code == Exit.MISTAKE
    assert "--at: write a time" in ran.err


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_time_that_cannot_be_is_not_taken_for_one(year: str, folder: Path) -> None:
    entry = sample.load("failed-model")
    at = f"{year}-12-31T23:59:59Z"
    body = json.loads(entry.body) | {"timestamp": at}
    body["data"]["runFinishedAt"] = at
    (folder / "event.json").write_text(json.dumps(body))

    ran = explained("event.json", "--offline")

    assert "data-alerts (slack) opens an alert" in ran.out
    assert afterrun("explain", "failed-model", "--at", f"{year}-01-01").code == Exit.MISTAKE


def test_a_ledger_that_is_named_has_to_be_there() -> None:
    ran = afterrun("explain", "failed-model", "--ledger", "sqlite:other.db")

    assert ran.code == Exit.MISTAKE
    assert "there is no file other.db" in ran.err


# --- dbt Cloud


@pytest.fixture(scope="module")
def cloud() -> DbtCloud:
    return DbtCloud()


@pytest.fixture(scope="module")
def served(cloud: DbtCloud) -> Iterator[Served]:
    with cloud.running() as served:
        yield served


@pytest.fixture
def in_dbt_cloud(served: Served, folder: Path) -> dict[str, str]:
    """The environment in which the rules are asked of the lab's dbt Cloud."""
    hosts = f"base_url: '{served.base_url}', metadata_url: '{served.metadata_url}', token:"
    (folder / "afterrun.yaml").write_text(RULES.replace("token: env:DBT", f"{hosts} env:DBT"))
    return {"DBT_TOKEN": served.token}


def test_a_run_is_asked_for_and_told_as_its_webhook_would_be(
    cloud: DbtCloud, in_dbt_cloud: dict[str, str]
) -> None:
    run = cloud.run(sample="model_error")

    ran = afterrun("explain", str(run.id), "--json", environ=in_dbt_cloud)

    assert told(ran) == ["open data-alerts", "open finance"]
    assert ran.data["event"]["environment_name"] == "Production"
    assert [node["name"] for node in ran.data["diagnosis"]["nodes"]] == ["orders"]


def test_dbt_cloud_is_asked_about_the_event_in_a_file(
    cloud: DbtCloud, in_dbt_cloud: dict[str, str], folder: Path
) -> None:
    run = cloud.run(sample="failing_test")
    event = events.of(run, "job.run.completed", webhook_id="wsu_1", webhook_name="x")
    (folder / "event.json").write_bytes(event.body)

    data = afterrun("explain", "event.json", "--json", environ=in_dbt_cloud).data

    assert data["diagnosis"]["nodes"][0]["kind"] == "test"
    assert data["link"] == run.href


@pytest.mark.parametrize("status", [403, 404])
def test_a_run_that_does_not_exist_may_be_one_that_the_token_may_not_read(
    status: int, cloud: DbtCloud, in_dbt_cloud: dict[str, str]
) -> None:
    cloud.admin_faults.next(Fault("answer", status=status, path="/runs/"))

    ran = afterrun("explain", "999", environ=in_dbt_cloud)

    assert (ran.code, ran.out) == (Exit.REFUSED, "")
    assert "there is none of that id, or the token may not read runs" in ran.err


def test_a_wrong_token_or_host_is_said(in_dbt_cloud: dict[str, str]) -> None:
    ran = afterrun("explain", "999", environ={**in_dbt_cloud, "DBT_TOKEN": "wrong"})

    assert (ran.code, ran.out) == (Exit.REFUSED, "")
    assert "answered 401, invalid token" in ran.err
    assert "(`dbt_cloud.host`) must be your account's access URL" in ran.err


def test_a_token_that_is_not_there_is_said(in_dbt_cloud: dict[str, str]) -> None:
    ran = afterrun("explain", "999", environ={**in_dbt_cloud, "DBT_TOKEN": ""})

    assert ran.code == Exit.MISTAKE
    assert "the secret env:DBT_TOKEN is empty or not set" in ran.err


def test_a_run_that_goes_on_is_to_be_waited_for(
    cloud: DbtCloud, in_dbt_cloud: dict[str, str]
) -> None:
    ran = afterrun("explain", str(cloud.start().id), environ=in_dbt_cloud)

    assert ran.code == Exit.BUSY
    assert "goes on still" in ran.err


def test_without_dbt_cloud_what_the_event_says_is_explained_and_the_rest_said(
    in_dbt_cloud: dict[str, str], folder: Path
) -> None:
    ran = afterrun("explain", str(body_file(folder)), environ={"DBT_TOKEN": "wrong"})

    assert ran.code == 0
    assert "data-alerts (slack) opens an alert" in ran.out
    assert "Not all is known: 127.0.0.1 refused the token; is it" in ran.out


def test_a_run_is_not_to_be_had_offline() -> None:
    ran = afterrun("explain", "999", "--offline")

    assert ran.code == Exit.MISTAKE
