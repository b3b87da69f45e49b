"""afterrun event: all that is recorded of an event, or of all events of a run."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import apps, output
from cli.events import page
from cli.events.alert_story import Stories, stories
from cli.events.life import Life, lives
from cli.events.page import kept_for
from cli.events.search import SEARCHED, Search, find, run_of
from cli.options import Json, LedgerAt, Project, environ, existing_ledger
from shared.errors import Mistake, PermanentFailure
from subscriber.ledger.contract import Ledger
from subscriber.settings import places

app = apps.made()


@app.command(epilog=apps.examples("afterrun event wev_2L6ntTYMHX", "afterrun event 70403103908421"))
def event(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="An event's id, a run's id, a key of the ledger, or that of an alert.",
            show_default=False,
        ),
    ],
    *,
    account: Annotated[
        str, typer.Option(metavar="ID", help="Only in this account.", show_default=False)
    ] = "",
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """Show what became of an event, a run or an alert, and why.

    Of a run, all its events are shown. Keys are those of actions and alerts as logs, dead letters
    and PagerDuty have them.
    """
    name, account = name.strip(), account.strip()
    if not name or not (name + account).isprintable():
        raise typer.BadParameter("write an id or a key, as `afterrun events --json` shows them")
    kept = existing_ledger(places(environ(project=project, ledger=ledger)))
    now = datetime.now(UTC)
    with output.progress("Searching the ledger ..."):
        search = find(kept, name, now, account)
        if not search.found:
            raise PermanentFailure(_nothing(name, search))
        found: list[tuple[Life, Stories]] = [
            (life, _stories(kept, life)) for life in lives(kept, search.found)
        ]
    if as_json:
        output.data([page.data(life, told, now) for life, told in found])
        return
    for index, (life, told) in enumerate(found):
        if index:
            output.line()
            output.line("=" * 40)
        page.show(life, told, now)
    if not search.is_whole and run_of(name):
        output.hint(f"Searched the newest {SEARCHED:,} events, back to {_back_to(search)}.")


def _stories(kept: Ledger, life: Life) -> Stories:
    try:
        return stories(kept, life)
    except Mistake as mistake:
        output.warn(f"its alerts cannot be shown: {mistake}")
        return Stories((), ())


def _nothing(name: str, search: Search) -> str:
    what = f"run {name}" if run_of(name) == name else f"an event {name}"
    if search.is_whole:
        where = f"the {search.looked:,} that are recorded"
    else:
        where = f"the newest {search.looked:,}, back to {_back_to(search)}"
    return f"{what} is not among {where} ({kept_for()}); `afterrun events` lists what came"


def _back_to(search: Search) -> str:
    return f"{output.when(search.since)} UTC"
