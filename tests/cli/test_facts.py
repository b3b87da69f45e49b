"""What is known of one thing, and words of our own, on a terminal."""

import pytest

from cli import output
from cli.output import Own

URL = "https://receiver-0123456789.europe-west1.run.app/a/rather/long/path"


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")


def test_values_stand_under_each_other_and_empty_ones_are_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.facts([("id", "wsu_1"), ("description", ""), ("events", "completed, errored")])

    assert capsys.readouterr().out == "id      wsu_1\nevents  completed, errored\n"


def test_what_is_long_goes_on_below_itself(capsys: pytest.CaptureFixture[str]) -> None:
    output.facts([("result", "answered 401, wrong signature: the receiver does not know it")])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("result  answered 401")
    assert all(line.startswith("        ") and len(line) <= 40 for line in lines[1:])


def test_a_url_is_never_broken(capsys: pytest.CaptureFixture[str]) -> None:
    output.facts([("URL", URL)])

    assert capsys.readouterr().out == f"URL  {URL}\n"


def test_a_command_is_never_broken(capsys: pytest.CaptureFixture[str]) -> None:
    output.command(f"afterrun webhooks update wsu_1 --url {URL}")

    assert capsys.readouterr().err == f"  afterrun webhooks update wsu_1 --url {URL}\n"


def test_in_words_of_others_what_looks_like_a_secret_is_not_shown() -> None:
    assert "hunter2" not in output.shown("token: hunter2")


def test_in_words_of_our_own_a_reference_is_shown() -> None:
    assert output.shown(Own("it is at secret:dbt-webhook\x1b[2J")) == "it is at secret:dbt-webhook"


def test_a_failure_names_the_reference_that_it_is_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.failed("dbt_cloud.token: secret:dbt-token cannot be read")

    assert "secret:dbt-token" in capsys.readouterr().err
