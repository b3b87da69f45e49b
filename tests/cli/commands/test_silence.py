"""afterrun silence: made, listed and ended by hand."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.commands.silence import show_list
from cli.events.open_alerts import known
from cli.exits import Exit
from cli.silence.authors import author
from subscriber.silences import Silence, Silences
from tests.builders import NOW
from tests.cli.nights import Night, Place
from tests.cli.running import Ran
from tests.subscriber.runs import ORDERS

BASE = ("--for", "2h", "--comment", "warehouse moves", "--author", "Ada")


@pytest.fixture
def here(here: Place) -> Place:
    here.night.runs.fails(100, ORDERS)
    return here


def add(place: Place, *arguments: str) -> Ran:
    return place.run("silence", "add", *BASE, *arguments)


def test_a_silence_holds_back_what_it_matches_until_it_is_ended(place: Place) -> None:
    place.night.runs.fails(100, ORDERS)

    made = add(place, "--job", "Daily build", "--destination", "oncall")
    id_ = made.out.split()[0]
    listed = place.run("silence", "list")
    ended = place.run("silence", "expire", id_)

    assert made.code == listed.code == ended.code == 0
    assert "1 open alert matches; what follows is held back:" in made.out
    assert "oncall  Daily build / Production, afterrun/1/job/7/100" in made.out
    assert f"afterrun silence expire {id_}" in made.out
    assert f"{id_}  active  until " in listed.out
    assert "matches destination: oncall; job: Daily build" in listed.out
    assert ended.out == f"{id_}  ended: warehouse moves\n"
    assert place.run("silence", "list").out == "No silence is active.\n"


def test_it_is_what_the_subscriber_goes_by(here: Place) -> None:
    add(here, "--environment", "Production")
    here.night.clock.now = datetime.now(UTC) + timedelta(minutes=1)

    here.night.runs.fails(101, "model.shop.items")

    assert here.night.story.alerts.verbs() == ["open afterrun/1/job/7/100"]
    assert "silenced: by Ada" in here.run("event", "101").out


def test_repeated_options_are_lists(here: Place) -> None:
    made = add(here, "--job", "7", "--job", "!8", "--node", "orders", "--account", "1", "--json")

    assert made.data["matchers"] == {"job": ["7", "!8"], "node": ["orders"], "account": ["1"]}
    assert [each["destination"] for each in made.data["holds_back"]] == ["oncall", "people"]


def test_one_alert_is_silenced_by_its_key(here: Place) -> None:
    made = add(here, "--episode", "afterrun/1/job/7/100", "--json")
    other = add(here, "--episode", "afterrun/1/job/7/99", "--json")

    assert len(made.data["holds_back"]) == 2
    assert other.data["holds_back"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--job", "Daly build"], "no event that came lately has such a job"),
        (["--environment", "Prod"], "no event that came lately has such a environment"),
        (["--project", "404"], "no event that came lately has such a project"),
    ],
)
def test_a_name_that_nothing_has_is_perhaps_misspelt(
    options: list[str], said: str, here: Place
) -> None:
    ran = add(here, *options)

    assert ran.code == 0
    assert said in ran.err


def test_a_name_that_is_not_known_of_an_event_is_no_reason_to_warn(place: Place) -> None:
    place.night.runs.fails(100, ORDERS, environmentName="")

    assert "is it spelt right" not in add(place, "--environment", "Production").err


def test_a_destination_that_is_not_configured_is_perhaps_misspelt(
    here: Place, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "version: 1\ndbt_cloud: {token: env:T}\n"
        "destinations: {oncall: {kind: pagerduty, routing_key: env:K}}\n"
        "rules: [{name: r, when: {outcome: failed}, then: [oncall]}]\n"
    )
    here.environ["AFTERRUN_CONFIG"] = str(rules)

    assert "has no such destination; it has oncall" in add(here, "--destination", "slak").err
    assert "no such destination" not in add(here, "--destination", "on*").err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "a silence needs an episode or one of"),
        (["--account", "acme"], "an account has no name"),
        (["--job", "7", "--job", "!7"], "it can never match"),
        (["--episode", "7"], "an episode is named by its key"),
    ],
)
def test_what_can_never_match_is_refused(options: list[str], said: str, here: Place) -> None:
    ran = add(here, *options)

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert said in ran.err
    assert here.run("silence", "list", "--json").data == []


@pytest.mark.parametrize(
    "options",
    [
        ["--comment", "x", "--job", "7"],
        ["--for", "2h", "--job", "7"],
        ["--for", "for ever", "--comment", "x", "--job", "7"],
    ],
)
def test_a_length_and_a_comment_have_to_be_given(options: list[str], here: Place) -> None:
    assert here.run("silence", "add", *options).code == Exit.USAGE


def test_who_made_it_is_said_and_where_that_is_from(here: Place) -> None:
    ran = here.run("silence", "add", "--for", "1h", "--comment", "x", "--job", "7")

    who = author()
    assert f"by {who.name}" in ran.out.replace("\n         ", "")
    assert f"from {who.source}; --author names another" in " ".join(ran.err.split())


def test_without_git_it_is_the_user_at_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "ada")

    found = author()

    assert found.source == "user@host"
    assert found.name.startswith("ada@")


def test_in_git_it_is_who_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "config", "user.email", "ada@example.com"], check=True)

    assert author().name == "ada@example.com"
    assert author("Grace").name == "Grace"


def test_all_are_ended_only_when_somebody_says_so(here: Place) -> None:
    ids = {add(here, "--job", str(job), "--json").data["id"] for job in (7, 8)}

    nobody = here.run("silence", "expire", "--all")
    assert nobody.code == Exit.USAGE
    assert "say --yes" in nobody.err
    assert len(here.run("silence", "list", "--json").data) == 2

    ended = here.run("silence", "expire", "--all", "--yes", "--json")
    assert {each["id"] for each in ended.data} == ids
    assert here.run("silence", "expire", "--all").out == "No silence is active.\n"


def test_what_has_ended_is_listed_with_all_for_a_week(here: Place) -> None:
    id_ = add(here, "--job", "7", "--json").data["id"]
    here.run("silence", "expire", id_)

    listed, everything = here.run("silence", "list"), here.run("silence", "list", "--all")

    assert listed.out == "No silence is active.\n"
    assert "1 ended in the last week: --all" in listed.err
    assert f"{id_}  ended" in everything.out
    assert "had ended at" in here.run("silence", "expire", id_).out


def test_an_id_that_is_not_there_ends_the_others_all_the_same(here: Place) -> None:
    id_ = add(here, "--job", "7", "--json").data["id"]

    ran = here.run("silence", "expire", "00000000", f" {id_} ")

    assert ran.code == Exit.REFUSED
    assert f"{id_}  ended" in ran.out
    assert "no silence has the id 00000000" in ran.err


def test_ids_and_all_are_not_said_together(here: Place) -> None:
    assert here.run("silence", "expire", "a", "--all").code == Exit.USAGE
    assert here.run("silence", "expire").code == Exit.USAGE


def test_open_alerts_of_refreshes_and_nodes_are_known_too() -> None:
    night = Night().fails_to_refresh()
    night.runs.fails(701, ORDERS)

    found = known(night.ledger, night.clock())

    assert {each.slot for each in found.open} == {
        ("oncall", "job/7"),
        ("people", "job/7"),
        ("people", "refresh/report"),
    }


def test_a_list_reads_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ends = NOW + timedelta(hours=2)
    silence = Silence("5115e9ce", NOW, ends, "Ada", "new warehouse", {"job": ("Daily *",)})
    ended = Silence("0a0b0c0d", NOW, NOW + timedelta(minutes=1), "Ada", "test", {"job": ("7",)})

    show_list([silence, ended], NOW + timedelta(minutes=2))

    assert capsys.readouterr().out == (
        "5115e9ce  active  until 2026-01-05 14:00:00 UTC (in 1 h 58 min), by Ada\n"
        "          new warehouse\n"
        "          matches job: Daily *\n"
        "0a0b0c0d  ended  2026-01-05 12:01:00 UTC (1 min ago), by Ada\n"
        "          test\n"
        "          matches job: 7\n"
    )


def test_the_silences_of_a_command_are_those_of_the_ledger(here: Place) -> None:
    made = Silences(here.night.ledger, lambda: datetime.now(UTC)).add(
        length=timedelta(hours=1), author="Grace", comment="x", matchers={"job": 7}
    )

    (listed,) = here.run("silence", "list", "--json").data
    assert (listed["id"], listed["author"], listed["is_active"]) == (made.id, "Grace", True)
