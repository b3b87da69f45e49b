"""Settings: a mistake stops the start and says which variable, and never repeats a value."""

import pytest

from function import settings
from shared.errors import Mistake

LAB = {"GOOGLE_CLOUD_PROJECT": "lab", "PUBSUB_EMULATOR_HOST": "127.0.0.1:8085"}


def test_with_nothing_set_the_defaults_hold():
    read = settings.read({})

    assert read.topic == "dbt-cloud-events"
    assert read.secrets == ()
    assert read.pubsub_host is None
    assert read.log_level == "INFO"


def test_the_secrets_of_both_variables_add_up_each_once():
    read = settings.read(
        {
            "WEBHOOK_SECRETS": " secret:dbt-webhook , env:OTHER,,secret:dbt-webhook,",
            "DBT_CLOUD_AUTH_TOKEN": "file:/run/secrets/dbt",
        }
    )

    assert [str(ref) for ref in read.secrets] == [
        "secret:dbt-webhook",
        "env:OTHER",
        "file:/run/secrets/dbt",
    ]


def test_the_guides_plain_token_is_a_reference_to_its_own_variable():
    read = settings.read({"DBT_CLOUD_AUTH_TOKEN": "hush-hush"})

    assert [str(ref) for ref in read.secrets] == ["env:DBT_CLOUD_AUTH_TOKEN"]
    assert "hush-hush" not in repr(read)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"WEBHOOK_SECRETS": "secret:dbt-webhook,hush-hush"}, "WEBHOOK_SECRETS, entry 2"),
        ({"WEBHOOK_SECRETS": "secret:hush hush"}, "WEBHOOK_SECRETS, entry 1"),
        ({"DBT_CLOUD_AUTH_TOKEN": "secret:hush hush"}, "DBT_CLOUD_AUTH_TOKEN"),
        ({"PUBSUB_TOPIC": "hush hush"}, "PUBSUB_TOPIC"),
        ({"PUBSUB_TOPIC": "goog-hush"}, "PUBSUB_TOPIC"),
        ({"PUBSUB_TOPIC": "projects/hush"}, "PUBSUB_TOPIC"),
        ({"PUBSUB_EMULATOR_HOST": "hush"}, "PUBSUB_EMULATOR_HOST"),
        ({"SECRET_MANAGER_EMULATOR_HOST": "hush"}, "SECRET_MANAGER_EMULATOR_HOST"),
        ({"LOG_LEVEL": "hush"}, "LOG_LEVEL"),
        ({"PUBSUB_EMULATOR_HOST": "127.0.0.1:8085"}, "GOOGLE_CLOUD_PROJECT"),
        (
            {"SECRET_MANAGER_EMULATOR_HOST": "127.0.0.1:1", "WEBHOOK_SECRETS": "secret:dbt"},
            "GOOGLE_CLOUD_PROJECT",
        ),
    ],
)
def test_a_mistake_names_the_variable_and_repeats_no_value(environ: dict[str, str], named: str):
    with pytest.raises(Mistake) as mistake:
        settings.read(environ)

    assert str(mistake.value).startswith(named)
    assert "hush" not in str(mistake.value)


def test_an_emulator_needs_no_project_when_the_topic_s_name_is_full():
    environ = {"PUBSUB_EMULATOR_HOST": "127.0.0.1:8085", "PUBSUB_TOPIC": "projects/p/topics/events"}

    assert settings.read(environ).topic == "projects/p/topics/events"


def test_an_emulator_and_a_project_are_enough_for_a_lab():
    read = settings.read(LAB)

    assert read.pubsub_host == "127.0.0.1:8085"
    assert read.project() == "lab"
