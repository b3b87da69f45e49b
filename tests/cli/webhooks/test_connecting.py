"""Which account's webhooks a command is about, and with which token."""

import socket
from pathlib import Path

import pytest

from lab.dbt_cloud import access
from tests.cli.webhooks.side import Side


def test_the_only_account_that_the_token_can_see_is_taken(side: Side) -> None:
    side.configure()

    assert side.run("list").code == 0


def test_one_of_several_accounts_must_be_chosen(side: Side) -> None:
    side.configure(accounts=[1, side.cloud.account_id])

    ran = side.run("list")

    assert ran.code == 3
    assert f"(1, {side.cloud.account_id}): choose one with --account" in ran.err
    assert side.run("list", "--account", str(side.cloud.account_id)).code == 0


def test_an_account_is_a_number(side: Side) -> None:
    ran = side.run("list", "--account", "teahouse/..")

    assert ran.code == 3
    assert "--account: write its number" in ran.err


def test_an_account_that_is_not_there_may_be_another_tokens(side: Side) -> None:
    ran = side.run("list", "--account", "7")

    assert ran.code == 4
    assert "this token may not see it" in ran.err


def test_another_token_than_the_configurations_can_be_named(side: Side, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(access.MANAGER_TOKEN)

    refused = side.create()
    assert refused.code == 0
    ran = side.run("list", "--token", f"file:{tmp_path}/token", DBT_TOKEN="dbtc_wrong")

    assert ran.code == 0


def test_a_token_written_as_it_is_is_a_mistake_and_not_repeated(side: Side) -> None:
    ran = side.run("list", "--token", access.MANAGER_TOKEN)

    assert ran.code == 3
    assert "--token: a secret is written here as it is" in ran.err
    assert access.MANAGER_TOKEN not in ran.err


def test_a_token_that_is_not_set_is_named(side: Side) -> None:
    ran = side.run("list", DBT_TOKEN="")

    assert ran.code == 3
    assert "env:DBT_TOKEN" in ran.err


def test_without_a_configuration_a_token_and_a_host_are_enough(
    side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afterrun.yaml").unlink()
    named = ("list", "--token", "env:DBT_TOKEN", "--host", side.served.base_url)

    assert side.run(*named, AFTERRUN_CONFIG="").code == 0


def test_without_a_configuration_the_guides_variables_are_enough(
    side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afterrun.yaml").unlink()

    ran = side.run(
        "list",
        AFTERRUN_CONFIG="",
        DBT_CLOUD_SERVICE_TOKEN=access.MANAGER_TOKEN,
        DBT_CLOUD_BASE_URL=side.served.base_url,
    )

    assert ran.code == 0, ran.err


def test_without_anything_it_says_what_to_name(
    side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afterrun.yaml").unlink()

    ran = side.run("list", AFTERRUN_CONFIG="")

    assert ran.code == 3
    assert "--token env:NAME --host" in ran.err


@pytest.mark.parametrize(
    "host", ["http://ab123.us1.dbt.com", "https://u:p@ab123.us1.dbt.com", "a b"]
)
def test_a_host_that_leads_nowhere_safe_is_a_mistake(side: Side, host: str) -> None:
    ran = side.run("list", "--host", host)

    assert ran.code == 3
    assert "--host:" in ran.err


def test_a_host_that_does_not_answer_is_said_with_what_to_look_at(side: Side) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    ran = side.run("list", "--host", f"http://127.0.0.1:{port}")

    assert ran.code == 5
    assert "is the host right (`dbt_cloud.host`), and is there a network?" in ran.err
