"""What is said before and after a deployment. Pure."""

import shlex
from collections.abc import Iterator, Sequence
from textwrap import wrap

from deploy.names import DATABASE, EVENTS, RECEIVER, SUBSCRIBER, Deployment
from deploy.script import written
from deploy.step import Command, Step

WIDTH = 80
COST = "At 1,000 runs a day about 1 USD a month, with few runs nothing: docs/cost.md"


def intention(it: Deployment, account: str, steps: Sequence[Step]) -> Iterator[str]:
    """What is going to happen, where and by whom."""
    yield "Afterrun goes to Google Cloud:"
    yield ""
    yield f"  project   {it.project}, number {it.number}"
    yield f"  region    {it.region}"
    yield f"  as        {account}"
    yield f"  rules     {it.config_file}, with {_count(len(it.secrets), 'secret')}"
    yield f"  image     {it.image or 'built of these sources, tested first'}"
    yield f"  alerts    {'mailed to ' + it.notify if it.notify else 'mailed to nobody (--notify)'}"
    parts = list(dict.fromkeys(step.part for step in steps))
    yield ""
    yield from wrap(f"{len(steps)} steps: {', '.join(parts)}.", WIDTH)
    yield "What is there already stays; what is there but otherwise is changed."
    if "ledger" in parts:
        yield f"The database's region, {it.region}, is for ever."
    yield COST


def farewell(it: Deployment, steps: Sequence[Step], *, with_data: bool) -> Iterator[str]:
    """What is going to be taken away."""
    gone = [step.what for step in steps if step.undo and (with_data or not step.is_data)]
    kept = [step.what for step in steps if step.undo and step.is_data and not with_data]
    yield f"This takes Afterrun out of the project {it.project} ({it.region}):"
    yield from (f"  - {what}" for what in gone)
    yield f"Events that the subscription {EVENTS} still holds are lost with it."
    if kept:
        yield "Kept, and they may cost a little (--delete-data takes them too):"
        yield from (f"  - {what}" for what in kept)
    else:
        yield "The ledger, dead letters that nobody has read, and secrets are LOST."
    yield "APIs stay enabled: others may use them."


def address(it: Deployment) -> Iterator[str]:
    """What an operator needs next."""
    yield "The address for dbt Cloud:"
    yield f"  {it.url(RECEIVER)}"
    yield ""
    yield "For `afterrun` in this shell:"
    yield ""
    yield f"  export GOOGLE_CLOUD_PROJECT={it.project}"
    yield f"  export LEDGER=firestore:{it.project}/{DATABASE}"
    yield ""
    yield "Then look whether all is well:  afterrun doctor"


def left(commands: Sequence[Command]) -> Iterator[str]:
    """What is to be done by hand, as it can be pasted."""
    yield "Left for later. A value is read from the keyboard (then Ctrl-D), or from a file"
    yield "with --data-file=FILE. dbt Cloud's webhook wants a token that may manage"
    yield "webhooks (--token REF). To do the rest, run this again."
    yield ""
    yield from (f"  {written(command)}" for command in commands)


def left_behind(commands: Sequence[Command]) -> Iterator[str]:
    """What could not be taken away."""
    yield "dbt Cloud's webhook could not be looked at, and calls what is not there. Delete it:"
    yield from (f"  {written(command).replace('${FOUND}', 'ID')}" for command in commands)


def held(it: Deployment, service: str) -> str:
    """What to do about a service that was rolled back."""
    return (
        f"{service} does not give all traffic to what was deployed last (a rollback, a canary). "
        f"To have it do so: gcloud run services update-traffic {service} --to-latest "
        f"--region={it.region} --project={it.project}"
    )


def grants(it: Deployment, others: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What only somebody of another project can do."""
    for project, name in others:
        command = (
            *("gcloud", "secrets", "add-iam-policy-binding", name, f"--project={project}"),
            f"--member={it.member(SUBSCRIBER)}",
            "--role=roles/secretmanager.secretAccessor",
        )
        yield f"  {shlex.join(command)}"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
