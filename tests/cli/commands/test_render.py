"""render: what each destination would be told of a sample, with nothing sent and no secret."""

import json
from pathlib import Path

import pytest

from cli.exits import Exit
from subscriber import destinations
from tests.cli.commands.test_explain import RULES
from tests.cli.golden import is_golden
from tests.cli.running import Ran, afterrun

SECRETS = {"PD_KEY": "k" * 32, "SLACK_TOKEN": "xoxb-0123456789", "MT": "mode-token", "MS": "mode-s"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afterrun.yaml").write_text(RULES)
    return tmp_path


def rendered(*arguments: str) -> Ran:
    ran = afterrun("render", *arguments, environ=SECRETS)
    assert ran.code == 0, ran.err
    return ran


def test_it_reads_well() -> None:
    assert is_golden("render.txt", rendered().out)


def test_what_reads_the_same_is_shown_once() -> None:
    ran = rendered("--sample", "failed-test")

    assert "oncall (pagerduty), data-alerts (slack), finance (email): open" in ran.out
    assert ran.out.count("✗ Failed") == 1


def test_a_destination_may_be_named() -> None:
    found = rendered("revenue", "--json").data

    assert [(each["destination"], each["verb"]) for each in found] == [("revenue", "refresh")]


def test_the_payload_of_one_destination_is_for_other_programs() -> None:
    payload = json.loads(rendered("data-alerts", "--payload").out)

    assert payload["channel"] == "C0123456789"


def test_no_secret_is_shown_though_there_are_some() -> None:
    for arguments in ((), ("--payload",), ("--json",)):
        out = rendered(*arguments).out

        assert [secret for secret in SECRETS.values() if secret in out] == []


@pytest.mark.parametrize("kind", destinations.names())
def test_a_kind_is_seen_without_a_configuration(kind: str, folder: Path) -> None:
    (folder / "afterrun.yaml").unlink()

    (found,) = rendered("--kind", kind, "--json").data

    assert found["kind"] == kind
    assert found["payload"]


def test_several_kinds_are_seen_together() -> None:
    found = rendered("--kind", "slack", "--kind", "teams", "--verb", "close", "--json").data

    assert [(each["kind"], each["verb"]) for each in found] == [
        ("slack", "close"),
        ("teams", "close"),
    ]


def test_an_e_mails_html_is_written_to_be_looked_at(folder: Path) -> None:
    ran = rendered("--html", "mail.html")

    html = (folder / "mail.html").read_text(encoding="utf-8")
    assert ran.out == ""
    assert html.startswith("<!DOCTYPE html>")
    assert "Conversion Error" in html


def test_without_an_e_mail_there_is_no_html() -> None:
    ran = afterrun("render", "oncall", "--html", "mail.html")

    assert ran.code == Exit.MISTAKE
    assert "this is no e-mail" in ran.err


def test_html_goes_to_a_file_that_can_be_written() -> None:
    ran = afterrun("render", "finance", "--html", "no/mail.html")

    assert ran.code == Exit.MISTAKE
    assert "no/mail.html cannot be written" in ran.err


def test_the_samples_are_listed() -> None:
    assert "failed-model" in rendered("--list").out
    assert rendered("--list", "--json").data[0] == {
        "name": "failed-model",
        "about": "a model has a database error; 11 nodes after it are skipped",
    }


def test_what_is_told_to_nobody_is_found_and_said() -> None:
    ran = afterrun("render", "oncall", "--sample", "succeeded", "--verb", "tell")

    assert ran.code == Exit.FOUND
    assert "pagerduty hears of problems only" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["finanze"], "there is no destination `finanze`; did you mean `finance`?"),
        (["--kind", "slak"], "there is no kind `slak`; did you mean `slack`?"),
        (["--sample", "warnd"], "there is no sample `warnd`; did you mean `warned`?"),
        (["oncall", "--kind", "slack"], "leave the names of destinations out"),
    ],
)
def test_what_nobody_knows_is_a_mistake(arguments: list[str], said: str) -> None:
    ran = afterrun("render", *arguments)

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert said in ran.err


def test_without_a_configuration_it_says_what_can_be_seen_all_the_same(folder: Path) -> None:
    (folder / "afterrun.yaml").unlink()

    ran = afterrun("render")

    assert ran.code == Exit.MISTAKE
    assert "--kind" in ran.err


def test_it_fits_a_narrow_terminal() -> None:
    lines = afterrun("render", columns=40).out.splitlines()

    too_wide = [line for line in lines if len(line) > 40]
    # a commit and an address are as long as they are
    assert [line for line in too_wide if len(max(line.split(), key=len)) < 30] == []
