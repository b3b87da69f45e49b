"""A backtest over runs that the lab's dbt Cloud has: real calls, over loopback."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.exits import Exit
from cli.history import Entry, History, write
from lab.dbt_cloud.access import METADATA_TOKEN
from lab.faults import Fault
from subscriber.run import Answer
from tests.builders import a_body
from tests.cli.fortnight import DAYS, Fortnight, a_fortnight
from tests.cli.running import Ran, afterrun

RUNS = DAYS * 4
FAILED = 2


@pytest.fixture
def fortnight(tmp_path: Path) -> Iterator[Fortnight]:
    with a_fortnight(tmp_path) as found:
        yield found


def backtest(fortnight: Fortnight, *arguments: str, **environ: str) -> Ran:
    return afterrun("backtest", *arguments, environ={**fortnight.environ, **environ})


def told(ran: Ran) -> list[tuple[str, str, str]]:
    return [(each["destination"], each["verb"], each["headline"]) for each in ran.data["told"]]


def test_a_fortnight_is_told_as_the_service_would_have(fortnight: Fortnight) -> None:
    ran = backtest(fortnight, "--json")

    failed = "Nightly build failed in Production: model orders: "
    assert ran.code == 0
    assert [each[:2] for each in told(ran)] == [
        ("oncall", "open"),
        ("oncall", "remind"),
        ("oncall", "remind"),
        ("oncall", "remind"),
        ("oncall", "close"),
    ]
    assert told(ran)[0][2].startswith(failed)
    assert ran.data["ended"] == {"succeeded": RUNS - FAILED, "failed": FAILED}
    assert ran.data["fetched"]["going_on"] == 1
    assert ran.data["rules"][1]["matched"] == 0


def test_people_read_who_would_have_been_told(fortnight: Fortnight) -> None:
    ran = backtest(fortnight)

    assert ran.code == 0
    assert f"on {RUNS} runs of 2 jobs ({FAILED} failed, {RUNS - FAILED} succeeded)" in " ".join(
        ran.out.split()
    )
    assert "staging is told" in ran.out
    assert "another environment (14); the run succeeded (42)" in " ".join(ran.out.split()) or (
        "the run succeeded (42); another environment (14)" in " ".join(ran.out.split())
    )
    assert "No problem was open at the end." in ran.out
    assert "Left out, since they go on still: 1 run." in ran.err


def test_good_runs_take_no_call_of_their_own(fortnight: Fortnight) -> None:
    backtest(fortnight)

    pages = 1
    assert fortnight.asked("/runs/") == pages + FAILED + fortnight.asked("/artifacts/")
    assert fortnight.asked("/artifacts/") == FAILED


WARNED = """
version: 1
dbt_cloud: {{token: env:LAB_TOKEN, base_url: "{served.base_url}",
            metadata_url: "{served.metadata_url}/graphql"}}
destinations:
  team: {{kind: slack, webhook_url: secret:nor-is-this}}
rules:
  - name: warnings of the nightly build
    when: {{outcome: warned, job: Nightly build}}
    then: [team]
"""


def test_good_runs_are_asked_about_where_a_rule_wants_to_know_their_nodes(
    fortnight: Fortnight,
) -> None:
    fortnight.configured(WARNED)
    fortnight.cloud.run(sample="warning")

    ran = backtest(fortnight, "--json")

    assert ran.data["fetched"]["asked"] == DAYS - FAILED + 1
    assert [each[:2] for each in told(ran)] == [("team", "open")]


BY_TRIGGER = """
version: 1
dbt_cloud: {{token: env:LAB_TOKEN, base_url: "{served.base_url}",
            metadata_url: "{served.metadata_url}/graphql"}}
destinations:
  report: {{kind: mode, workspace: acme, report: abc, token: secret:a, secret: secret:b}}
rules:
  - name: what was started by hand refreshes
    when: {{outcome: succeeded, trigger: ui}}
    then: [report]
"""


def test_what_the_list_says_of_a_good_run_is_enough_for_a_rule_about_triggers(
    fortnight: Fortnight,
) -> None:
    fortnight.configured(BY_TRIGGER)
    fortnight.cloud.run(cause_category="ui")

    ran = backtest(fortnight, "--json")

    assert [each[:2] for each in told(ran)] == [("report", "refresh")]
    assert ran.data["fetched"]["asked"] == 0


def test_only_runs_of_the_account_and_of_the_time_are_played_of_a_file_that_has_others(
    fortnight: Fortnight,
) -> None:
    file = fortnight.folder / "runs.jsonl"
    others = [a_body(account_id=17), a_body(account_id=fortnight.cloud.account_id, event_id="old")]
    of_now = datetime.now(UTC).isoformat().encode()
    others[0] = others[0].replace(b"2026-01-05T11:59:58.123456789Z", of_now)
    write(file, [Entry(body, Answer()) for body in others])

    ran = backtest(fortnight, "--json", "--save", str(file))

    assert ran.data["events"] == RUNS


def test_what_was_saved_plays_offline_to_the_same_end(fortnight: Fortnight) -> None:
    file = str(fortnight.folder / "runs.jsonl")
    online = backtest(fortnight, "--json", "--save", file)
    calls = len(fortnight.cloud.admin_calls)

    offline = backtest(fortnight, "--json", "--history", file, LAB_TOKEN="")

    assert offline.code == 0
    assert {**online.data, "fetched": None} == {**offline.data, "fetched": None}
    assert len(fortnight.cloud.admin_calls) == calls


def test_what_was_saved_is_not_fetched_again(fortnight: Fortnight) -> None:
    file = str(fortnight.folder / "runs.jsonl")
    first = backtest(fortnight, "--json", "--save", file)
    fortnight.cloud.run(sample="model_error")

    again = backtest(fortnight, "--json", "--save", file)

    assert again.data["fetched"]["kept_before"] == RUNS
    assert again.data["fetched"]["asked"] == 1
    assert len(again.data["told"]) == len(first.data["told"]) + 1


def test_what_was_fetched_for_less_is_asked_about_again(fortnight: Fortnight) -> None:
    file = str(fortnight.folder / "runs.jsonl")
    backtest(fortnight, "--save", file)
    fortnight.configured(WARNED)

    offline = backtest(fortnight, "--history", file)
    again = backtest(fortnight, "--json", "--save", file)

    assert f"of {DAYS - FAILED} runs it does not hold the nodes" in " ".join(offline.err.split())
    assert again.data["fetched"]["asked"] == DAYS - FAILED
    assert again.data["lacking"] == 0


def test_a_429_in_the_middle_ends_it_and_the_same_command_goes_on(fortnight: Fortnight) -> None:
    file = fortnight.folder / "runs.jsonl"
    fortnight.cloud.admin_faults.next(Fault("answer", status=429, path="/artifacts/"))

    stopped = backtest(fortnight, "--json", "--save", str(file))
    kept = len(History.of(file).places)
    again = backtest(fortnight, "--json", "--save", str(file))

    assert (stopped.code, stopped.out) == (Exit.BUSY, "")
    assert "127.0.0.1 answered 429: too many calls; it wants 5 minutes without any" in stopped.err
    assert f"{kept} runs kept in {file}" in stopped.err
    assert RUNS - FAILED <= kept < RUNS
    assert again.code == 0
    assert len(again.data["told"]) == 5


def test_a_429_for_the_list_of_runs_says_the_same(fortnight: Fortnight) -> None:
    fortnight.cloud.admin_faults.always(Fault("answer", status=429, path="/runs/"))

    ran = backtest(fortnight)

    assert ran.code == Exit.BUSY
    assert "it wants 5 minutes without any" in ran.err
    assert "with --save FILE the same command goes on" in ran.err


def test_an_api_that_does_not_answer_ends_it_soon(fortnight: Fortnight) -> None:
    fortnight.configured(WARNED)
    fortnight.cloud.admin_faults.always(Fault("answer", status=503, path="/artifacts/"))
    fortnight.cloud.discovery_faults.always(Fault("answer", status=503))

    ran = backtest(fortnight, "--json")

    assert ran.code == Exit.BUSY
    assert "answered 503" in ran.err


def test_one_run_about_which_nothing_can_be_had_does_not_hold_up_the_others(
    fortnight: Fortnight,
) -> None:
    (bad, _) = (run for run in fortnight.cloud.runs.values() if run.status == 20)
    fortnight.cloud.admin_faults.always(Fault("answer", status=500, path=f"/runs/{bad.id}/"))

    ran = backtest(fortnight, "--json")

    assert ran.code == 0
    assert told(ran)[0][1] == "open"
    assert any("answered 500" in note for note in ran.data["fetched"]["notes"])


def test_a_token_that_may_not_see_runs_is_refused_with_what_it_lacks(
    fortnight: Fortnight,
) -> None:
    ran = backtest(fortnight, LAB_TOKEN=METADATA_TOKEN)

    assert ran.code == Exit.REFUSED
    assert "shows this token no runs of account" in ran.err
    assert "may the token view jobs and runs?" in ran.err


def test_the_wrong_host_is_named_as_what_may_be_wrong(fortnight: Fortnight) -> None:
    ran = backtest(fortnight, LAB_TOKEN="dbtc_of_another_region")

    assert ran.code == Exit.REFUSED
    assert "must be your account's access URL" in ran.err
    assert "dbtc_of" not in ran.err


def test_a_missing_token_is_a_wrong_setting(fortnight: Fortnight) -> None:
    ran = backtest(fortnight, LAB_TOKEN="")

    assert ran.code != 0
    assert "LAB_TOKEN" in ran.err


def test_the_newest_runs_only_is_said(fortnight: Fortnight) -> None:
    ran = backtest(fortnight, "--limit", "10")

    assert "these are the newest runs only" in ran.err
    assert "(9 succeeded)" in ran.out


def test_a_list_that_the_token_may_not_read_is_said(fortnight: Fortnight) -> None:
    fortnight.cloud.admin_faults.always(Fault("answer", status=404, path="/environments/"))

    ran = backtest(fortnight)

    assert ran.code == 0
    assert "the token may not list environments: rules that name one match all" in ran.err


def test_an_account_without_runs_has_a_sentence(fortnight: Fortnight) -> None:
    fortnight.cloud.runs.clear()

    ran = backtest(fortnight, "--days", "3")

    assert (ran.code, ran.out) == (0, "No run ended in the last 3 days.\n")
    assert backtest(fortnight, "--json").data["told"] == []


def test_an_interrupt_keeps_what_was_fetched(fortnight: Fortnight, tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    fortnight.cloud.admin_faults.always(Fault("slow", seconds=20, path="/artifacts/"))
    command = [sys.executable, "-m", "cli", "backtest", "--save", str(file)]
    environ = {**os.environ, **fortnight.environ}

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
        while not fortnight.asked("/artifacts/"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert process.returncode == Exit.INTERRUPTED
    assert f"{RUNS - FAILED} runs kept in {file}" in " ".join(err.split())
    assert len(History.of(file).places) == RUNS - FAILED
