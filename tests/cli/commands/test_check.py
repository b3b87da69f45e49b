"""afterrun check: what is wrong with a configuration, for people and for programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cli.check import schema
from cli.exits import Exit
from lab.dbt_cloud.access import METADATA_TOKEN, TOKEN
from lab.dbt_cloud.cloud import DbtCloud
from lab.faults import Fault
from subscriber.yaml_lines import parse
from tests.cli.running import Ran, afterrun

GOOD = """\
version: 1
dbt_cloud:
  token: env:TOKEN
destinations:
  oncall: {kind: pagerduty, routing_key: secret:pd}
  data-team: {kind: pagerduty, routing_key: secret:team}
  chat: {kind: slack, webhook_url: secret:chat}
rules:
  - name: page
    when: {outcome: failed, environment: Production}
    then: [oncall, data-team]
  - name: tell
    when: {outcome: warned}
    then: [chat]
"""
QUIET = dict.fromkeys(
    [
        *("PD_ROUTING_KEY", "PD_BASE_URL", "DBT_CLOUD_SERVICE_TOKEN", "DBT_CLOUD_HOST"),
        *("MODE_API_TOKEN", "MODE_API_SECRET", "MODE_WORKSPACE", "MODE_REPORT_TOKEN"),
        *("K_SERVICE", "PUSH_AUTH", "DBT_CLOUD_ACCOUNT_ID", "DBT_CLOUD_BASE_URL"),
    ],
    "",
)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(text: str | bytes | None, *arguments: str, **environ: str) -> Ran:
    """What is said of a file that holds `text`."""
    if text is not None:
        Path("afterrun.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return afterrun("check", *arguments, environ=QUIET | environ)


def test_what_is_right_is_said_in_one_line() -> None:
    ran = check(GOOD)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == ("afterrun.yaml is right: 2 rules, 3 destinations (2 pagerduty, slack).\n")


def test_mistakes_are_said_with_their_places_and_how_many_there_are() -> None:
    ran = check(
        GOOD.replace("secret:pd", "0123456789abcdef").replace("outcome: warned", "outcom: warned")
    )

    assert (ran.code, ran.err) == (Exit.FOUND, "")
    assert ran.out == (
        "afterrun.yaml:5:29: destinations.oncall.routing_key: a secret is written here as it is; "
        "write where it is kept: secret:NAME, secret:NAME@VERSION, env:NAME or file:/path\n"
        "afterrun.yaml:13:5: rules[1].when: `outcome` is missing\n"
        "afterrun.yaml:13:12: rules[1].when.outcom: unknown key; did you mean `outcome`?\n"
        "afterrun.yaml: 3 mistakes.\n"
    )


def test_a_warning_is_said_and_stops_nothing_unless_asked_to() -> None:
    text = GOOD.replace(", data-team]", "]")

    ran, strict = check(text), check(text, "--strict")

    assert (ran.code, strict.code) == (0, Exit.FOUND)
    assert ran.out == (
        "afterrun.yaml:6:3: warning: destinations.data-team: no rule names this destination\n"
        "afterrun.yaml: 1 warning; 2 rules, 3 destinations (2 pagerduty, slack).\n"
    )


def test_programs_get_each_finding_with_its_place() -> None:
    ran = check(GOOD.replace(", data-team]", "]"), "--json")

    assert ran.data == {
        "ok": True,
        "file": "afterrun.yaml",
        "findings": [
            {
                "file": "afterrun.yaml",
                "line": 6,
                "column": 3,
                "key": "destinations.data-team",
                "message": "no rule names this destination",
                "severity": "warning",
            }
        ],
        "rules": 2,
        "destinations": {"pagerduty": 2, "slack": 1},
    }


def test_programs_get_mistakes_too() -> None:
    ran = check("a: [1\n", "--json")

    assert ran.code == Exit.FOUND
    assert (ran.data["ok"], ran.data["rules"]) == (False, None)
    (finding,) = ran.data["findings"]
    assert (finding["line"], finding["column"], finding["key"]) == (2, 1, None)
    assert finding["severity"] == "mistake"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "afterrun.yaml:1:1: the file is empty; see afterrun.example.yaml"),
        (b"\x7fELF\xff\x00", "afterrun.yaml:1:5: not UTF-8 text"),
        (b"PK\x03\x04", "afterrun.yaml:1:3: not YAML: a character that may not be in it"),
        (b"# " + b"x" * 1_000_000, "afterrun.yaml: larger than 1,000,000 bytes"),
        (b"just text", "afterrun.yaml:1:1: write keys and values here"),
        (b"a: b: c", "afterrun.yaml:1:5: not YAML: mapping values are not allowed here"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_clear_line(text: bytes, said: str) -> None:
    ran = check(text)

    assert ran.code == Exit.FOUND
    assert ran.out == f"{said}\nafterrun.yaml: 1 mistake.\n"


@pytest.mark.parametrize("arguments", [("other.yaml",), ("-c", "other.yaml"), ("folder",)])
def test_a_file_that_cannot_be_read_is_a_mistake_of_whoever_named_it(
    arguments: tuple[str, ...],
) -> None:
    Path("folder").mkdir()

    ran = check(GOOD, *arguments)

    assert (ran.code, ran.out) == (Exit.MISTAKE, "")
    assert ran.err.startswith(f"error: {arguments[-1]} cannot be read: ")


def test_the_file_may_be_named_or_be_the_one_of_the_environment() -> None:
    Path("rules.yaml").write_text(GOOD)

    said = [check(None, "rules.yaml").out, check(None, "--config", "rules.yaml").out]
    said += [check(None, AFTERRUN_CONFIG="rules.yaml").out]

    assert set(said) == {"rules.yaml is right: 2 rules, 3 destinations (2 pagerduty, slack).\n"}


def test_without_a_file_the_guides_variables_are_looked_at() -> None:
    ran = check(None, DBT_CLOUD_SERVICE_TOKEN="t", PD_ROUTING_KEY="k" * 32)

    assert ran.code == 0
    assert ran.out == (
        "The guides' variables (there is no afterrun.yaml here) are right: 1 rule, 1 destination "
        "(pagerduty).\n"
    )


def test_what_is_wrong_with_a_variable_is_said_with_its_name() -> None:
    ran = check(None, "--json", DBT_CLOUD_SERVICE_TOKEN="t", PD_ROUTING_KEY="secret:a b")

    (finding,) = ran.data["findings"]
    assert (ran.code, finding["key"], finding["file"]) == (Exit.FOUND, "PD_ROUTING_KEY", None)
    assert "malformed" in finding["message"]


def test_where_there_is_nothing_it_says_what_to_write() -> None:
    ran = check(None)

    assert ran.code == Exit.FOUND
    assert "nothing to do: write afterrun.yaml" in ran.out


def test_a_variable_beside_a_file_is_a_warning_without_a_place() -> None:
    ran = check(GOOD, PD_ROUTING_KEY="k" * 32)

    assert ran.code == 0
    assert ran.out.startswith(
        "warning: PD_ROUTING_KEY is set, but afterrun.yaml rules and does not refer to it\n"
    )


def test_what_somebody_wrote_cannot_move_the_cursor() -> None:
    ran = check('version: 1\ndestinations: {"\\e[2J\\e[31mred": {kind: x}}\n')

    assert "\x1b" not in ran.out
    assert "destinations" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [("--schema", "--settings"), ("--online", "--schema"), ("a.yaml", "-c", "b.yaml"), ("a", "b")],
)
def test_what_contradicts_itself_is_a_wrong_command_line(arguments: tuple[str, ...]) -> None:
    assert check(GOOD, *arguments).code == Exit.USAGE


def test_the_schema_is_printed_and_takes_what_is_right() -> None:
    ran = check(None, "--schema")

    assert ran.out == schema.text()
    assert Draft202012Validator(ran.data).is_valid(parse(GOOD, "f")[0])


# --settings


def test_every_variable_is_printed_with_what_is_set_here_but_no_secret() -> None:
    ran = check(
        GOOD,
        "--settings",
        "--json",
        WEBHOOK_SECRETS="secret:dbt-webhook, hunter2hunter2",
        GOOGLE_CLOUD_PROJECT="acme",
        PD_ROUTING_KEY="0123456789abcdef0123456789abcdef",
        DBT_CLOUD_BASE_URL="https://user:hunter2@dbt.example",
    )

    here = {each["name"]: each["here"] for each in ran.data["variables"] if each["here"]}
    assert here == {
        "WEBHOOK_SECRETS": "secret:dbt-webhook, set, not shown",
        "GOOGLE_CLOUD_PROJECT": "acme",
        "PD_ROUTING_KEY": "set, not shown",
        "DBT_CLOUD_BASE_URL": "set, not shown",
    }
    assert "hunter2" not in ran.out + ran.err
    assert ran.data["referred_to"] == {"TOKEN": False}


def test_what_would_stop_a_function_is_said_below_the_variables() -> None:
    ran = check(GOOD, "--settings", LEDGER="redis:localhost", WEBHOOK_SECRETS="hunter2hunter2")

    assert ran.code == Exit.FOUND
    assert "The receiver would not start here: WEBHOOK_SECRETS, entry 1: " in ran.out
    assert "The subscriber would not start here: LEDGER: write sqlite:PATH" in ran.out
    assert "hunter2" not in ran.out


@pytest.mark.parametrize("columns", [40, 80])
def test_the_variables_can_be_read_on_any_terminal(columns: int) -> None:
    Path("afterrun.yaml").write_text(GOOD)

    ran = afterrun("check", "--settings", columns=columns, environ=QUIET)

    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= columns
    assert "SECRET_MANAGER_EMULATOR_HOST" in ran.out


# --online, against a dbt Cloud over loopback


@pytest.fixture
def cloud() -> DbtCloud:
    return DbtCloud()


@contextmanager
def served(cloud: DbtCloud, text: str = GOOD) -> Iterator[str]:
    with cloud.running() as running:
        yield text.replace("token: env:TOKEN", f"token: env:TOKEN\n  base_url: {running.base_url}")


def test_names_that_the_account_has_are_right(cloud: DbtCloud) -> None:
    with served(cloud) as text:
        ran = check(text, "--online", TOKEN=TOKEN)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("afterrun.yaml is right:")


def test_a_name_that_nothing_bears_is_said_with_its_place_and_what_may_be_meant(
    cloud: DbtCloud,
) -> None:
    with served(cloud, GOOD.replace("Production", "Prodcution")) as text:
        ran = check(text, "--online", TOKEN=TOKEN)

    assert ran.code == Exit.FOUND
    assert ran.out == (
        "afterrun.yaml:11:29: rules[0].when.environment: no environment bears this name; "
        "did you mean `Production`?\nafterrun.yaml: 1 mistake; 2 rules, 3 destinations "
        "(2 pagerduty, slack).\n"
    )


def test_an_account_that_the_token_does_not_see_is_said(cloud: DbtCloud) -> None:
    other = GOOD.replace("env:TOKEN\n", f"env:TOKEN\n  accounts: [{cloud.account_id}, 77]\n")

    with served(cloud, other) as text:
        ran = check(text, "--online", "--json", TOKEN=TOKEN)

    (finding,) = ran.data["findings"]
    assert (finding["line"], finding["key"]) == (5, "dbt_cloud.accounts[1]")
    assert finding["message"] == (f"the token does not see this account, only {cloud.account_id}")


@pytest.mark.parametrize(
    ("token", "code", "said"),
    [
        ("wrong", Exit.REFUSED, "127.0.0.1 answered 401, invalid token: it is mistyped"),
        (METADATA_TOKEN, Exit.REFUSED, "shows this token none of the projects, environments"),
        ("", Exit.MISTAKE, "the secret env:TOKEN is empty or not set"),
    ],
)
def test_a_token_that_does_not_do_is_one_line(
    cloud: DbtCloud, token: str, code: Exit, said: str
) -> None:
    with served(cloud) as text:
        ran = check(text, "--online", TOKEN=token)

    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert "wrong" not in ran.err


def test_a_dbt_cloud_that_does_not_answer_is_a_reason_to_try_again(cloud: DbtCloud) -> None:
    with served(cloud) as text:
        pass

    ran = check(text, "--online", TOKEN=TOKEN)

    assert (ran.code, ran.out) == (Exit.BUSY, "")
    assert "127.0.0.1" in ran.err


def test_what_answers_but_is_no_dbt_cloud_is_said(cloud: DbtCloud) -> None:
    cloud.admin_faults.always(Fault("answer", status=200, body="<html>"))

    with served(cloud) as text:
        ran = check(text, "--online", TOKEN=TOKEN)

    assert ran.code in (Exit.REFUSED, Exit.BUSY)
    assert ran.err.startswith("error: ")


def test_nothing_is_compared_while_there_are_mistakes(cloud: DbtCloud) -> None:
    with served(cloud, GOOD.replace("secret:pd", "literal")) as text:
        ran = check(text, "--online", TOKEN=TOKEN)

    assert ran.code == Exit.FOUND
    assert ran.err == "Not compared with dbt Cloud: mend this first.\n"
    assert cloud.admin_calls.all == []
