"""`afterrun send`, to a receiver on loopback."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import sample
from lab.faults import Fault
from shared.event import read
from subscriber.ledger.contract import Kind, Work
from subscriber.ledger.sqlite import SqliteLedger
from tests.cli.running import Ran, afterrun
from tests.cli.webhooks.side import Side, running

SECRET = "the webhook's secret"


class Sender:
    """Sends to the side's receiver, which knows what is in the variable SIGNS."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.folder = side.folder
        (self.folder / "secret").write_text(SECRET)
        side.receiver.places.append(f"file:{self.folder}/secret")

    def send(self, *arguments: str, answers: str = "", **environ: str) -> Ran:
        told = {**self.side.environ, "SIGNS": SECRET, "WEBHOOK_SECRETS": "", **environ}
        url = () if "--url" in arguments else ("--url", self.side.receiver.url)
        return afterrun("send", *arguments, *url, environ=told, answers=answers)

    @property
    def taken(self) -> list[dict[str, Any]]:
        return self.side.receiver.taken


SIGNED = ("--secret", "env:SIGNS")


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    with running(tmp_path) as side:
        yield Sender(side)


@pytest.mark.parametrize("name", sample.names())
def test_every_sample_can_be_sent(sender: Sender, name: str) -> None:
    ran = sender.send(name, *SIGNED, "--json")

    (taken,) = sender.taken
    assert ran.code == 0, ran.err
    assert (ran.data["status"], ran.data["event_id"]) == (202, taken["eventId"])
    assert read(json.dumps(taken).encode()).run_id == ran.data["run_id"]


def test_a_sample_happens_now_in_an_account_of_ours(sender: Sender) -> None:
    sender.send("failed-model", *SIGNED)

    (taken,) = sender.taken
    at = datetime.fromisoformat(taken["timestamp"])
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
    assert taken["accountId"] == sender.side.cloud.account_id


def test_dbt_clouds_test_stays_of_the_account_that_does_not_exist(sender: Sender) -> None:
    sender.send("test-endpoint", *SIGNED)

    assert sender.taken[0]["accountId"] == 1


def test_without_a_configuration_it_is_of_the_samples_account(sender: Sender) -> None:
    ran = sender.send("failed-model", *SIGNED, AFTERRUN_CONFIG="/no/such/file")

    assert ran.code == 0


def test_it_says_what_was_sent_where_and_what_was_answered(sender: Sender) -> None:
    ran = sender.send("failed-model", *SIGNED)

    assert "the sample failed-model" in ran.out
    assert f"to      {sender.side.receiver.url}" in ran.out
    assert "signed  with env:SIGNS" in ran.out
    assert "answered 202" in ran.out
    assert " ms" in ran.out
    assert SECRET not in ran.out + ran.err


def test_the_same_again_is_the_same_event(sender: Sender) -> None:
    for _ in range(2):
        sender.send("failed-model", *SIGNED)

    assert len({each["eventId"] for each in sender.taken}) == 1


def test_a_new_one_is_another_event_of_a_later_run_each_time(sender: Sender) -> None:
    sender.send("failed-model", *SIGNED)
    for _ in range(3):
        sender.send("failed-model", *SIGNED, "--new")
        # ids count milliseconds
        _wait_until_another_millisecond()

    runs = [int(each["data"]["runId"]) for each in sender.taken]
    assert runs == sorted(set(runs))
    assert len({each["eventId"] for each in sender.taken}) == 4


def test_a_file_is_sent_byte_for_byte(sender: Sender, tmp_path: Path) -> None:
    body = sample.load("failed-model").body.replace(b":", b" :  ") + b"\n\n"
    (tmp_path / "body.json").write_bytes(body)

    ran = sender.send(str(tmp_path / "body.json"), *SIGNED)

    # its signature would be wrong otherwise
    assert ran.code == 0, ran.err
    assert sender.taken == [json.loads(body)]


def test_what_is_piped_in_is_sent(sender: Sender) -> None:
    ran = sender.send("-", *SIGNED, answers=sample.load("warned").body.decode())

    assert ran.code == 0, ran.err
    assert sender.taken == [json.loads(sample.load("warned").body)]


def test_an_old_file_can_be_sent_as_new(sender: Sender, tmp_path: Path) -> None:
    body = sample.load("failed-model").body
    (tmp_path / "body.json").write_bytes(body)

    sender.send(str(tmp_path / "body.json"), *SIGNED, "--new")

    (taken,) = sender.taken
    told = json.loads(body)
    assert int(taken["data"]["runId"]) > int(told["data"]["runId"])
    assert taken["timestamp"] > told["timestamp"]
    assert taken["data"]["runFinishedAt"] > told["data"]["runFinishedAt"]
    assert taken["data"]["jobId"] == told["data"]["jobId"]


def test_an_event_that_the_ledger_keeps_is_sent_again(sender: Sender, tmp_path: Path) -> None:
    body = sample.load("failed-model").body
    event = read(body)
    now = datetime.now(UTC)
    ledger = SqliteLedger(tmp_path / "ledger.db")
    key = f"{event.account_id}/event/{event.id}"
    kept = {"event": body.decode()}
    ledger.record(Work(key, Kind.EVENT, kept, recorded_at=now, due_at=now))

    ran = sender.send(event.id, *SIGNED, "--ledger", f"sqlite:{tmp_path}/ledger.db")

    assert ran.code == 0, ran.err
    assert sender.taken == [json.loads(body)]


def test_without_a_ledger_there_is_no_stored_event(sender: Sender, tmp_path: Path) -> None:
    ran = sender.send("wev_unknown", *SIGNED, "--ledger", f"sqlite:{tmp_path}/none.db")

    assert ran.code == 3
    assert "there is no file" in ran.err


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ("failed-modle", "did you mean `failed-model`"),
        ("70437497968255", "is a run's id"),
        ("missing.json", "there is no file"),
    ],
)
def test_what_is_no_event_is_a_mistake(sender: Sender, event: str, says: str) -> None:
    ran = sender.send(event, *SIGNED)

    assert ran.code == 3
    assert says in ran.err


@pytest.mark.parametrize(
    "changes",
    [{"timestamp": "yesterday"}, {"timestamp": 5}, {"runId": "1e9"}, {"runStartedAt": None}],
)
def test_times_and_ids_that_cannot_be_changed_are_a_mistake_or_stay(
    sender: Sender, tmp_path: Path, changes: dict[str, object]
) -> None:
    told = json.loads(sample.load("failed-model").body)
    (told if "timestamp" in changes else told["data"]).update(changes)
    (tmp_path / "body.json").write_text(json.dumps(told))

    assert sender.send(str(tmp_path / "body.json"), *SIGNED, "--new").code == 3


def test_the_first_secret_of_the_receivers_own_settings_signs_by_default(sender: Sender) -> None:
    ran = sender.send("failed-model", WEBHOOK_SECRETS="env:SIGNS,secret:other")

    assert ran.code == 0, ran.err
    assert "with env:SIGNS" in ran.out


def test_without_a_secret_it_says_what_to_name(sender: Sender) -> None:
    ran = sender.send("failed-model")

    assert ran.code == 3
    assert "--unsigned" in ran.err


def test_a_secret_written_as_it_is_is_a_mistake_and_not_repeated(sender: Sender) -> None:
    ran = sender.send("failed-model", "--secret", SECRET)

    assert ran.code == 3
    assert "--secret: a secret is written here as it is" in ran.err
    assert SECRET not in ran.err


def test_a_wrong_secret_is_said(sender: Sender) -> None:
    ran = sender.send("failed-model", *SIGNED, SIGNS="another")

    assert ran.code == 4
    assert "the receiver does not know this" in ran.out


def test_unsigned_it_is_refused(sender: Sender) -> None:
    ran = sender.send("failed-model", "--unsigned", "--json")

    assert ran.code == 4
    assert (ran.data["status"], ran.data["signed_with"]) == (401, None)
    assert ran.data["meaning"] == "answered 401, as it should: it was not signed"


def test_a_receiver_that_takes_what_is_not_signed_is_found_out(sender: Sender) -> None:
    sender.side.receiver.faults.next(Fault("answer", status=202))

    ran = sender.send("failed-model", "--unsigned")

    assert ran.code == 1
    assert "anybody can send events there" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (Fault("answer", status=404), 4, "there is no receiver at this URL"),
        (Fault("answer", status=302), 4, "a redirect"),
        (Fault("answer", status=503), 5, "answered 503"),
        (Fault("cut"), 5, "broke the connection"),
    ],
)
def test_whatever_is_answered_has_a_meaning(
    sender: Sender, fault: Fault, code: int, says: str
) -> None:
    sender.side.receiver.faults.next(fault)

    ran = sender.send("failed-model", *SIGNED)

    assert ran.code == code
    assert says in " ".join(ran.out.split())


def test_nobody_there_is_said(sender: Sender) -> None:
    ran = sender.send("failed-model", *SIGNED, "--url", "http://127.0.0.1:9")

    assert ran.code == 5
    assert "could not be reached" in ran.out


@pytest.mark.parametrize("url", ["http://receiver.example", "receiver.example", "ftp://x.example"])
def test_nothing_goes_out_in_the_clear(sender: Sender, url: str) -> None:
    ran = sender.send("failed-model", *SIGNED, "--url", url)

    assert ran.code == 3
    assert "--url" in ran.err


def test_a_dry_run_shows_the_body_and_how_to_send_it_without_the_secret(sender: Sender) -> None:
    ran = sender.send("failed-model", *SIGNED, "--dry-run")

    assert ran.code == 0
    assert json.loads(ran.out)["eventType"] == "job.run.completed"
    assert "Content-Type, Authorization" in " ".join(ran.err.split())
    assert (
        "  curl -i -H 'Content-Type: application/json' -H \"Authorization: $SIGNATURE\"" in ran.err
    )
    assert SECRET not in ran.out + ran.err
    assert sender.taken == []


def test_a_dry_run_reads_no_secret(sender: Sender) -> None:
    ran = sender.send("failed-model", "--secret", "env:NOT_SET", "--dry-run", "--json")

    assert ran.code == 0
    assert ran.data["headers"] == ["Content-Type", "Authorization"]


def _wait_until_another_millisecond() -> None:
    now = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == now:
        pass
