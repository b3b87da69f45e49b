"""afterrun events: the events that came, the newest first, and what became of each."""

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli import apps, output
from cli.events import rows
from cli.events.listing import Listing, Wanted
from cli.events.rows import Widths
from cli.events.summary import OUTCOMES, Summary
from cli.events.watching import PAUSE_S, Watching
from cli.exits import Exit
from cli.options import Json, LedgerAt, Project, duration, environ, existing_ledger
from shared.errors import TemporaryFailure
from subscriber.ledger.contract import Ledger
from subscriber.patterns import Patterns, parse
from subscriber.settings import places

app = apps.made()


def _outcome(written: str) -> str:
    if written not in OUTCOMES:
        raise typer.BadParameter(f"write one of {', '.join(OUTCOMES)}", param_hint="--outcome")
    return written


def _patterns(written: list[str] | None) -> Patterns | None:
    try:
        return parse(written) if written else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command(
    epilog=apps.examples(
        "afterrun events --problems --since 2h",
        "afterrun events --job 'Daily*' --outcome failed --follow",
    )
)
def events(
    *,
    job: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only of this job: name, id or glob; may be repeated."),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only of this environment; may be repeated."),
    ] = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OUTCOME",
            help=f"Only what ended so: {', '.join(OUTCOMES)}; may be repeated.",
        ),
    ] = None,
    since: Annotated[
        timedelta | None,
        typer.Option(
            metavar="LENGTH", parser=duration, help="Only what came in the last 90s, 10m, 2h, 7d."
        ),
    ] = None,
    problems: Annotated[
        bool,
        typer.Option("--problems", help="Only what was refused or given up, failed, or waits."),
    ] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most so many.")] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """List the events that came, and what was told of each."""
    wanted = Wanted(
        job=_patterns(job),
        environment=_patterns(environment),
        outcomes=[_outcome(each) for each in outcome or ()],
        since=since,
        problems=problems,
    )
    kept = existing_ledger(places(environ(project=project, ledger=ledger)))
    if follow:
        _follow(kept, wanted, limit, as_json=as_json)
        return
    listing = Listing(kept, wanted, datetime.now(UTC), limit)
    with output.progress("Reading the ledger ..."):
        found = list(listing)
    if as_json:
        output.data([each.data() for each in found])
    else:
        show(found, listing.now)
    _say_where_it_stopped(listing, len(found))


def show(
    found: list[Summary], now: datetime, *, empty: str = "No event is recorded that is asked for."
) -> None:
    """Rows of events, or blocks where the terminal is narrow."""
    if not found:
        output.say(empty, "dim")
        return
    width = output.width()
    if width is not None and width < output.NARROW:
        for each in found:
            rows.block(each, now)
        return
    widths = Widths.of(found, width)
    rows.header(widths)
    for each in found:
        rows.row(each, widths, now)


def _say_where_it_stopped(listing: Listing, count: int) -> None:
    since = output.when(listing.since)
    if not listing.has_more:
        return
    if listing.looked >= listing.looked_limit:
        output.hint(f"Stopped after {listing.looked:,} events, back to {since} UTC.")
    else:
        more = f"--limit {min(count * 5, 1000)}, or " if count < 1000 else ""
        output.hint(f"There are more: {more}--since, --job, --outcome to leave some out.")


def _follow(kept: Ledger, wanted: Wanted, limit: int, *, as_json: bool) -> None:
    """What there is, the oldest first, and then what comes; never returns."""
    watching = Watching(kept, wanted, lambda: datetime.now(UTC))
    watching.begin()
    listing = Listing(kept, wanted, datetime.now(UTC), limit)
    with output.progress("Reading the ledger ..."):
        found = list(listing)[::-1]
    width = output.width()
    widths = Widths.of(found, width, more_come=True)
    try:
        if not as_json and not (width and width < output.NARROW):
            rows.header(widths)
        for each in found:
            _one(each, widths, as_json=as_json)
        while True:
            time.sleep(PAUSE_S)
            try:
                for each in watching.look():
                    _one(each, widths, as_json=as_json)
            except TemporaryFailure as failure:
                output.warn(f"{failure}; looking again")
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def _one(each: Summary, widths: Widths, *, as_json: bool) -> None:
    now, width = datetime.now(UTC), output.width()
    if as_json:
        output.data_line(each.data())
    elif width is not None and width < output.NARROW:
        rows.block(each, now)
    else:
        rows.row(each, widths, now)
