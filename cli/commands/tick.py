"""afterrun tick: have the subscriber take up what is due now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import apps, output
from cli.deployed import TICKS
from cli.options import Config, Json, LedgerAt, Project, environ, existing_ledger, unpushed
from cli.output import Column
from cli.work.working import TICK
from shared import settings
from subscriber.ledger.contract import Ledger, Work

LISTED = 100  # pieces of work that are told of; a tick takes up more

COLUMNS = (Column("was due", whole=True), Column("what"), Column("now"))

app = apps.made()


@app.command(
    epilog=apps.examples("afterrun tick --here --ledger sqlite:/var/lib/afterrun/afterrun.db")
)
def tick(
    *,
    topic: Annotated[
        str,
        typer.Option("--topic", metavar="NAME", help="The topic of ticks, short or full name."),
    ] = TICKS,
    here: Annotated[
        bool,
        typer.Option("--here", help="Do what is due in this process, with this configuration."),
    ] = False,
    config: Config = None,
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """Send one tick: the subscriber takes up what is due.

    That is retries, alerts that are held, reminders, refreshes to look at, silences that end. A
    tick too many does no harm. With --here no message is sent: this process does it, once.
    """
    if here:
        _here(config, project, ledger, as_json=as_json)
        return
    from subscriber.topic import Topic

    named = settings.topic({"--topic": topic}, "--topic", TICKS)
    configured = settings.text(environ(project=project), "GOOGLE_CLOUD_PROJECT")
    with output.progress("Sending a tick ..."):
        full = settings.topic_path(named, settings.GoogleProject(configured or None))
        Topic("topic of ticks", "--topic", lambda: full).publish(TICK.data, TICK.attributes)
    if as_json:
        output.data({"topic": full})
    else:
        output.say(f"Sent a tick to {full}.")


def _here(config: Path | None, project: str | None, ledger: str | None, *, as_json: bool) -> None:
    from subscriber import wiring

    chosen = unpushed(environ(config=config, project=project, ledger=ledger))
    kept = existing_ledger(chosen.places)
    with output.progress("Doing what is due ..."):
        kept.check()
        due = kept.due(datetime.now(UTC), LISTED)
        wiring.processor(chosen).take(TICK)
        after = [_after(kept, work) for work in due]
    if as_json:
        output.data({"due": after})
        return
    rows = [(output.when(each["was_due_at"]), each["key"], _now(each)) for each in after]
    output.table(COLUMNS, rows, empty="Nothing was due.")
    if len(due) == LISTED:
        output.hint(f"The first {LISTED} are shown; there may be more.")


def _after(kept: Ledger, before: Work) -> dict[str, Any]:
    """What has become of a piece of work that was due."""
    work = kept.work(before.key) or before
    return {
        "key": work.key,
        "kind": str(work.kind),
        "was_due_at": before.due_at,
        "is_settled": work.is_settled,
        "due_at": work.due_at,
        "outcome": str(work.result.get("outcome") or ""),
        "reason": str(work.result.get("reason") or ""),
    }


def _now(after: Mapping[str, Any]) -> str:
    """The same in a few words."""
    if after["is_settled"]:
        said = ["done", after["outcome"]]
    elif after["due_at"] == after["was_due_at"]:
        said = ["not taken up: others have it, or time was up"]
    else:
        said = [f"due again at {output.when(after['due_at'])}", after["reason"]]
    return ": ".join(each for each in said if each)
