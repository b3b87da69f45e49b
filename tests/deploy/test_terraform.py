"""The Terraform module and the deployment: the same things, with the same settings."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy import messages, services
from deploy.accounts import APIS
from deploy.names import ACCOUNTS, Deployment
from deploy.services import receiver, subscriber
from deploy.step import Command, told
from deploy.steps import steps
from tests.deploy import hcl
from tests.deploy.cloud import IMAGE, PROJECT, REGION, a_deployment
from tests.deploy.google import NUMBER
from tests.deploy.hcl import Block
from tests.deploy.test_agreement import variables

MODULE = Path(__file__).parent.parent.parent / "deploy/terraform"
ALERTS = "google_monitoring_alert_policy.policy"

# what a step is called, and the resource that is the same
SAME = {
    rf"{len(APIS)} APIs": "google_project_service.api",
    r"Pub/Sub's own account": "google_project_service_identity.pubsub",
    r"account afterrun-(receiver|subscriber|push)": "google_service_account.account",
    r"topic .*": "google_pubsub_topic.topic",
    "receiver may publish to dbt-cloud-events": (
        "google_pubsub_topic_iam_member.receiver_publishes_events"
    ),
    "subscriber may publish to dbt-cloud-events-dead-letters": (
        "google_pubsub_topic_iam_member.subscriber_leaves_dead_letters"
    ),
    "Pub/Sub may publish to dbt-cloud-events-dead-letters": (
        "google_pubsub_topic_iam_member.pubsub_leaves_dead_letters"
    ),
    r"subscription dbt-cloud-events-dead-letters": "google_pubsub_subscription.dead_letters",
    r"database afterrun in .*": "google_firestore_database.ledger",
    r"index of .*": "google_firestore_index.index",
    r"(fields of|end of life in) .*": "google_firestore_field.field",
    "subscriber may use the database afterrun": (
        "google_project_iam_member.subscriber_uses_the_ledger"
    ),
    r"secret .*": "google_secret_manager_secret.secret",
    "receiver may read dbt-cloud-webhook": (
        "google_secret_manager_secret_iam_member.receiver_reads"
    ),
    "subscriber may read .*": ("google_secret_manager_secret_iam_member.subscriber_reads"),
    r"the configuration, as it is now": "google_secret_manager_secret_version.config",
    r"service afterrun-receiver": "google_cloud_run_v2_service.receiver",
    r"service afterrun-subscriber": "google_cloud_run_v2_service.subscriber",
    "everybody may call afterrun-receiver": (
        "google_cloud_run_v2_service_iam_member.everybody_calls_the_receiver"
    ),
    "push may call afterrun-subscriber": (
        "google_cloud_run_v2_service_iam_member.push_calls_the_subscriber"
    ),
    r"subscription dbt-cloud-events": "google_pubsub_subscription.events",
    "Pub/Sub may take from dbt-cloud-events": (
        "google_pubsub_subscription_iam_member.pubsub_takes_dead_letters"
    ),
    r"subscription dbt-cloud-ticks": "google_pubsub_subscription.ticks",
    r"tick .*": "google_cloud_scheduler_job.tick",
    r"log metric .*": "google_logging_metric.metric",
    r"mail for alerts, .*": "google_monitoring_notification_channel.mail",
    r"alert .*": ALERTS,
}
# by hand: no secret is in a state of Terraform, and dbt Cloud shows the webhook's once
NOT_TERRAFORMS = (r"value of .*", r"dbt Cloud's webhook .*")


@pytest.fixture(scope="module")
def module() -> list[Block]:
    return hcl.read(MODULE)


@pytest.fixture(scope="module")
def resources(module: list[Block]) -> dict[str, Block]:
    return {".".join(each.labels): each for each in module if each.kind == "resource"}


@pytest.fixture
def it(tmp_path: Path) -> Deployment:
    return a_deployment(tmp_path, image=IMAGE)


def test_every_step_is_a_resource_and_every_resource_a_step(
    it: Deployment, resources: dict[str, Block]
) -> None:
    whats = [step.what for step in steps(it)]
    found = {
        what: [name for pattern, name in SAME.items() if re.fullmatch(pattern, what)]
        for what in whats
        if not any(re.fullmatch(each, what) for each in NOT_TERRAFORMS)
    }

    assert {what: names for what, names in found.items() if len(names) != 1} == {}
    assert {name for names in found.values() for name in names} == set(resources)


def test_apis_accounts_and_topics_are_the_same(resources: dict[str, Block]) -> None:
    def listed(name: str) -> list[str]:
        return re.findall(r'"([^"]+)"', resources[name]["for_each"])

    accounts = resources["google_service_account.account"]["for_each"]
    assert listed("google_project_service.api") == list(APIS)
    assert listed("google_pubsub_topic.topic") == [
        "dbt-cloud-events",
        "dbt-cloud-ticks",
        "dbt-cloud-events-dead-letters",
    ]
    assert dict(re.findall(r'([a-z-]+) += "([^"]+)"', accounts)) == ACCOUNTS


def test_every_binding_gives_the_same_role(it: Deployment, resources: dict[str, Block]) -> None:
    for step in steps(it):
        given = [each[7:] for each in step.make[0] if each.startswith("--role=")]
        for role in given:
            (name,) = [name for pattern, name in SAME.items() if re.fullmatch(pattern, step.what)]
            assert resources[name]["role"] == f'"{role}"'


def test_the_member_of_the_ledger_has_it_under_the_same_condition(
    it: Deployment, resources: dict[str, Block]
) -> None:
    (step,) = [
        each for each in steps(it) if each.what == "subscriber may use the database afterrun"
    ]
    given = resources["google_project_iam_member.subscriber_uses_the_ledger"]
    expression = given["condition.expression"][1:-1].replace("\\", "")

    condition = (
        f"--condition=expression={expression},title={given['condition.title'].strip(chr(34))}"
    )
    assert condition.replace("${var.project}", PROJECT) in step.make[0]


def test_subscriptions_are_the_same(it: Deployment, resources: dict[str, Block]) -> None:
    by_name = {step.what: step.wanted for step in steps(it)}
    evaluated = {
        "local.subscriber_url": f"https://afterrun-subscriber-{NUMBER}.{REGION}.run.app",
        'google_service_account.account["afterrun-push"].email': it.account("afterrun-push"),
        'google_pubsub_topic.topic["dbt-cloud-events-dead-letters"].id': (
            f"projects/{PROJECT}/topics/dbt-cloud-events-dead-letters"
        ),
    }

    def value(block: Block, path: str) -> str:
        written = block[path]
        for expression, meant in evaluated.items():
            written = written.replace(f"${{{expression}}}", meant)
            written = meant if written == expression else written
        return written.strip('"')

    same = {
        "ack_deadline_seconds": "ackDeadlineSeconds",
        "message_retention_duration": "messageRetentionDuration",
        "push_config.push_endpoint": "pushConfig.pushEndpoint",
        "push_config.oidc_token.audience": "pushConfig.oidcToken.audience",
        "push_config.oidc_token.service_account_email": "pushConfig.oidcToken.serviceAccountEmail",
        "retry_policy.minimum_backoff": "retryPolicy.minimumBackoff",
        "retry_policy.maximum_backoff": "retryPolicy.maximumBackoff",
        "dead_letter_policy.dead_letter_topic": "deadLetterPolicy.deadLetterTopic",
        "dead_letter_policy.max_delivery_attempts": "deadLetterPolicy.maxDeliveryAttempts",
    }
    compared = 0
    for resource, what in (
        ("dead_letters", "dbt-cloud-events-dead-letters"),
        ("events", "dbt-cloud-events"),
        ("ticks", "dbt-cloud-ticks"),
    ):
        block, wanted = (
            resources[f"google_pubsub_subscription.{resource}"],
            by_name[f"subscription {what}"],
        )
        assert block["name"] == f'"{what}"'
        assert block["expiration_policy.ttl"] == '""', "never"
        for ours, googles in same.items():
            there: object = wanted
            for key in googles.split("."):
                there = there.get(key) if isinstance(there, dict) else None
            if there is not None:
                assert value(block, ours) == str(there)
                compared += 1
    assert compared == 2 + 9 + 5


def test_the_tick_is_the_same(resources: dict[str, Block]) -> None:
    tick = resources["google_cloud_scheduler_job.tick"]

    assert tick["schedule"] == f'"{messages.SCHEDULE}"'
    assert tick["time_zone"] == '"Etc/UTC"'
    assert tick["pubsub_target.data"] == f'base64encode("{messages.TICK}")'
    assert tick["pubsub_target.attributes"] == '{ content = "tick" }'


@pytest.mark.parametrize(
    ("name", "arguments"), [("receiver", receiver), ("subscriber", subscriber)]
)
def test_a_service_is_deployed_the_same(
    it: Deployment, resources: dict[str, Block], name: str, arguments: "type[Command]"
) -> None:
    block = resources[f"google_cloud_run_v2_service.{name}"]
    command: Command = told(arguments(it, IMAGE), {"CONFIG_VERSION": "3"})  # type: ignore[call-arg, arg-type]
    flags = dict(each.partition("=")[::2] for each in command if each.startswith("--"))
    put_in = {
        "var.project": PROJECT,
        "local.subscriber_url": it.url("afterrun-subscriber"),
        'google_service_account.account["afterrun-push"].email': it.account("afterrun-push"),
    }

    def meant(written: str) -> str:
        for expression, value in put_in.items():
            written = written.replace(f"${{{expression}}}", value)
            written = value if written == expression else written
        return written.strip('"')

    container = "template.containers"
    written = re.findall(
        r"([A-Z_]+) += (.*?)(?= [A-Z_]+ +=| \}$)", block[f"{container}.env.for_each"]
    )
    assert {key: meant(value) for key, value in written} == variables(command)
    ingress = {
        '"INGRESS_TRAFFIC_ALL"': "all",
        '"INGRESS_TRAFFIC_INTERNAL_ONLY"': "internal",
    }
    same = {
        "--concurrency": block["template.max_instance_request_concurrency"],
        "--timeout": block["template.timeout"].strip('"s'),
        "--min-instances": block["template.scaling.min_instance_count"],
        "--max-instances": block["template.scaling.max_instance_count"],
        "--port": block[f"{container}.ports.container_port"],
        "--ingress": ingress[block["ingress"]],
    }
    assert same == {key: flags[key] for key in same}
    limits = block[f"{container}.resources.limits"]
    assert dict(re.findall(r'(\w+) += "([^"]+)"', limits)) == {
        "cpu": flags["--cpu"],
        "memory": flags["--memory"],
    }
    assert block[f"{container}.resources.startup_cpu_boost"] == "true"
    probe = {
        "periodSeconds": block[f"{container}.startup_probe.period_seconds"],
        "timeoutSeconds": block[f"{container}.startup_probe.timeout_seconds"],
        "failureThreshold": block[f"{container}.startup_probe.failure_threshold"],
    }
    assert ",".join(f"{key}={value}" for key, value in probe.items()) == services.PROBE
    assert f'service_account.account["afterrun-{name}"]' in block["template.service_account"]


def test_the_configuration_is_mounted_at_the_same_place(
    it: Deployment, resources: dict[str, Block]
) -> None:
    block = resources["google_cloud_run_v2_service.subscriber"]
    folder = block["template.containers.volume_mounts.mount_path"].strip('"')
    file = block["template.volumes.secret.items.path"].strip('"')

    assert any(
        each.startswith(f"--set-secrets={folder}/{file}=afterrun-config:")
        for each in subscriber(it, IMAGE)
    )
    assert block["template.volumes.secret.items.version"] == (
        "google_secret_manager_secret_version.config.version"
    )


def test_data_stays_when_the_rest_is_destroyed(resources: dict[str, Block]) -> None:
    database = resources["google_firestore_database.ledger"]

    assert database["delete_protection_state"] == '"DELETE_PROTECTION_ENABLED"'
    assert database["deletion_policy"] == '"ABANDON"'
    assert resources["google_project_service.api"]["disable_on_destroy"] == "false"


def test_no_secret_has_a_value_but_the_configuration(resources: dict[str, Block]) -> None:
    versions = [name for name in resources if "secret_version" in name]

    assert versions == ["google_secret_manager_secret_version.config"]


def test_every_variable_and_output_says_what_it_is(module: list[Block]) -> None:
    told_of = [each for each in module if each.kind in ("variable", "output")]

    assert len(told_of) == 9
    assert all(len(each["description"]) > 10 for each in told_of)


def test_providers_are_pinned(module: list[Block]) -> None:
    (terraform,) = [each for each in module if each.kind == "terraform"]
    providers = terraform.blocks[0].attributes

    assert set(providers) == {"google", "google-beta"}
    assert all('version = "~> 6.' in " ".join(each.split()) for each in providers.values())


def test_it_is_laid_out_as_terraform_does() -> None:
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed: it cannot say how it lays files out")

    checked = subprocess.run(
        ["terraform", f"-chdir={MODULE}", "fmt", "-check", "-diff"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout
