"""The guides' variables: what they do without a file, and what is missing in an incomplete set."""

import pytest

from shared.errors import Mistake
from shared.secret_refs import SecretRef
from subscriber import guides
from subscriber.configuration import MAX_EVENT_AGE, Configuration
from subscriber.destinations.mode import Mode
from subscriber.destinations.pagerduty import PagerDuty
from subscriber.matching import judged
from subscriber.rules import Alert
from subscriber.run import Answer, Outcome, RunDetails
from tests.builders import an_event

TOKEN = {"DBT_CLOUD_SERVICE_TOKEN": "dbts_0123456789"}
PAGERDUTY = {"PD_ROUTING_KEY": "0123456789abcdef0123456789abcdef"}
MODE = {
    "MODE_API_TOKEN": "mode-token",
    "MODE_API_SECRET": "mode-secret",
    "MODE_WORKSPACE": "acme",
    "MODE_REPORT_TOKEN": "5f4dcc3b5aa7",
}
ALL = TOKEN | PAGERDUTY | MODE


def called(found: Configuration, outcome: Outcome, trigger: str = "scheduled") -> list[str]:
    answer = Answer(run=RunDetails(trigger=trigger))
    verdicts = judged(found, found.rules, an_event(), outcome, answer)
    return [name for verdict in verdicts for name in verdict.then]


def mistake(environ: dict[str, str]) -> str:
    with pytest.raises(Mistake) as raised:
        guides.configuration(environ)
    return str(raised.value)


def test_with_a_routing_key_failed_runs_page() -> None:
    found = guides.configuration(TOKEN | PAGERDUTY)

    assert isinstance(found.destinations["pagerduty"], PagerDuty)
    assert called(found, Outcome.FAILED) == ["pagerduty"]
    assert called(found, Outcome.SUCCEEDED) == []


def test_with_modes_variables_good_runs_refresh_the_report() -> None:
    found = guides.configuration(TOKEN | MODE)

    mode = found.destinations["mode"]
    assert isinstance(mode, Mode)
    assert (mode.workspace, mode.report) == ("acme", "5f4dcc3b5aa7")
    assert called(found, Outcome.SUCCEEDED) == ["mode"]
    assert called(found, Outcome.FAILED) == []


def test_with_both_each_does_its_part() -> None:
    found = guides.configuration(ALL)

    assert called(found, Outcome.FAILED) == ["pagerduty"]
    assert called(found, Outcome.SUCCEEDED) == ["mode"]


@pytest.mark.parametrize("trigger", ["ci", "merge"])
def test_runs_that_test_a_change_do_neither(trigger: str) -> None:
    found = guides.configuration(ALL)

    assert called(found, Outcome.FAILED, trigger) == []
    assert called(found, Outcome.SUCCEEDED, trigger) == []


def test_a_run_whose_trigger_nobody_knows_is_taken_for_production() -> None:
    found = guides.configuration(ALL)

    assert called(found, Outcome.FAILED, "") == ["pagerduty"]


def test_the_guides_rules_keep_the_defaults_of_a_file() -> None:
    found = guides.configuration(ALL)

    assert found.max_event_age == MAX_EVENT_AGE
    assert [rule.alert for rule in found.rules] == [Alert(), Alert()]
    assert (found.overrides, found.owners, found.lines) == ((), {}, None)


def test_a_variable_that_holds_a_secret_is_where_the_secret_is_kept() -> None:
    found = guides.configuration(ALL)

    refs = found.destinations["mode"].secret_refs() | found.destinations["pagerduty"].secret_refs()
    assert refs == {
        "token": SecretRef("env", "MODE_API_TOKEN"),
        "secret": SecretRef("env", "MODE_API_SECRET"),
        "routing_key": SecretRef("env", "PD_ROUTING_KEY"),
    }
    assert found.dbt_cloud.token.get_secret_value() == "env:DBT_CLOUD_SERVICE_TOKEN"
    assert not [value for value in ALL.values() if "0123456789" in value and value in repr(found)]


def test_a_variable_may_hold_a_reference() -> None:
    found = guides.configuration(
        {"DBT_CLOUD_SERVICE_TOKEN": "secret:dbt@2", "PD_ROUTING_KEY": " file:/run/secrets/pd\n"}
    )

    assert found.dbt_cloud.token.get_secret_value() == "secret:dbt@2"
    assert found.destinations["pagerduty"].secret_refs() == {
        "routing_key": SecretRef("file", "/run/secrets/pd")
    }


def test_dbt_clouds_variables_say_where_it_is_and_which_accounts_are_ours() -> None:
    found = guides.configuration(
        TOKEN
        | PAGERDUTY
        | {
            "DBT_CLOUD_HOST": "https://ab123.us1.dbt.com/",
            "DBT_CLOUD_ACCOUNT_ID": "1, 9007199254740993 3",
            "DBT_CLOUD_BASE_URL": "http://127.0.0.1:8080/",
            "DBT_CLOUD_METADATA_URL": "https://metadata.example",
        }
    )

    assert found.dbt_cloud.host == "ab123.us1.dbt.com"
    assert found.dbt_cloud.accounts == (1, 9007199254740993, 3)
    assert found.dbt_cloud.base_url == "http://127.0.0.1:8080"
    assert found.dbt_cloud.metadata_url == "https://metadata.example"


def test_what_is_not_set_has_a_default() -> None:
    found = guides.configuration(ALL | {"DBT_CLOUD_HOST": " ", "PD_BASE_URL": ""})

    assert found.dbt_cloud.host == "cloud.getdbt.com"
    assert found.dbt_cloud.accounts == ()
    assert found.destinations["pagerduty"].base_url == "https://events.pagerduty.com"
    assert found.destinations["mode"].base_url == "https://app.mode.com"


def test_destinations_may_be_elsewhere() -> None:
    found = guides.configuration(
        ALL
        | {"PD_BASE_URL": "https://events.eu.pagerduty.com", "MODE_BASE_URL": "http://localhost:1"}
    )

    assert found.destinations["pagerduty"].base_url == "https://events.eu.pagerduty.com"
    assert found.destinations["mode"].base_url == "http://localhost:1"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {},
            (
                "nothing to do: write afterrun.yaml (see afterrun.example.yaml), or set "
                "PD_ROUTING_KEY, or MODE_API_TOKEN, MODE_API_SECRET, MODE_WORKSPACE, "
                "MODE_REPORT_TOKEN"
            ),
        ),
        (TOKEN | {"PD_ROUTING_KEY": "  "}, "nothing to do: "),
        (PAGERDUTY, "DBT_CLOUD_SERVICE_TOKEN: missing; a service token that may read runs"),
        (
            TOKEN | {"MODE_API_TOKEN": "a"},
            (
                "MODE_API_SECRET, MODE_WORKSPACE, MODE_REPORT_TOKEN: missing, and needed with "
                "MODE_API_TOKEN"
            ),
        ),
        (
            ALL | {"MODE_API_SECRET": ""},
            (
                "MODE_API_SECRET: missing, and needed with "
                "MODE_API_TOKEN, MODE_WORKSPACE, MODE_REPORT_TOKEN"
            ),
        ),
        (
            TOKEN | MODE | {"PD_BASE_URL": "https://events.eu.pagerduty.com"},
            "PD_ROUTING_KEY: missing, and needed with PD_BASE_URL",
        ),
        (
            ALL | {"PD_ROUTING_KEY": "secret:my key"},
            (
                "PD_ROUTING_KEY: this secret: reference is malformed; write secret:NAME, "
                "secret:NAME@VERSION, env:NAME or file:/path"
            ),
        ),
        (
            ALL | {"DBT_CLOUD_SERVICE_TOKEN": "env:1TOKEN"},
            "DBT_CLOUD_SERVICE_TOKEN: this env: reference is malformed; write ",
        ),
        (
            ALL | {"DBT_CLOUD_ACCOUNT_ID": "1, acme"},
            "DBT_CLOUD_ACCOUNT_ID: write a whole number here",
        ),
        (
            ALL | {"DBT_CLOUD_HOST": "ab123.us1.dbt.com/deploy"},
            "DBT_CLOUD_HOST: write the host of your access URL, such as ab123.us1.dbt.com",
        ),
        (
            ALL | {"PD_BASE_URL": "http://events.pagerduty.com"},
            "PD_BASE_URL: plain http is accepted for loopback addresses only; use https://",
        ),
        (
            ALL | {"MODE_BASE_URL": "app.mode.com"},
            "MODE_BASE_URL: this is not a URL; it begins with https://",
        ),
        (
            ALL | {"MODE_WORKSPACE": ".."},
            "MODE_WORKSPACE: this is empty; copy it from the report's URL",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named(environ: dict[str, str], said: str) -> None:
    told = mistake(environ)

    assert told == said or (said.endswith(" ") and told.startswith(said))
    assert not [value for value in ALL.values() if value in told and value != "acme"]


def test_variables_beside_a_file_are_told_unless_it_refers_to_them() -> None:
    environ = ALL | {"PD_BASE_URL": "https://events.eu.pagerduty.com", "DBT_CLOUD_HOST": ""}
    references = [SecretRef("env", "MODE_API_TOKEN"), SecretRef("secret", "PD_ROUTING_KEY")]

    assert guides.set_beside(environ, references) == [
        "PD_ROUTING_KEY",
        "PD_BASE_URL",
        "MODE_API_SECRET",
        "MODE_WORKSPACE",
        "MODE_REPORT_TOKEN",
        "DBT_CLOUD_SERVICE_TOKEN",
    ]
    assert guides.set_beside({}, references) == []
