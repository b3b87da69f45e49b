import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import settings
from shared.errors import Mistake
from shared.settings import GoogleProject


def test_a_value_is_stripped() -> None:
    assert settings.text({"A": " value\n"}, "A") == "value"


@pytest.mark.parametrize("environ", [{}, {"A": ""}, {"A": "  "}])
def test_an_empty_variable_counts_as_not_set(environ: dict[str, str]) -> None:
    assert settings.text(environ, "A", "default") == "default"


@pytest.mark.parametrize(
    ("environ", "level"),
    [({}, "INFO"), ({"LOG_LEVEL": "debug"}, "DEBUG"), ({"LOG_LEVEL": "ERROR"}, "ERROR")],
)
def test_the_log_level_may_be_chosen(environ: dict[str, str], level: str) -> None:
    assert settings.log_level(environ) == level


def test_an_unknown_log_level_is_a_mistake_that_names_the_known_ones() -> None:
    with pytest.raises(Mistake, match=r"LOG_LEVEL: .* DEBUG, INFO, WARNING, ERROR"):
        settings.log_level({"LOG_LEVEL": "loud"})


def test_cloud_run_is_known_by_the_name_that_it_gives_a_service() -> None:
    assert settings.is_cloud_run({"K_SERVICE": "afterrun-receiver"})
    assert not settings.is_cloud_run({})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
def test_this_machine_is_loopback(host: str) -> None:
    assert settings.is_loopback(host)


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example.com", ""])
def test_another_machine_is_not(host: str) -> None:
    assert not settings.is_loopback(host)


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://cloud.getdbt.com", "https://cloud.getdbt.com"),
        ("https://ab123.us1.dbt.com/", "https://ab123.us1.dbt.com"),
        ("https://example.com:8443/base", "https://example.com:8443/base"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_url_is_https_or_on_this_machine(url: str, checked: str) -> None:
    assert settings.check_url(url) == checked


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("cloud.getdbt.com", "begins with https://"),
        ("", "begins with https://"),
        ("ftp://example.com", "begins with https://"),
        ("https://", "begins with https://"),
        ("https://[", "not a URL"),
        ("https://example.com:port", "not a URL"),
        ("https://example.com:99999", "not a URL"),
        ("https://exa mple.com", "not a URL"),
        ("https://example.com\nHost: x", "not a URL"),
        ("http://example.com", "plain http is accepted for loopback"),
        ("http://127.0.0.1.example.com", "plain http is accepted for loopback"),
        ("https://user:hunter2@example.com", "holds no credentials"),
    ],
)
def test_anything_else_is_a_mistake_that_does_not_repeat_it(url: str, fix: str) -> None:
    with pytest.raises(Mistake, match=fix) as mistake:
        settings.check_url(url)

    assert "example" not in str(mistake.value)


@given(st.text())
def test_no_url_fails_otherwise(text: str) -> None:
    for url in (text, f"https://{text}"):
        try:
            settings.check_url(url)
        except Mistake:
            continue


@pytest.mark.parametrize("host", ["127.0.0.1:8085", "localhost:8085", "pubsub:8085", "[::1]:8085"])
def test_an_emulator_is_named_by_host_and_port(host: str) -> None:
    assert settings.emulator_host({"PUBSUB_EMULATOR_HOST": host}, "PUBSUB_EMULATOR_HOST") == host


def test_no_emulator_is_the_default() -> None:
    assert settings.emulator_host({}, "PUBSUB_EMULATOR_HOST") is None


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        ":8085",
        "localhost:",
        "localhost:pubsub",
        "localhost:99999",
        "http://localhost:8085",
        "local host:8085",
    ],
)
def test_an_emulator_named_otherwise_is_a_mistake(host: str) -> None:
    with pytest.raises(Mistake, match="PUBSUB_EMULATOR_HOST: write host:port"):
        settings.emulator_host({"PUBSUB_EMULATOR_HOST": host}, "PUBSUB_EMULATOR_HOST")


def test_a_short_topic_is_of_our_project() -> None:
    acme = GoogleProject("acme")

    assert settings.topic_path("events", acme) == "projects/acme/topics/events"
    assert settings.subscription_path("kept", acme) == "projects/acme/subscriptions/kept"


def test_a_full_topic_needs_no_project() -> None:
    path = "projects/other/topics/events"

    assert settings.topic_path(path, GoogleProject(None)) == path


def test_without_a_project_the_failure_says_what_to_set() -> None:
    asking = "from shared.settings import GoogleProject; GoogleProject(None)()"
    nowhere = {"NO_GCE_CHECK": "true", "HOME": "/nonexistent", "CLOUDSDK_CONFIG": "/nonexistent"}

    asked = subprocess.run(
        [sys.executable, "-c", asking],
        env=nowhere | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert asked.returncode == 1
    assert "NotSet: no Google Cloud project is known: set GOOGLE_CLOUD_PROJECT" in (asked.stderr)


@pytest.mark.parametrize("host", ["127.0.0.1:8086", "localhost:8086", "[::1]:8086"])
def test_a_stand_in_for_secret_manager_is_on_this_machine(host):
    assert settings.secret_manager_host({"SECRET_MANAGER_EMULATOR_HOST": host}) == host


def test_secrets_are_not_asked_for_in_the_clear_over_a_network():
    with pytest.raises(Mistake, match="SECRET_MANAGER_EMULATOR_HOST: write a loopback address"):
        settings.secret_manager_host({"SECRET_MANAGER_EMULATOR_HOST": "10.0.0.7:8086"})
