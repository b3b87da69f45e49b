"""The two services on Cloud Run, and who may call them.

cloudbuild.yaml deploys them with the same arguments; a test compares.
"""

from collections.abc import Iterator

from deploy.binding import binding
from deploy.names import (
    BUILD,
    CONFIG_PATH,
    CONFIG_SECRET,
    DATABASE,
    DEAD_LETTERS,
    EVENTS,
    PUSH,
    RECEIVER,
    SUBSCRIBER,
    WEBHOOK_SECRET,
    Deployment,
)
from deploy.seen import is_serving, pinned
from deploy.step import Command, Look, Step, gcloud

PROBE = "periodSeconds=1,timeoutSeconds=1,failureThreshold=60"
THREADS = 16  # as many as requests at a time, else some would wait while their deadline runs


def services(it: Deployment) -> Iterator[Step]:
    """One build deploys both: when it is the second one's turn, that is there already."""
    where, listed = (f"--region={it.region}",), ("run", "services", "list", "--format=json")
    for service, arguments in ((RECEIVER, receiver), (SUBSCRIBER, subscriber)):
        describe = ("run", "services", "describe", service, *where, "--format=json")
        deploy = ("gcloud", *arguments(it, it.image), f"--project={it.project}")
        yield Step(
            f"service {service}",
            "services",
            (deploy if it.image else _build(it),),
            Look(gcloud(it.project, *listed, *where), is_serving(service, it.version)),
            repeats=True,
            still=Look(gcloud(it.project, *describe)),
            undo=(gcloud(it.project, "run", "services", "delete", service, *where),),
            slow="about a minute" if it.image else f"a quarter of an hour; its log: {_log(it)}",
        )


def held(it: Deployment) -> Look:
    """Finds the services that were rolled back, and stay so whatever is deployed."""
    listed = ("run", "services", "list", f"--region={it.region}", "--format=json")
    return Look(gcloud(it.project, *listed), pinned)


def access(it: Deployment) -> Iterator[Step]:
    """dbt Cloud may call the receiver; only Pub/Sub may call the subscriber."""
    for service, member in ((RECEIVER, "allUsers"), (SUBSCRIBER, it.member(PUSH))):
        thing, where = ("run", "services", service), (f"--region={it.region}",)
        yield binding(it, "access", thing, member, "roles/run.invoker", where=where)


def receiver(it: Deployment, image: str) -> Command:
    """The arguments that deploy it."""
    return (
        *_deployed(it, RECEIVER, image),
        "--ingress=all",
        "--concurrency=80",
        "--timeout=15",
        # not /health: the first deployment comes before dbt Cloud has shown the webhook's secret
        f"--startup-probe=tcpSocket.port=8080,{PROBE}",
        "--set-env-vars=FUNCTION_SOURCE=function/main.py",
        "--set-env-vars=FUNCTION_TARGET=receive_webhook",
        f"--set-env-vars=GOOGLE_CLOUD_PROJECT={it.project}",
        f"--set-env-vars=PUBSUB_TOPIC={EVENTS}",
        # another separator, so that commas may stand in the value
        f"--set-env-vars=^;^WEBHOOK_SECRETS=secret:{WEBHOOK_SECRET}",
        "--quiet",
    )


def subscriber(it: Deployment, image: str) -> Command:
    """The arguments that deploy it."""
    return (
        *_deployed(it, SUBSCRIBER, image),
        "--ingress=internal",
        f"--concurrency={THREADS}",
        "--timeout=300",
        f"--startup-probe=httpGet.path=/health,httpGet.port=8080,{PROBE}",
        f"--set-env-vars=THREADS={THREADS}",
        "--set-env-vars=FUNCTION_SOURCE=subscriber/main.py",
        "--set-env-vars=FUNCTION_TARGET=handle_event",
        f"--set-env-vars=GOOGLE_CLOUD_PROJECT={it.project}",
        f"--set-env-vars=PUBSUB_TOPIC={EVENTS}",
        f"--set-env-vars=DEAD_LETTER_TOPIC={DEAD_LETTERS}",
        f"--set-env-vars=LEDGER=firestore:{it.project}/{DATABASE}",
        # Cloud Run has verified the token of a push; its claims are compared with these
        "--set-env-vars=PUSH_AUTH=platform",
        f"--set-env-vars=PUSH_SERVICE_ACCOUNT={it.account(PUSH)}",
        f"--set-env-vars=PUSH_AUDIENCE={it.url(SUBSCRIBER)}",
        f"--set-env-vars=AFTERRUN_CONFIG={CONFIG_PATH}",
        f"--set-secrets={CONFIG_PATH}={CONFIG_SECRET}:${{CONFIG_VERSION}}",
        "--quiet",
    )


def _deployed(it: Deployment, service: str, image: str) -> Command:
    return (
        *("run", "deploy", service),
        f"--image={image}",
        f"--region={it.region}",
        f"--service-account={it.account(service)}",
        "--port=8080",
        "--cpu=1",
        "--cpu-boost",
        "--memory=512Mi",
        "--min-instances=0",
        "--max-instances=4",
        f"--labels=app=afterrun,version={it.version}",
    )


def _build(it: Deployment) -> Command:
    substitutions = f"_REGION={it.region},_TAG={it.version},_CONFIG_VERSION=${{CONFIG_VERSION}}"
    return gcloud(
        it.project,
        *("builds", "submit", ".", "--config=cloudbuild.yaml", f"--region={it.region}"),
        f"--substitutions={substitutions}",
        f"--gcs-source-staging-dir={it.bucket}/source",
        f"--service-account=projects/{it.project}/serviceAccounts/{it.account(BUILD)}",
    )


def _log(it: Deployment) -> str:
    return f"https://console.cloud.google.com/cloud-build/builds?project={it.project}"
