"""What `afterrun work` says before it works; that it works is in tests/end_to_end/test_work.py."""

from pathlib import Path

import pytest

from cli.exits import Exit
from tests.cli.running import afterrun

GUIDES = {"DBT_CLOUD_SERVICE_TOKEN": "dbt-token", "PD_ROUTING_KEY": "k" * 32}
NOBODY = {"PUBSUB_EMULATOR_HOST": "127.0.0.1:9", "GOOGLE_CLOUD_PROJECT": "lab", **GUIDES}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DBT_CLOUD_SERVICE_TOKEN", "PD_ROUTING_KEY", "PUBSUB_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_configuration_it_does_not_start() -> None:
    ran = afterrun("work")

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert "nothing to do: write afterrun.yaml" in ran.err


def test_a_wrong_name_of_a_subscription_is_a_mistake() -> None:
    ran = afterrun("work", "--subscription", "a b", environ=NOBODY)

    assert ran.code == Exit.MISTAKE
    assert ran.err.startswith("error: PUBSUB_SUBSCRIPTION: this is no name of a subscription")


def test_a_ledger_that_cannot_be_made_is_a_mistake() -> None:
    ran = afterrun("work", "--ledger", "sqlite:/nowhere/afterrun.db", environ=NOBODY)

    assert ran.code == Exit.MISTAKE
    assert ran.err == (
        "error: LEDGER: the folder of /nowhere/afterrun.db does not exist; create it, or name "
        "another place\n"
    )


def test_a_ledger_that_is_something_else_is_a_mistake() -> None:
    Path("afterrun.db").write_text("not a database, but long enough to be looked at closely" * 20)

    ran = afterrun("work", environ=NOBODY)

    assert ran.code == Exit.MISTAKE
    assert "it is no SQLite file" in ran.err


def test_a_pubsub_that_does_not_answer_is_a_reason_to_try_later() -> None:
    # how a push shows that it is ours does not matter here
    ran = afterrun("work", environ=NOBODY | {"PUSH_AUTH": "nonsense"})

    assert (ran.code, ran.out) == (Exit.BUSY, "")
    assert ran.err == (
        "error: Pub/Sub does not answer at 127.0.0.1:9 (ServiceUnavailable); "
        "is the network there?\n"
    )


@pytest.mark.parametrize("seconds", ["0", "-1", "86400", "soon"])
def test_a_tick_that_makes_no_sense_is_a_wrong_command_line(seconds: str) -> None:
    ran = afterrun("work", "--tick", seconds, environ=NOBODY)

    assert ran.code == Exit.USAGE
