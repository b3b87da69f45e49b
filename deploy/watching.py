"""Who is told when something is wrong: counted log lines, and policies on what Google measures.

Each is a file in `watch/`, the same for every project; Terraform reads them too.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.names import Deployment
from deploy.seen import first
from deploy.step import FOUND, Look, Step, gcloud

PART = "alerts"
WATCH = Path(__file__).with_name("watch")


def files(kind: str) -> Iterator[tuple[Path, Any]]:
    """The files of a kind, `metrics` or `policies`, with what is in them."""
    for path in sorted((WATCH / kind).glob("*.json")):
        yield path, json.loads(path.read_text(encoding="utf-8"))


def watching(it: Deployment) -> Iterator[Step]:
    for path, metric in files("metrics"):
        name, group = metric["name"], ("logging", "metrics")
        told = (name, f"--config-from-file=deploy/watch/metrics/{path.name}")
        yield Step(
            f"log metric {name}",
            PART,
            (gcloud(it.project, *group, "create", *told),),
            Look(gcloud(it.project, *group, "describe", name, "--format=json")),
            wanted={"filter": metric["filter"], "description": metric["description"]},
            change=(gcloud(it.project, *group, "update", *told),),
            undo=(gcloud(it.project, *group, "delete", name),),
        )
    yield _channel(it)
    for path, policy in files("policies"):
        yield _policy(it, f"deploy/watch/policies/{path.name}", policy)


def _channel(it: Deployment) -> Step:
    """Without an address there is nothing to make, but one of an earlier deployment to undo."""
    group, ours = ("beta", "monitoring", "channels"), {"userLabels": {"app": "afterrun"}}
    told = (
        "--type=email",
        f"--display-name=Afterrun: {it.notify}",
        f"--channel-labels=email_address={it.notify}",
        "--user-labels=app=afterrun",
    )
    address = {"labels": {"email_address": it.notify}} if it.notify else {}
    return Step(
        f"mail for alerts, {f'to {it.notify}' if it.notify else '--notify ADDRESS'}",
        PART,
        (gcloud(it.project, *group, "create", *told),) if it.notify else (),
        Look(
            gcloud(it.project, *group, "list", "--format=json"),
            first(type="email", **ours, **address),
            names=it.learned()["CHANNEL"],
        ),
        undo=(gcloud(it.project, *group, "delete", f"${{{FOUND}}}", "--force"),),
    )


def _policy(it: Deployment, file: str, policy: Any) -> Step:
    """Changed only if it is known who is told: to change it is to replace it."""
    group, name = ("alpha", "monitoring", "policies"), policy["displayName"]
    to = ("--notification-channels=${CHANNEL}",) if it.notify else ()
    wanted = {**policy, **({"notificationChannels": ["${CHANNEL}"]} if it.notify else {})}
    changed = (f"--policy-from-file={file}", "--set-notification-channels=${CHANNEL}")
    update = gcloud(it.project, *group, "update", f"${{{FOUND}}}", *changed)
    listed = ("list", f'--filter=display_name="{name}"')
    return Step(
        f"alert {name.removeprefix('Afterrun: ')}",
        PART,
        (gcloud(it.project, *group, "create", f"--policy-from-file={file}", *to),),
        Look(
            gcloud(it.project, *group, "list", "--format=json"),
            first(displayName=name, userLabels={"app": "afterrun"}),
            names=gcloud(it.project, *group, *listed, "--format=value(name)"),
        ),
        wanted=wanted,
        change=(update,) if it.notify else (),
        undo=(gcloud(it.project, *group, "delete", f"${{{FOUND}}}"),),
    )
