"""afterrun events and afterrun event, run as a person runs them."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from cli.exits import Exit
from subscriber.ledger.contract import Change
from tests.cli.nights import Place, a_whole_night
from tests.cli.running import afterrun
from tests.emulators import ON_FIRESTORE

NOWHERE = "127.0.0.1:9"


def test_events_are_listed_with_what_was_told_of_each(place: Place) -> None:
    place.night.is_refused_by_people().passes(10)
    place.night.matches_nothing()

    ran = place.run("events")

    assert (ran.code, ran.err) == (0, "")
    title, staging, production, reason, more = ran.out.splitlines()
    assert " ".join(title.split()) == "TIME (UTC) JOB / ENVIRONMENT RUN OUTCOME TOLD"
    assert " ".join(staging.split()[2:]) == "Daily build / Staging 500 failed no rule matches"
    assert "300  failed   people open refused, +1" in production
    assert "people open: slack.com answered channel_not_found" in f"{reason} {more}"


def test_where_there_is_little_room_the_job_is_whole_rather_than_its_environment(
    here: Place,
) -> None:
    here.night.is_refused_by_people()

    ran = here.run("events", columns=65)

    assert "  Daily build        300  " in ran.out


def test_each_is_an_object_of_json(here: Place) -> None:
    a_whole_night(here.night)

    ran = here.run("events", "--json", "--problems", "--limit", "1")

    (event,) = ran.data
    assert event["run_id"] == "600"
    assert event["job"] == {"id": "7", "name": "Daily build"}
    assert (event["outcome"], event["is_settled"], event["told"]) == ("waits", False, [])
    assert "There are more: --limit 5, or --since, --job, --outcome" in ran.err


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        (["--job", "Hourly*"], ["700"]),
        (["--environment", "staging", "--environment", "dev"], ["500"]),
        (["--outcome", "succeeded", "--since", "1h"], ["700", "301"]),
        (["--problems", "--outcome", "failed"], ["600", "400", "300"]),
        (["--outcome", "given up"], []),
    ],
)
def test_options_leave_out_what_is_not_asked_for(
    options: list[str], runs: list[str], here: Place
) -> None:
    a_whole_night(here.night)

    assert [each["run_id"] for each in here.run("events", "--json", *options).data] == runs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "soon"], "write a duration, such as 90s, 10m, 24h or 7d"),
        (["--outcome", "bad"], "write one of failed, succeeded, warned"),
        (["--limit", "0"], "greater than or equal to 1"),
        (["--job", ""], "this is empty"),
    ],
)
def test_what_cannot_be_meant_is_a_wrong_command_line(
    options: list[str], said: str, here: Place
) -> None:
    here.night.matches_nothing()

    ran = here.run("events", *options)

    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert said in " ".join(ran.err.split())


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_it_follows_until_it_is_interrupted(as_json: list[str], here: Place) -> None:
    here.night.matches_nothing()
    command = [sys.executable, "-m", "cli", "events", "--follow", "--ledger", here.where]
    environ = {**os.environ, "COLUMNS": "80"}
    root = Path(__file__).parents[3]

    with subprocess.Popen(
        [*command, *as_json], stdout=subprocess.PIPE, text=True, env=environ, cwd=root
    ) as following:
        assert following.stdout
        lines = [following.stdout.readline() for _ in range(1 if as_json else 2)]
        following.send_signal(signal.SIGINT)

    assert following.returncode == Exit.INTERRUPTED
    if as_json:
        assert json.loads(lines[0])["run_id"] == "500"
    else:
        assert "no rule matches" in lines[1]


def test_a_time_longer_than_any_is_all_there_is(here: Place) -> None:
    here.night.matches_nothing()

    assert len(here.run("events", "--json", "--since", "9999999d").data) == 1


@pytest.mark.parametrize("name", ["", " ", "\udcff", "a\x00b"])
def test_what_is_no_name_is_a_wrong_command_line(name: str, here: Place) -> None:
    here.night.is_unreadable()

    ran = here.run("event", name)

    assert (ran.code, ran.out) == (Exit.USAGE, "")


def test_state_of_another_version_hides_the_alerts_and_nothing_else(here: Place) -> None:
    here.night.runs.fails(100, "model.shop.orders")
    (subject,) = here.night.ledger.subjects(["1/job/7/55"])
    here.night.ledger.decide([Change(subject, {"version": 99})], [])

    ran = here.run("event", "100")

    assert ran.code == 0
    assert "oncall open  delivered" in ran.out
    assert "its alerts cannot be shown: LEDGER: it holds state of another version" in (
        " ".join(ran.err.split())
    )


def test_an_empty_ledger_is_a_sentence(here: Place) -> None:
    here.night.ledger.check()

    assert here.run("events").out == "No event is recorded that is asked for.\n"


def test_the_life_of_an_event_is_told(place: Place) -> None:
    place.night.pages_updates_and_recovers()

    ran = place.run("event", "wev_2")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Daily build / Production: run 101, failed\n")
    assert "oncall update  delivered" in ran.out
    assert "close   run 102    delivered" in ran.out


def test_a_run_is_all_its_events(here: Place) -> None:
    here.night.waits_for_metadata()
    here.night.runs.fails(600, "model.shop.orders")

    text, found = here.run("event", "600"), here.run("event", "600", "--json")

    assert text.out.count("Daily build / Production: run 600") == 2
    assert [each["event_id"] for each in found.data] == ["wev_e", "wev_1"]
    assert found.data[1]["verdict"] == "Told as decided: all was delivered."
    assert found.data[1]["alerts"][0]["key"] == "afterrun/1/job/7/600"


def test_nothing_of_that_name_says_where_it_was_looked_for(here: Place) -> None:
    here.night.matches_nothing()

    ran = here.run("event", "wev_404")

    assert (ran.code, ran.out) == (Exit.REFUSED, "")
    assert "an event wev_404 is not among the 1 that are recorded" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_what_others_wrote_moves_no_cursor_and_shows_no_secret(here: Place) -> None:
    here.night.runs.fails(
        100, "model.shop.orders", jobName="\x1b[2J\nbuild\u202e password=hunter2hunter2"
    )

    out = here.run("events").out + here.run("event", "100").out

    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "hunter2" not in out


@pytest.mark.parametrize("command", [["events"], ["event", "1"], ["silence", "list"]])
@pytest.mark.parametrize(
    ("version", "said"), [(1, "by an older version"), (99, "by a newer version")]
)
def test_a_ledger_of_another_version_is_refused_with_the_way_out(
    command: list[str], version: int, said: str, here: Place, tmp_path: Path
) -> None:
    here.night.matches_nothing()
    other = tmp_path / "other.db"
    here.night.ledger.close()  # type: ignore[attr-defined]
    other.write_bytes((tmp_path / "afterrun.db").read_bytes())
    with sqlite3.connect(other) as file:
        file.execute(f"PRAGMA user_version = {version}")
    file.close()

    ran = afterrun(*command, "--ledger", f"sqlite:{other}")

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert said in ran.err


def test_an_empty_file_is_no_ledger_and_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()

    ran = afterrun("events", "--ledger", f"sqlite:{path}")

    assert ran.code == Exit.MISTAKE
    assert "there is no file" in ran.err
    assert path.stat().st_size == 0


@ON_FIRESTORE
def test_a_database_in_which_nothing_was_recorded_is_not_made_ours(firestore_emulator: str) -> None:
    project = f"cli-{uuid4().hex[:12]}"
    environ = {"FIRESTORE_EMULATOR_HOST": firestore_emulator}
    where = f"firestore:{project}/afterrun"

    for command in (["events"], ["silence", "add", "--for", "1h", "--comment", "x", "--job", "7"]):
        ran = afterrun(*command, "--ledger", where, environ=environ)

        assert (ran.code, ran.out) == (Exit.MISTAKE, "")
        assert "nothing was ever recorded in this Firestore database" in ran.err


def test_a_ledger_that_cannot_be_reached_may_be_later() -> None:
    ran = afterrun(
        "events",
        "--ledger",
        "firestore:p/afterrun",
        environ={"FIRESTORE_EMULATOR_HOST": NOWHERE},
    )

    assert (ran.code, ran.out) == (Exit.BUSY, "")
    assert ran.err.startswith("error: Firestore")


def test_where_there_are_no_credentials_it_says_how_to_get_them(tmp_path: Path) -> None:
    ran = afterrun(
        "events",
        "--ledger",
        "firestore:p/afterrun",
        environ={
            "GOOGLE_APPLICATION_CREDENTIALS": "",
            "CLOUDSDK_CONFIG": str(tmp_path),
            "HOME": str(tmp_path),
            "NO_GCE_CHECK": "true",
        },
    )

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert "run `gcloud auth application-default login`" in ran.err
