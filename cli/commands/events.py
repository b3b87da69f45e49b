"""afterrun events: the events that came, the newest first, and what became of each."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import apps, output
from cli.options import Json, LedgerAt, Project, environ, existing_ledger
from cli.output import Column
from subscriber.ledger.contract import Kind
from subscriber.settings import places

app = apps.made()
COLUMNS = (
    Column("recorded", whole=True),
    Column("job"),
    Column("run", whole=True),
    Column("outcome"),
)


@app.command(epilog="Example: afterrun events --ledger firestore:my-project/afterrun --limit 50")
def events(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """List the events that came, the newest first, and what became of each."""
    kept = existing_ledger(places(environ(project=project, ledger=ledger)))
    with output.progress("Reading the ledger ..."):
        found = kept.recorded(Kind.EVENT, before=datetime.now(UTC), limit=limit)
    if as_json:
        output.data([{"key": work.key, "result": work.result} for work in found])
        return
    rows = [
        (output.when(work.recorded_at), work.key, "", str(work.result.get("outcome")))
        for work in found
    ]
    output.table(COLUMNS, rows, empty="No event has been recorded.")
