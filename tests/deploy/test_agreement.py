"""What is deployed, and the program that runs there: they must agree on every name."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

import function.settings
import subscriber.settings
from deploy.names import CONFIG_PATH, Deployment
from deploy.services import receiver
from deploy.services import subscriber as subscribing
from deploy.step import Command, told
from deploy.watching import files
from lab import functions
from shared.secret_refs import SecretRef
from subscriber.ledger.contract import Kind, Work
from subscriber.ledger.sqlite import SqliteLedger
from subscriber.settings import LedgerSettings, PushSettings
from tests.deploy.cloud import IMAGE, PROJECT, Cloud, a_deployment, deploy_steps

ROOT = Path(__file__).parent.parent.parent
SUBSCRIPTIONS = f"pubsub/projects/{PROJECT}/subscriptions"
KNOWN_TO_THE_FRAMEWORK = {"FUNCTION_SOURCE", "FUNCTION_TARGET", "THREADS"}


def variables(arguments: Command) -> dict[str, str]:
    given = [each.removeprefix("--set-env-vars=") for each in arguments if "--set-env-vars" in each]
    return dict(each.removeprefix("^;^").split("=", 1) for each in given)


def on_cloud_run(arguments: Command) -> dict[str, str]:
    """The environment of the deployed service."""
    return {**variables(arguments), "K_SERVICE": "afterrun", "PORT": "8080"}


def test_the_build_deploys_what_is_deployed_of_an_image_that_exists(tmp_path: Path) -> None:
    it = a_deployment(tmp_path)
    image = f"{it.region}-docker.pkg.dev/{PROJECT}/afterrun/afterrun:{it.version}"
    given = {"_REGION": it.region, "_TAG": it.version, "_CONFIG_VERSION": "3"}

    built = deploy_steps(given)

    known = {"CONFIG_VERSION": "3"}
    assert [sorted(each) for each in built] == [
        sorted(told(each(it, image), known)) for each in (receiver, subscribing)
    ]


def test_the_receiver_starts_with_what_it_is_given(deployment: Deployment) -> None:
    settings = function.settings.read(on_cloud_run(receiver(deployment, IMAGE)))

    assert settings.topic == "dbt-cloud-events"
    assert settings.project.configured == PROJECT
    assert settings.secrets == (SecretRef("secret", "dbt-cloud-webhook"),)
    assert settings.pubsub_host is None


def test_the_subscriber_starts_with_what_it_is_given(deployment: Deployment) -> None:
    environ = on_cloud_run(subscribing(deployment, IMAGE))
    assert environ["AFTERRUN_CONFIG"] == CONFIG_PATH

    settings = subscriber.settings.read({**environ, "AFTERRUN_CONFIG": deployment.config_file})

    assert settings.places.ledger == LedgerSettings("firestore", f"{PROJECT}/afterrun")
    assert settings.places.dead_letter_topic == "dbt-cloud-events-dead-letters"
    assert settings.places.dead_letter_subscription == "dbt-cloud-events-dead-letters"
    assert settings.places.event_topic == "dbt-cloud-events"
    assert settings.push.mode == "platform"
    assert settings.configuration.warnings == ()


@pytest.mark.parametrize(
    ("arguments", "folder"), [(receiver, "function"), (subscribing, "subscriber")]
)
def test_every_variable_is_one_that_the_program_reads(
    deployment: Deployment, arguments: Any, folder: str
) -> None:
    sources = [*(ROOT / folder).rglob("settings.py"), ROOT / "shared/settings.py"]
    read = "\n".join(path.read_text(encoding="utf-8") for path in sources)

    given = set(variables(arguments(deployment, IMAGE))) - KNOWN_TO_THE_FRAMEWORK

    assert [name for name in given if f'"{name}"' not in read] == []


def test_pushes_say_who_they_are_as_the_subscriber_wants_to_hear_it(
    cloud: Cloud, deployment: Deployment
) -> None:
    environ = on_cloud_run(subscribing(deployment, IMAGE))
    expected = subscriber.settings.read({**environ, "AFTERRUN_CONFIG": deployment.config_file})
    cloud.deploy(deployment)

    for name in ("dbt-cloud-events", "dbt-cloud-ticks"):
        push = cloud.google.things[f"{SUBSCRIPTIONS}/{name}"]["pushConfig"]
        token = push["oidcToken"]
        said = PushSettings("platform", token["audience"], token["serviceAccountEmail"])
        assert said == expected.push
        assert push["pushEndpoint"] == f"{token['audience']}/"


@pytest.fixture
def running(tmp_path: Path, deployment: Deployment) -> Iterator[functions.Function]:
    """The subscriber with what it is given there, but for what only Google has."""
    environ = {
        **variables(subscribing(deployment, IMAGE)),
        "AFTERRUN_CONFIG": deployment.config_file,
        "LEDGER": f"sqlite:{tmp_path}/afterrun.db",
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:9",
        "SECRET_MANAGER_EMULATOR_HOST": "127.0.0.1:9",
        "LOG_LEVEL": "DEBUG",
    }
    source, target = environ.pop("FUNCTION_SOURCE"), environ.pop("FUNCTION_TARGET")
    with functions.running("subscriber", source, target, environ, cwd=tmp_path) as function:
        yield function


def pushed(google: Any, audience: str = "") -> tuple[dict[str, str], dict[str, Any]]:
    """The push that the tick becomes, headers and body: of what gcloud told Cloud Scheduler."""
    (job,) = [each for key, each in google.things.items() if key.startswith("cloudscheduler/")]
    target = job["pubsubTarget"]
    subscription = google.things[f"{SUBSCRIPTIONS}/dbt-cloud-ticks"]
    assert target["topicName"] == subscription["topic"]
    told_it = subscription["pushConfig"]["oidcToken"]
    claims = {
        "iss": "https://accounts.google.com",
        "aud": audience or told_it["audience"],
        "email": told_it["serviceAccountEmail"],
        "email_verified": True,
        "exp": int(datetime.now(UTC).timestamp()) + 3600,
        "iat": int(datetime.now(UTC).timestamp()),
    }
    # as Cloud Run hands it on: verified, and its signature taken away
    parts = [_base64({"alg": "RS256", "kid": "1"}), _base64(claims), "SIGNATURE_REMOVED_BY_GOOGLE"]
    message = {
        "data": target["data"],
        "attributes": target.get("attributes", {}),
        "messageId": "1",
        "publishTime": "2026-01-05T12:00:00.123Z",
    }
    name = f"projects/{PROJECT}/subscriptions/dbt-cloud-ticks"
    headers = {"Authorization": f"Bearer {'.'.join(parts)}"}
    return headers, {"message": message, "subscription": name}


def _base64(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_the_tick_of_the_deployment_makes_the_subscriber_take_up_what_is_due(
    cloud: Cloud, deployment: Deployment, tmp_path: Path, running: functions.Function
) -> None:
    cloud.deploy(deployment)
    ledger, long_ago = SqliteLedger(tmp_path / "afterrun.db"), datetime(2026, 1, 5, tzinfo=UTC)
    ledger.record(Work("event/1/1", Kind.EVENT, {"event": "{}"}, long_ago, long_ago))
    headers, body = pushed(cloud.google)

    answer = requests.post(running.url, json=body, headers=headers, timeout=60)

    taken_up = ledger.work("event/1/1")
    assert answer.status_code == 200
    assert taken_up is not None
    assert taken_up.attempts == 1


def test_a_push_for_somebody_else_is_refused(
    cloud: Cloud, deployment: Deployment, running: functions.Function
) -> None:
    cloud.deploy(deployment)
    headers, body = pushed(cloud.google, audience="https://another.example")

    answer = requests.post(running.url, json=body, headers=headers, timeout=60)

    assert answer.status_code == 401


def test_what_is_counted_in_the_logs_is_what_is_logged() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("function", "subscriber", "shared")
        for path in (ROOT / folder).rglob("*.py")
    )
    filters = [metric["filter"] for _, metric in files("metrics")]
    texts = re.findall(r"jsonPayload\.message=\(([^)]*)\)", " ".join(filters))
    counted = [text for group in texts for text in re.findall(r'"([^"]+)"', group)]
    started = re.findall(r'textPayload:"([^"]+)"', " ".join(filters))

    assert len(counted) == 3
    assert [text for text in counted if f'"{text}"' not in sources] == []
    assert started == ["cannot start"]
    assert sources.count("cannot start. {mistake}") == 2


def test_every_policy_is_about_something_that_is_there(cloud: Cloud, tmp_path: Path) -> None:
    cloud.deploy(a_deployment(tmp_path, image=IMAGE))
    there = set(cloud.google.things)

    for path, policy in files("policies"):
        (condition,) = policy["conditions"]
        (kind,) = set(condition) - {"displayName"}
        named = condition[kind]["filter"]
        assert "resource.type=" in named, path
        for subscription in re.findall(r'subscription_id="([^"]+)"', named):
            assert f"{SUBSCRIPTIONS}/{subscription}" in there
        for service in re.findall(r'service_name="([^"]+)"', named):
            assert f"run/namespaces/{PROJECT}/services/{service}" in there
        for metric in re.findall(r"logging\.googleapis\.com/user/(\w+)", named):
            assert f"logging/projects/{PROJECT}/metrics/{metric}" in there


def test_every_policy_says_what_to_do() -> None:
    policies = [policy for _, policy in files("policies")]

    assert len(policies) == 7
    assert all(len(each["documentation"]["content"]) > 80 for each in policies)
    assert all(each["userLabels"] == {"app": "afterrun"} for each in policies)
