"""The APIs, and the accounts under which everything runs."""

from collections.abc import Iterator

from deploy.names import ACCOUNTS, Deployment
from deploy.seen import all_of, first
from deploy.step import Look, Step, gcloud

APIS = (
    "run.googleapis.com",
    "pubsub.googleapis.com",
    "firestore.googleapis.com",
    "secretmanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "cloudbuild.googleapis.com",
    "artifactregistry.googleapis.com",
    "monitoring.googleapis.com",
    "logging.googleapis.com",
    "iam.googleapis.com",
    "storage.googleapis.com",
)


def apis(it: Deployment) -> Iterator[Step]:
    """They stay when everything else goes: others may use them."""
    enabled = gcloud(it.project, "services", "list", "--enabled", "--format=json")
    yield Step(
        f"{len(APIS)} APIs",
        "apis",
        (gcloud(it.project, "services", "enable", *APIS),),
        Look(enabled, all_of(*(first(config={"name": api}) for api in APIS))),
        repeats=True,
    )
    identity = ("beta", "services", "identity", "create", "--service=pubsub.googleapis.com")
    yield Step("Pub/Sub's own account", "apis", (gcloud(it.project, *identity),))


def accounts(it: Deployment) -> Iterator[Step]:
    for name, purpose in ACCOUNTS.items():
        yield account(it, name, purpose, "accounts")


def account(it: Deployment, name: str, purpose: str, part: str) -> Step:
    group = ("iam", "service-accounts")
    return Step(
        f"account {name}",
        part,
        (gcloud(it.project, *group, "create", name, f"--display-name=Afterrun: {purpose}"),),
        Look(gcloud(it.project, *group, "describe", it.account(name), "--format=json")),
        undo=(gcloud(it.project, *group, "delete", it.account(name)),),
    )
