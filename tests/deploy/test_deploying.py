"""Deployments, made and unmade: the real gcloud, and Google on loopback."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy import reading
from deploy.names import Deployment
from deploy.runner import Outcome
from deploy.step import Step
from deploy.steps import steps
from shared.errors import PermanentFailure
from tests.deploy.cloud import IMAGE, PROJECT, REGION, VALUE, Cloud, a_deployment
from tests.deploy.google import NUMBER

# whatever happens, these are run again, or there is nothing to make
ALWAYS = {"Pub/Sub's own account"}


@pytest.mark.parametrize("image", ["", IMAGE])
def test_a_deployment_made_twice_is_made_once(cloud: Cloud, tmp_path: Path, image: str) -> None:
    it = a_deployment(tmp_path, image=image)
    first = cloud.up(it)
    cloud.google.changes.clear()

    again = cloud.up(it)

    there_by_the_build = set() if image else {"service afterrun-subscriber"}
    assert {what for what, outcome in first.items() if outcome is not Outcome.DONE} == (
        there_by_the_build
    )
    assert {what for what, each in again.items() if each is not Outcome.THERE} == ALWAYS
    assert cloud.google.changes == []


def test_nobody_may_do_more_than_this(cloud: Cloud, deployment: Deployment) -> None:
    """Every permission that a deployment gives. A new one wants a reason."""
    cloud.deploy(deployment)

    given = {
        (key.rpartition("/")[2].partition("@")[0], _who(member), role.removeprefix("roles/"))
        for key, member, role in cloud.google.bound()
    }

    assert given == {
        ("dbt-cloud-events", "afterrun-receiver", "pubsub.publisher"),
        ("dbt-cloud-webhook", "afterrun-receiver", "secretmanager.secretAccessor"),
        ("dbt-cloud-events-dead-letters", "afterrun-subscriber", "pubsub.publisher"),
        ("dbt-cloud-service-token", "afterrun-subscriber", "secretmanager.secretAccessor"),
        ("pd-routing-key", "afterrun-subscriber", "secretmanager.secretAccessor"),
        ("slack-data-alerts", "afterrun-subscriber", "secretmanager.secretAccessor"),
        ("afterrun-config", "afterrun-subscriber", "secretmanager.secretAccessor"),
        (PROJECT, "afterrun-subscriber", "datastore.user"),
        ("afterrun-subscriber", "afterrun-push", "run.invoker"),
        ("afterrun-receiver", "allUsers", "run.invoker"),
        ("dbt-cloud-events-dead-letters", "service-123456789012", "pubsub.publisher"),
        ("dbt-cloud-events", "service-123456789012", "pubsub.subscriber"),
        ("afterrun", "afterrun-build", "artifactregistry.writer"),
        (f"{PROJECT}-afterrun-build", "afterrun-build", "storage.objectUser"),
        ("afterrun-receiver", "afterrun-build", "iam.serviceAccountUser"),
        ("afterrun-subscriber", "afterrun-build", "iam.serviceAccountUser"),
        (PROJECT, "afterrun-build", "run.developer"),
        (PROJECT, "afterrun-build", "logging.logWriter"),
    }


def _who(member: str) -> str:
    return member.removeprefix("serviceAccount:").partition("@")[0]


def test_the_ledger_is_used_under_a_condition_and_nothing_else_of_the_project(
    cloud: Cloud, deployment: Deployment
) -> None:
    cloud.deploy(deployment)
    bindings = cloud.google.policies[f"cloudresourcemanager/projects/{PROJECT}"]["bindings"]

    conditions = {each["role"]: each.get("condition", {}).get("expression") for each in bindings}

    assert conditions == {
        "roles/datastore.user": f'resource.name=="projects/{PROJECT}/databases/afterrun"',
        "roles/run.developer": None,
        "roles/logging.logWriter": None,
    }


def test_subscriptions_are_what_google_is_told_exactly(
    cloud: Cloud, deployment: Deployment
) -> None:
    cloud.deploy(deployment)
    url = "https://afterrun-subscriber-123456789012.europe-west1.run.app"
    push = {
        "pushEndpoint": f"{url}/",
        "oidcToken": {
            "audience": url,
            "serviceAccountEmail": f"afterrun-push@{PROJECT}.iam.gserviceaccount.com",
        },
    }
    told = {
        "dbt-cloud-events": {
            "ackDeadlineSeconds": 300,
            "messageRetentionDuration": "604800s",
            "pushConfig": push,
            "retryPolicy": {"minimumBackoff": "10s", "maximumBackoff": "600s"},
            "deadLetterPolicy": {
                "deadLetterTopic": f"projects/{PROJECT}/topics/dbt-cloud-events-dead-letters",
                "maxDeliveryAttempts": 100,
            },
        },
        "dbt-cloud-ticks": {
            "ackDeadlineSeconds": 300,
            "messageRetentionDuration": "600s",
            "pushConfig": push,
        },
        "dbt-cloud-events-dead-letters": {
            "ackDeadlineSeconds": 60,
            "messageRetentionDuration": "2678400s",
        },
    }

    for name, settings in told.items():
        assert cloud.google.things[f"pubsub/projects/{PROJECT}/subscriptions/{name}"] == {
            **settings,
            "name": f"projects/{PROJECT}/subscriptions/{name}",
            "topic": f"projects/{PROJECT}/topics/{name}",
            "labels": {"app": "afterrun"},
            "expirationPolicy": {},  # never
        }


def test_the_ledger_is_protected_and_forgets_what_has_expired(
    cloud: Cloud, deployment: Deployment
) -> None:
    cloud.deploy(deployment)
    database = f"firestore/projects/{PROJECT}/databases/afterrun"
    things = cloud.google.things

    assert things[database]["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED"
    assert things[database]["type"] == "FIRESTORE_NATIVE"
    assert things[database]["locationId"] == "europe-west1"
    for group in ("afterrun_work", "afterrun_subjects"):
        assert "ttlConfig" in things[f"{database}/collectionGroups/{group}/fields/expire_at"]


def test_services_run_as_what_they_are(cloud: Cloud, tmp_path: Path) -> None:
    cloud.deploy(a_deployment(tmp_path, image=IMAGE))

    for name, ingress in (("receiver", "all"), ("subscriber", "internal")):
        service = cloud.google.things[f"run/namespaces/{PROJECT}/services/afterrun-{name}"]
        template = service["spec"]["template"]
        annotations = template["metadata"]["annotations"]
        email = f"afterrun-{name}@{PROJECT}.iam.gserviceaccount.com"
        assert template["spec"]["serviceAccountName"] == email
        assert template["spec"]["containers"][0]["image"] == IMAGE
        assert annotations["run.googleapis.com/startup-cpu-boost"] == "True"
        assert annotations["autoscaling.knative.dev/maxScale"] == "4"
        assert service["metadata"]["annotations"]["run.googleapis.com/ingress"] == ingress


def everything(cloud: Cloud) -> tuple[Any, Any]:
    """What there is: by its path, or by its title where its number depends on the order."""
    things = {thing.get("displayName", key) for key, thing in cloud.google.things.items()}
    return things, cloud.google.bound()


@pytest.mark.parametrize(
    "refused",
    [
        "POST iam/projects/acme-data-1/serviceAccounts",
        "PUT pubsub/projects/acme-data-1/topics/dbt-cloud-ticks",
        "PATCH firestore",
        "slack-data-alerts:addVersion",
        "POST run/",
        "PUT pubsub/projects/acme-data-1/subscriptions/dbt-cloud-events",
        "POST monitoring/projects/acme-data-1/alertPolicies",
    ],
)
def test_a_deployment_that_was_cut_off_is_finished_by_the_next(
    cloud: Cloud, deployment: Deployment, refused: str
) -> None:
    cloud.deploy(deployment)
    whole = everything(cloud)
    cloud.google.forget()
    cloud.webhooks.clear()
    cloud.google.refuses = refused

    with pytest.raises(PermanentFailure) as failure:
        cloud.up(deployment)
    part = everything(cloud)
    cloud.google.refuses = ""
    cloud.up(deployment)

    assert part != whole
    assert everything(cloud) == whole
    assert "This account lacks a role" in str(failure.value)


def test_a_failure_names_the_step_and_its_command(cloud: Cloud, deployment: Deployment) -> None:
    cloud.google.refuses = "PUT pubsub/projects/acme-data-1/topics/dbt-cloud-ticks"

    with pytest.raises(PermanentFailure) as failure:
        cloud.up(deployment)

    lines = str(failure.value).splitlines()
    assert lines[0] == "topic dbt-cloud-ticks: this failed."
    assert lines[1].startswith("  gcloud pubsub topics create dbt-cloud-ticks --labels=")
    assert lines[-1] == "This account lacks a role; docs/deploy.md lists them."


def test_no_secret_is_an_argument_or_comes_back_but_reaches_its_place(
    cloud: Cloud, deployment: Deployment
) -> None:
    cloud.up(deployment)

    assert VALUE not in str(cloud.ran)
    assert VALUE not in str(cloud.printed)
    for name in deployment.secrets:
        assert cloud.google.secret(PROJECT, name) == f"{VALUE}-{name}"


@pytest.mark.parametrize(
    ("part", "path", "field", "value"),
    [
        (
            "subscriptions",
            "pubsub/projects/acme-data-1/subscriptions/dbt-cloud-events",
            "ackDeadlineSeconds",
            10,
        ),
        (
            "subscriptions",
            "pubsub/projects/acme-data-1/subscriptions/dbt-cloud-events",
            "expirationPolicy",
            {"ttl": "2678400s"},
        ),
        (
            "subscriptions",
            "pubsub/projects/acme-data-1/subscriptions/dbt-cloud-ticks",
            "pushConfig",
            {"pushEndpoint": "https://elsewhere.example/"},
        ),
        (
            "subscriptions",
            "pubsub/projects/acme-data-1/subscriptions/dbt-cloud-events",
            "deadLetterPolicy",
            {"deadLetterTopic": "projects/acme-data-1/topics/t", "maxDeliveryAttempts": 5},
        ),
        (
            "topics",
            "pubsub/projects/acme-data-1/subscriptions/dbt-cloud-events-dead-letters",
            "messageRetentionDuration",
            "600s",
        ),
        (
            "tick",
            "cloudscheduler/projects/acme-data-1/locations/europe-west1/jobs/dbt-cloud-tick",
            "schedule",
            "0 * * * *",
        ),
        (
            "ledger",
            "firestore/projects/acme-data-1/databases/afterrun",
            "deleteProtectionState",
            "DELETE_PROTECTION_DISABLED",
        ),
        (
            "alerts",
            "logging/projects/acme-data-1/metrics/afterrun_errors",
            "filter",
            "severity=DEBUG",
        ),
    ],
)
def test_what_somebody_has_changed_is_put_right(
    cloud: Cloud, deployment: Deployment, part: str, path: str, field: str, value: object
) -> None:
    cloud.deploy(deployment)
    wanted = copy.deepcopy(cloud.google.things[path][field])
    cloud.google.things[path][field] = value

    again = cloud.up(deployment, part)

    assert list(again.values()).count(Outcome.CHANGED) == 1
    assert cloud.google.things[path][field] == wanted
    assert Outcome.CHANGED not in cloud.up(deployment, part).values()


def test_an_alert_that_somebody_has_changed_is_put_right(
    cloud: Cloud, deployment: Deployment
) -> None:
    cloud.deploy(deployment)
    for thing in cloud.google.things.values():
        if thing.get("displayName") == "Afterrun: events wait":
            thing["conditions"][0]["conditionThreshold"]["thresholdValue"] = 9.0

    again = cloud.up(deployment, "alerts")

    assert again["alert events wait"] is Outcome.CHANGED
    assert Outcome.CHANGED not in cloud.up(deployment, "alerts").values()


def test_another_address_for_alerts_is_one_more_channel_and_every_policy_has_it(
    cloud: Cloud, deployment: Deployment
) -> None:
    cloud.deploy(deployment)

    again = cloud.up(replace(deployment, notify="others@acme.com"), "alerts")

    policies = [each for key, each in cloud.google.things.items() if "/alertPolicies/" in key]
    assert again["mail for alerts, to others@acme.com"] is Outcome.DONE
    assert len({each["notificationChannels"][0] for each in policies}) == 1
    assert all(again[f"alert {each['displayName'][10:]}"] is Outcome.CHANGED for each in policies)


def test_a_changed_configuration_is_a_new_version_and_both_services_are_deployed_with_it(
    cloud: Cloud, tmp_path: Path
) -> None:
    it = a_deployment(tmp_path, image=IMAGE)
    cloud.deploy(it)
    config = tmp_path / "afterrun.yaml"
    config.write_text(config.read_text().replace("name: failures", "name: all failures"))

    again = cloud.up(
        replace(reading.read(PROJECT, REGION, config, IMAGE, "ops@acme.com"), number=NUMBER)
    )

    assert {what for what, each in again.items() if each is Outcome.DONE} - ALWAYS == {
        "the configuration, as it is now",
        "service afterrun-receiver",
        "service afterrun-subscriber",
    }
    service = cloud.google.things[f"run/namespaces/{PROJECT}/services/afterrun-subscriber"]
    (volume,) = service["spec"]["template"]["spec"]["volumes"]
    assert volume["secret"]["secretName"] == "afterrun-config"
    assert volume["secret"]["items"] == [{"key": "2", "path": "afterrun.yaml"}]


def test_a_revision_that_did_not_become_ready_is_deployed_again(
    cloud: Cloud, tmp_path: Path
) -> None:
    it = a_deployment(tmp_path, image=IMAGE)
    cloud.deploy(it)
    service = cloud.google.things[f"run/namespaces/{PROJECT}/services/afterrun-subscriber"]
    service["status"]["latestCreatedRevisionName"] = "afterrun-subscriber-00002-xyz"

    again = cloud.up(it)

    assert again["service afterrun-subscriber"] is Outcome.DONE
    assert again["service afterrun-receiver"] is Outcome.THERE


def test_taken_away_with_its_data_nothing_is_left_but_apis(
    cloud: Cloud, deployment: Deployment
) -> None:
    cloud.deploy(deployment)

    cloud.down(deployment, with_data=True)

    left = [key for key in cloud.google.things if not key.startswith("serviceusage/")]
    assert left == []
    assert cloud.webhooks == []
    assert (
        cloud.google.policies.get(f"cloudresourcemanager/projects/{PROJECT}", {}).get(
            "bindings", []
        )
        == []
    )


def test_taken_away_without_its_data_the_data_is_left_and_nobody_has_a_hold_on_it(
    cloud: Cloud, deployment: Deployment
) -> None:
    cloud.deploy(deployment)

    done = cloud.down(deployment, with_data=False)

    kept = {what for what, outcome in done.items() if outcome is Outcome.KEPT}
    assert kept == {
        "database afterrun in europe-west1",
        "topic dbt-cloud-events-dead-letters",
        "subscription dbt-cloud-events-dead-letters",
        "secret dbt-cloud-webhook",
        "secret afterrun-config",
        *(f"secret {name}" for name in deployment.secrets),
    }
    assert "firestore/projects/acme-data-1/databases/afterrun" in cloud.google.things
    ours = {member for _, member, _ in cloud.google.bound() if "afterrun-" in member}
    assert ours == set()


def test_taken_away_twice_the_second_finds_nothing(cloud: Cloud, deployment: Deployment) -> None:
    cloud.deploy(deployment)
    cloud.down(deployment, with_data=True)

    again = cloud.down(deployment, with_data=True)

    assert set(again.values()) == {Outcome.GONE}


def test_what_is_kept_is_taken_up_again(cloud: Cloud, deployment: Deployment) -> None:
    cloud.deploy(deployment)
    whole = everything(cloud)
    cloud.down(deployment, with_data=False)

    cloud.up(deployment)

    assert everything(cloud) == whole


def test_a_secret_that_was_there_before_is_used_and_left(
    cloud: Cloud, deployment: Deployment
) -> None:
    name = f"projects/{PROJECT}/secrets/pd-routing-key"
    cloud.google.things[f"secretmanager/{name}"] = {"name": name, "labels": {"team": "data"}}

    made = cloud.up(deployment, "secrets")
    undone = cloud.down(deployment, with_data=True)

    assert made["secret pd-routing-key"] is Outcome.THERE
    assert undone["secret pd-routing-key"] is Outcome.KEPT
    assert f"secretmanager/{name}" in cloud.google.things


@pytest.mark.parametrize("kind", ["topic", "subscription"])
def test_what_others_made_under_our_names_is_used_and_left(
    cloud: Cloud, deployment: Deployment, kind: str
) -> None:
    name = f"projects/{PROJECT}/{kind}s/dbt-cloud-events"
    theirs = {"name": name, "topic": f"projects/{PROJECT}/topics/dbt-cloud-events"}
    cloud.google.things[f"pubsub/{name}"] = theirs

    cloud.up(deployment)
    undone = cloud.down(deployment, with_data=True)

    assert undone[f"{kind} dbt-cloud-events"] is Outcome.KEPT
    assert f"pubsub/{name}" in cloud.google.things


def test_sources_are_not_given_to_a_bucket_of_another_project(
    cloud: Cloud, deployment: Deployment
) -> None:
    name = f"{PROJECT}-afterrun-build"
    theirs = {"name": name, "projectNumber": "666"}
    cloud.google.things[f"storage/b/{name}"] = theirs
    it = replace(deployment, image="")

    with pytest.raises(PermanentFailure, match="name is not available"):
        cloud.up(it, "build")

    undone = cloud.down(it, with_data=True)

    assert undone[f"bucket gs://{name} of sources"] is Outcome.GONE
    assert cloud.google.things[f"storage/b/{name}"] == theirs


def test_a_secret_without_a_value_is_left_for_later_and_so_is_the_webhook(
    cloud: Cloud, deployment: Deployment
) -> None:
    runner = cloud.runner(deployment)
    runner.secret = lambda _: ""

    done = {step.what: runner.make(step) for step in steps(deployment)}

    later = {what for what, outcome in done.items() if outcome is Outcome.LATER}
    assert later == {
        "dbt Cloud's webhook to afterrun-receiver",
        *(f"value of {name}" for name in deployment.secrets),
    }
    assert runner.later[0][:4] == ("gcloud", "secrets", "versions", "add")
    assert runner.later[-1][:3] == ("afterrun", "webhooks", "create")
    assert cloud.webhooks == []


def test_a_webhook_that_nobody_wants_yet_is_left_for_later(
    cloud: Cloud, deployment: Deployment
) -> None:
    runner = cloud.runner(deployment)
    runner.agrees = lambda _: False
    (step,) = [each for each in steps(deployment) if each.offer]

    assert runner.make(step) is Outcome.LATER
    assert cloud.webhooks == []
    assert runner.later == list(step.make)


def test_a_token_that_may_not_make_webhooks_fails_no_deployment(
    cloud: Cloud, deployment: Deployment
) -> None:
    cloud.dbt_refuses = "error: dbt Cloud refused: 403"
    (step,) = [each for each in steps(deployment) if each.offer]
    runner = cloud.runner(deployment)

    assert runner.make(step) is Outcome.LATER
    assert runner.undo(step, with_data=True) is Outcome.LATER
    assert "dbt Cloud refused: 403" in cloud.said[0]


def test_a_token_for_webhooks_is_named_where_they_are_made(deployment: Deployment) -> None:
    it = replace(deployment, dbt_token="env:ADMIN")
    (step,) = [each for each in steps(it) if each.offer]

    assert all("--token=env:ADMIN" in each for each in (*step.make, *step.undo))
    assert it.version == deployment.version


def test_a_webhook_of_another_address_or_that_is_switched_off_is_not_this_one(
    cloud: Cloud, deployment: Deployment
) -> None:
    url = "https://afterrun-receiver-123456789012.europe-west1.run.app"
    cloud.webhooks += [
        {"id": "wsu_1", "url": f"{url}/", "active": False},
        {"id": "wsu_2", "url": "https://elsewhere.example/", "active": True},
    ]
    (step,) = [each for each in steps(deployment) if each.offer]
    runner = cloud.runner(deployment)

    assert runner.make(step) is Outcome.DONE
    assert runner.make(step) is Outcome.THERE


def test_the_way_back_is_safe_at_each_step(deployment: Deployment) -> None:
    undone = [step for step in reversed(steps(deployment)) if step.undo]
    at = {step.what: position for position, step in enumerate(undone)}

    def first_of(part: str) -> int:
        return min(at[step.what] for step in undone if step.part == part)

    def last_of(part: str) -> int:
        return max(at[step.what] for step in undone if step.part == part)

    assert undone[0].part == "webhook", "else dbt Cloud calls what is not there"
    assert last_of("tick") < first_of("subscriptions") < first_of("services") < first_of("topics")
    bindings = [at[step.what] for step in undone if "remove-iam-policy-binding" in step.undo[0]]
    assert max(bindings) < first_of("accounts"), "else the policy keeps a member that is gone"


def test_whatever_is_made_can_be_taken_away(deployment: Deployment) -> None:
    def stays(step: Step) -> bool:
        # these go with what they are about; APIs stay for others
        goes_along = "add-iam-policy-binding" in step.make[0] or step.part == "ledger"
        return step.part == "apis" or goes_along or bool(step.asks)

    left = [step.what for step in steps(deployment) if not step.undo and not stays(step)]

    assert left == ["the configuration, as it is now"]
