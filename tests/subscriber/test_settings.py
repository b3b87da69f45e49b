"""The subscriber's settings: environment and file, and what stops the start."""

import os
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Mistake
from subscriber import settings
from subscriber.destinations.mode import Mode
from subscriber.destinations.pagerduty import PagerDuty
from subscriber.push_auth import GOOGLE_CERTS_URL
from subscriber.settings import LedgerSettings, PushSettings, Settings

GUIDES = {"DBT_CLOUD_SERVICE_TOKEN": "token", "PD_ROUTING_KEY": "k" * 32}
ON_CLOUD_RUN = {"K_SERVICE": "afterrun", "LEDGER": "firestore:p/d", "PUSH_AUTH": "verify"}
PUSH = {"PUSH_AUDIENCE": "https://afterrun.example", "PUSH_SERVICE_ACCOUNT": "push@p.iam"}
MODE = dict.fromkeys(
    ["MODE_API_TOKEN", "MODE_API_SECRET", "MODE_WORKSPACE", "MODE_REPORT_TOKEN"], "x"
)
FILE = """\
version: 1
dbt_cloud: {token: env:DBT}
destinations:
  oncall: {kind: pagerduty, routing_key: secret:pd}
rules:
  - {name: page, when: {outcome: failed}, then: [oncall]}
"""


class Asked(dict[str, str]):
    """An environment that remembers which variables were asked for."""

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__(environ)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


@pytest.fixture(autouse=True)
def _in_a_folder_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(**environ: str) -> Settings:
    return settings.read(GUIDES | environ)


def mistake(**environ: str) -> str:
    with pytest.raises(Mistake) as raised:
        read(**environ)
    return str(raised.value)


def a_file(content: str | bytes, name: str = "afterrun.yaml") -> str:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def test_without_anything_else_the_guides_variables_are_enough() -> None:
    found = read()

    assert list(found.configuration.destinations) == ["pagerduty"]
    assert found.places.event_topic == "dbt-cloud-events"
    assert found.places.event_subscription == "dbt-cloud-events"
    assert found.places.dead_letter_topic == "dbt-cloud-events-dead-letters"
    assert found.places.dead_letter_subscription == "dbt-cloud-events-dead-letters"
    assert found.places.ledger == LedgerSettings("sqlite", "./afterrun.db")
    assert found.push == PushSettings("off")
    assert found.log_level == "INFO"
    assert (found.places.secret_manager_host, found.places.firestore_host) == (None, None)
    assert not found.places.is_emulated


def test_settings_may_be_shown() -> None:
    assert "k" * 32 not in repr(read())


def test_names_of_google_clouds_things_may_be_given() -> None:
    found = read(GOOGLE_CLOUD_PROJECT="acme", DEAD_LETTER_TOPIC="projects/x/topics/letters")

    assert found.places.project() == "acme"
    assert found.places.dead_letter_topic == "projects/x/topics/letters"


def test_the_subscription_of_dead_letters_is_named_as_their_topic() -> None:
    found = read(DEAD_LETTER_TOPIC="projects/x/topics/letters")

    assert found.places.dead_letter_subscription == "letters"


def test_the_subscription_of_events_is_named_as_their_topic() -> None:
    found = read(PUBSUB_TOPIC="projects/x/topics/runs")

    assert found.places.event_subscription == "runs"


def test_topics_and_subscriptions_may_have_other_names() -> None:
    found = read(
        PUBSUB_TOPIC="runs",
        PUBSUB_SUBSCRIPTION="runs-pulled",
        DEAD_LETTER_SUBSCRIPTION="projects/x/subscriptions/kept",
    )

    assert found.places.event_topic == "runs"
    assert found.places.event_subscription == "runs-pulled"
    assert found.places.dead_letter_subscription == "projects/x/subscriptions/kept"


@pytest.mark.parametrize("written", ["a b", "ab", "projects/x/topics/letters", "goog-letters"])
def test_what_is_no_name_of_a_subscription_is_a_mistake(written: str) -> None:
    assert mistake(DEAD_LETTER_SUBSCRIPTION=written) == (
        "DEAD_LETTER_SUBSCRIPTION: this is no name of a subscription; write a short one, for "
        "example dbt-cloud-events-dead-letters, or a full one, "
        "projects/PROJECT/subscriptions/dbt-cloud-events-dead-letters"
    )


def test_emulators_may_take_the_place_of_google_cloud() -> None:
    found = read(
        PUBSUB_EMULATOR_HOST="127.0.0.1:8085",
        FIRESTORE_EMULATOR_HOST="127.0.0.1:8086",
        SECRET_MANAGER_EMULATOR_HOST="[::1]:8087",
    )

    assert found.places.is_emulated
    assert found.places.firestore_host == "127.0.0.1:8086"
    assert found.places.secret_manager_host == "[::1]:8087"


@pytest.mark.parametrize(
    "name", ["PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "SECRET_MANAGER_EMULATOR_HOST"]
)
def test_an_emulator_that_is_no_host_and_port_is_a_mistake(name: str) -> None:
    said = mistake(**{name: "http://127.0.0.1:8085"})

    assert said == f"{name}: write host:port, for example 127.0.0.1:8085"


@pytest.mark.parametrize(
    ("written", "kind", "where"),
    [
        ("sqlite:./afterrun.db", "sqlite", "./afterrun.db"),
        ("sqlite:./a:b.db", "sqlite", "./a:b.db"),
        ("firestore:acme/afterrun", "firestore", "acme/afterrun"),
        ("firestore:acme/(default)", "firestore", "acme/(default)"),
        ("firestore:acme/", "firestore", "acme/(default)"),
        ("memory:", "memory", ""),
    ],
)
def test_the_ledger_is_one_of_three(written: str, kind: str, where: str) -> None:
    assert (read(LEDGER=written).places.ledger.kind, read(LEDGER=written).places.ledger.where) == (
        kind,
        where,
    )


@pytest.mark.parametrize(
    "written",
    [
        *("sqlite", "sqlite:", "SQLITE:x", "redis:localhost", "afterrun.db"),
        *("firestore:", "firestore:acme", "firestore:/d", "firestore:a/b/c"),
    ],
)
def test_any_other_ledger_is_a_mistake(written: str) -> None:
    said = "LEDGER: write sqlite:PATH, firestore:PROJECT/DATABASE or memory:"

    assert mistake(LEDGER=written) == said


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_cloud_run_keeps_no_disk_so_its_ledger_is_firestore(kind: str) -> None:
    said = mistake(**(ON_CLOUD_RUN | PUSH | {"LEDGER": f"{kind}:afterrun.db"}))

    assert said == (
        f"LEDGER: Cloud Run keeps nothing that {kind} holds; set it to firestore:PROJECT/DATABASE"
    )


def test_on_cloud_run_there_is_no_ledger_by_default() -> None:
    said = mistake(**(ON_CLOUD_RUN | PUSH | {"LEDGER": ""}))

    assert said == "LEDGER: missing; on Cloud Run, set it to firestore:PROJECT/DATABASE"


def test_on_cloud_run_it_starts_with_firestore_and_a_check_of_pushes() -> None:
    found = read(**(ON_CLOUD_RUN | PUSH))

    assert found.places.ledger == LedgerSettings("firestore", "p/d")
    assert found.push == PushSettings(
        "verify", "https://afterrun.example", "push@p.iam", GOOGLE_CERTS_URL
    )


@pytest.mark.parametrize(
    ("environ", "mode"),
    [
        ({}, "off"),
        ({"PUSH_AUTH": "off"}, "off"),
        ({"PUSH_AUTH": "OFF"} | PUSH, "off"),
        (PUSH, "verify"),
        ({"PUSH_AUTH": "Verify"} | PUSH, "verify"),
        ({"PUSH_AUTH": "platform"} | PUSH, "platform"),
        ({"PUSH_AUTH": "platform"} | PUSH | ON_CLOUD_RUN | {"PUSH_AUTH": "platform"}, "platform"),
    ],
)
def test_how_a_push_shows_that_it_is_ours_may_be_chosen(environ: dict[str, str], mode: str) -> None:
    assert read(**environ).push.mode == mode


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            ON_CLOUD_RUN | {"PUSH_AUTH": ""},
            (
                "PUSH_AUTH: missing; on Cloud Run, set it to platform (a private service) or "
                "verify, with PUSH_AUDIENCE and PUSH_SERVICE_ACCOUNT"
            ),
        ),
        (
            ON_CLOUD_RUN | PUSH | {"PUSH_AUTH": "off"},
            "PUSH_AUTH: `off` is for this machine and emulators, not for Cloud Run",
        ),
        (
            {"PUSH_AUTH": "none"},
            "PUSH_AUTH: write platform, verify or off",
        ),
        (
            {"PUSH_AUTH": "verify"},
            "PUSH_AUDIENCE: missing; PUSH_AUTH=verify compares the push token with it",
        ),
        (
            {"PUSH_AUDIENCE": "https://afterrun.example"},
            "PUSH_SERVICE_ACCOUNT: missing; PUSH_AUTH=verify compares the push token with it",
        ),
        (
            {"PUSH_AUTH": "platform", "PUSH_AUDIENCE": "x"},
            "PUSH_SERVICE_ACCOUNT: missing; PUSH_AUTH=platform compares the push token with it",
        ),
        (
            PUSH | {"PUSH_CERTS_URL": "http://certs.example/v1"},
            "PUSH_CERTS_URL: plain http is accepted for loopback addresses only; use https://",
        ),
        (
            {"LOG_LEVEL": "loud"},
            "LOG_LEVEL: unknown level; use one of DEBUG, INFO, WARNING, ERROR",
        ),
    ],
)
def test_what_would_leave_pushes_unchecked_stops_the_start(
    environ: dict[str, str], said: str
) -> None:
    assert mistake(**environ) == said


def test_certificates_may_come_from_elsewhere() -> None:
    found = read(**PUSH, PUSH_CERTS_URL="http://127.0.0.1:8080/certs")

    assert found.push.certs_url == "http://127.0.0.1:8080/certs"


def test_a_file_that_is_there_rules() -> None:
    a_file(FILE)

    found = settings.read({})

    assert list(found.configuration.destinations) == ["oncall"]
    assert [str(ref) for ref in settings.references(found.configuration)] == [
        "env:DBT",
        "secret:pd",
    ]
    assert found.configuration.warnings == ()


def test_former_routing_keys_and_those_of_owners_are_referred_to_as_well() -> None:
    key = "routing_key: secret:pd"
    a_file(
        FILE.replace(key, f"{key}, former_routing_keys: [env:PD_ROUTING_KEY, secret:old]")
        + "owners: {Finance: {pagerduty: env:MODE_API_TOKEN}, Ada: {slack: U012AB3CD}}\n"
    )

    found = read(PD_ROUTING_KEY="was", MODE_API_TOKEN="is").configuration

    assert [str(ref) for ref in settings.references(found)] == [
        *["env:DBT", "secret:pd", "env:PD_ROUTING_KEY", "secret:old", "env:MODE_API_TOKEN"]
    ]
    assert not [
        each for each in map(str, found.warnings) if "ROUTING_KEY" in each or "MODE" in each
    ]


def test_another_file_may_be_named() -> None:
    a_file("not: [valid", "afterrun.yaml")
    named = a_file(FILE, "rules.yaml")

    assert list(read(AFTERRUN_CONFIG=named).configuration.destinations) == ["oncall"]


def test_variables_of_the_guides_beside_a_file_are_worth_a_warning() -> None:
    a_file(FILE)

    found = read(DBT="token", MODE_WORKSPACE="acme")

    assert tuple(map(str, found.configuration.warnings)) == (
        "PD_ROUTING_KEY is set, but afterrun.yaml rules and does not refer to it",
        "MODE_WORKSPACE is set, but afterrun.yaml rules and does not refer to it",
        "DBT_CLOUD_SERVICE_TOKEN is set, but afterrun.yaml rules and does not refer to it",
    )


def test_a_file_that_is_named_but_missing_stops_the_start() -> None:
    said = mistake(AFTERRUN_CONFIG="missing.yaml")

    assert said == "AFTERRUN_CONFIG: missing.yaml cannot be read: No such file or directory"


def test_a_folder_is_no_file() -> None:
    Path("rules").mkdir()

    assert (
        mistake(AFTERRUN_CONFIG="rules") == "AFTERRUN_CONFIG: rules cannot be read: Is a directory"
    )


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing yet\n"])
def test_an_empty_file_is_a_mistake(content: str) -> None:
    a_file(content)

    assert mistake() == "afterrun.yaml:1:1: the file is empty; see afterrun.example.yaml"


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"\xff\xfev\x00", "1:1"), ("# ü\n".encode() + "name: größe".encode("latin-1"), "2:9")],
)
def test_a_file_that_is_not_utf8_is_a_mistake(content: bytes, place: str) -> None:
    a_file(content)

    assert mistake() == f"afterrun.yaml:{place}: not UTF-8 text"


def test_a_file_that_is_too_large_is_not_read_to_its_end() -> None:
    a_file("# " + "x" * 1_000_000)

    assert mistake() == "afterrun.yaml: larger than 1,000,000 bytes"


def test_a_mistake_in_the_file_is_said_with_its_name_as_it_was_given(tmp_path: Path) -> None:
    a_file(FILE.replace("secret:pd", "literal"), "rules.yaml")

    assert mistake(AFTERRUN_CONFIG=str(tmp_path / "rules.yaml")).startswith(
        f"{tmp_path / 'rules.yaml'}:4:29: destinations.oncall.routing_key: a secret is written here"
    )


def test_the_example_of_the_repository_is_valid(request: pytest.FixtureRequest) -> None:
    example = request.config.rootpath / "afterrun.example.yaml"

    found = settings.read({"AFTERRUN_CONFIG": os.fspath(example)}).configuration

    assert {type(each) for each in found.destinations.values()} >= {PagerDuty, Mode}
    assert found.warnings == ()


def test_the_page_of_settings_explains_each_variable_that_is_read(
    request: pytest.FixtureRequest,
) -> None:
    page = (request.config.rootpath / "docs" / "configuration.md").read_text(encoding="utf-8")
    asked = Asked(GUIDES | PUSH | {"PUSH_AUTH": "verify"} | MODE)

    settings.read(asked)

    assert len(asked.names) > 20
    assert [name for name in sorted(asked.names - {"K_SERVICE"}) if f"`{name}`" not in page] == []
