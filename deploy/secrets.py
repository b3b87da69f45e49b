"""Secrets: each exists, has a value, and is read by whom it concerns. The configuration is one."""

from collections.abc import Iterator

from deploy.binding import binding
from deploy.names import (
    CONFIG_SECRET,
    RECEIVER,
    SUBSCRIBER,
    WEBHOOK_SECRET,
    Deployment,
)
from deploy.seen import is_enabled, is_text
from deploy.step import OURS, Command, Look, Step, gcloud

ACCESSOR = "roles/secretmanager.secretAccessor"


def secrets(it: Deployment) -> Iterator[Step]:
    """The webhook's has its value from dbt Cloud, when the webhook is made."""
    part = "secrets"
    yield from _readable(it, part, WEBHOOK_SECRET, RECEIVER)
    for name in it.secrets:
        if name != WEBHOOK_SECRET:
            yield from _readable(it, part, name, SUBSCRIBER)
    for name in it.secrets:
        if name != WEBHOOK_SECRET:
            newest = ("secrets", "versions", "list", name, "--limit=1")
            names = gcloud(it.project, *newest, "--format=value(name)")
            yield Step(
                f"value of {name}",
                part,
                (adding(it, name, "-"),),
                Look(gcloud(it.project, *newest, "--format=json"), is_enabled, names),
                asks=name,
            )


def configuration(it: Deployment) -> Iterator[Step]:
    """A new version only if the file has changed. Services name the version that they read, so
    that a rollback brings the configuration back too.
    """
    part = "configuration"
    yield from _readable(it, part, CONFIG_SECRET, SUBSCRIBER)
    latest = ("versions", "access", "latest", f"--secret={CONFIG_SECRET}")
    yield Step(
        "the configuration, as it is now",
        part,
        (adding(it, CONFIG_SECRET, it.config_file),),
        Look(gcloud(it.project, "secrets", *latest), is_text(it.config_text), is_text=True),
        repeats=True,
    )


def adding(it: Deployment, name: str, file: str) -> Command:
    """The command that gives a secret a new value, from a file or, `-`, from standard input."""
    return gcloud(it.project, "secrets", "versions", "add", name, f"--data-file={file}")


def _readable(it: Deployment, part: str, name: str, reader: str) -> Iterator[Step]:
    created = ("create", name, "--replication-policy=automatic", "--labels=app=afterrun")
    yield Step(
        f"secret {name}",
        part,
        (gcloud(it.project, "secrets", *created),),
        Look(gcloud(it.project, "secrets", "describe", name, "--format=json")),
        undo=(gcloud(it.project, "secrets", "delete", name),),
        made_here=OURS,
        is_data=True,
    )
    yield binding(it, part, ("secrets", name), it.member(reader), ACCESSOR, is_undone=True)
