"""afterrun dead-letters: what was refused for good: looked at, and dealt with again."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import apps, asking, output
from cli.dead_letters import words
from cli.exits import Exit
from cli.options import Json, LedgerAt, Project, environ, existing_ledger
from cli.output import Cell, Column
from shared.errors import PermanentFailure
from subscriber.dead_letter_box import DeadLetterBox, Listing, Replay
from subscriber.dead_letter_replay import Outcome
from subscriber.settings import places

app = apps.made(help="List, show and replay what was refused for good.")
COLUMNS = (
    Column("ID", whole=True),
    Column("AGE", style="dim"),
    Column("WHAT"),
    Column("REASON"),
)
EMPTY = "No dead letters: nothing was refused for good, or all of it has been dealt with."
LOOKING = "Looking into the dead letters ..."

Id = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.", show_default=False)]


@app.command("list", epilog=apps.examples("afterrun dead-letters list --project my-project"))
def list_(
    *,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="At most so many.")
    ] = 100,
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """List the dead letters, the oldest first. While it looks, nobody else sees them."""
    with output.progress(LOOKING):
        listing = _box(project, ledger).listed(limit)
    if as_json:
        output.data([words.data(each) for each in listing.letters])
    else:
        show_list(listing, datetime.now(UTC))
    if listing.more:
        output.hint("There are more; Pub/Sub chooses which are shown.")


@app.command(epilog=apps.examples("afterrun dead-letters show 7650945832"))
def show(
    letter_id: Id,
    *,
    raw: Annotated[
        bool, typer.Option("--data", help="Only what it holds, as it is: for other programs.")
    ] = False,
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """Show a dead letter: why it is one, and what should have been told."""
    with output.progress(LOOKING):
        found = _box(project, ledger).letter(letter_id)
    if found is None:
        raise PermanentFailure(
            f"no dead letter has the id {letter_id}: it was replayed, or somebody else is looking "
            "at it just now"
        )
    letter, data = found
    if raw:
        output.raw(data.decode("utf-8", "replace"))
        return
    if as_json:
        output.data(words.data(letter) | {"content": words.content(letter, data)})
        return
    output.entry((), f"{words.about(letter)}: {words.what_it_is(letter)}", "strong")
    age = output.ago(letter.published_at, datetime.now(UTC))
    output.entry((), f"{letter.id}, since {output.when(letter.published_at)} UTC ({age})", "dim")
    output.line()
    output.entry(("Reason  ",), letter.reason or "none was given", "bad")
    if letter.key:
        output.entry(("Key     ",), letter.key)
    output.line()
    output.entry((Cell("Attributes", "strong"),), "")
    wide = min(max((len(name) for name in letter.attributes), default=0), 20)
    for name, value in sorted(letter.attributes.items()):
        output.entry((Cell(f"  {name.ljust(wide)}  ", "dim"),), value)
    output.line()
    output.line(Cell("What it holds", "strong"))
    output.entry(("  ",), words.content(letter, data))
    output.line()
    if name := words.names(letter):
        output.entry(("→ ",), f"What led to it: afterrun event {name}")
    output.entry(("→ ",), f"Again: afterrun dead-letters replay {letter.id}")


@app.command(
    epilog=apps.examples(
        "afterrun dead-letters replay 7650945832",
        "afterrun dead-letters replay --all --dry-run",
    )
)
def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Which.", show_default=False)
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that there are now.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of each.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """Have dead letters dealt with again: by their ids, or all. Mend the cause first.

    Ends with 1 if one of them could not be replayed, or is not there.
    """
    if bool(ids) == everything:
        raise typer.BadParameter("name letters by their ids, or say --all")
    box = _box(project, ledger, replays=True)
    with output.progress(LOOKING):
        asks = everything and not dry_run and not yes
        first = _replayed(box, ids, dry_run=dry_run or asks)
    if asks and first.results:
        _show_results(first, dry_run=True, beside=as_json)
        asking.go_on(f"Replay {output.count(len(first.results), 'letter')}?")
        with output.progress("Replaying ..."):
            # those that were shown, and no other that has come since
            first = box.replay([each.id for each in first.results])
    if as_json:
        output.data([words.replay_data(each) for each in first.results])
    elif first.results:
        _show_results(first, dry_run=dry_run)
    else:
        output.say(EMPTY, "dim")
    if first.more:
        output.hint("There are more: the same command again comes to them.")
    if words.is_left(first.results):
        raise typer.Exit(Exit.FOUND)


def show_list(listing: Listing, now: datetime) -> None:
    rows = [
        (each.id, output.length(now - each.published_at), words.about(each), each.reason)
        for each in listing.letters
    ]
    output.table(COLUMNS, rows, empty=EMPTY)
    if rows:
        output.hint("afterrun dead-letters show ID says more of one.")


def _replayed(box: DeadLetterBox, ids: list[str] | None, *, dry_run: bool) -> Replay:
    return box.replay(ids, dry_run=dry_run) if ids else box.replay_all(dry_run=dry_run)


def _show_results(replay: Replay, *, dry_run: bool, beside: bool = False) -> None:
    if beside:
        output.hint(words.counted(replay.results, dry_run=dry_run))
        return
    bad = (Outcome.KEPT, Outcome.NOT_FOUND)
    for each in replay.results:
        what = f"  {words.about(each.letter)}" if each.letter else ""
        said = words.became(each, dry_run=dry_run)
        output.entry((f"{each.id}{what}  ",), said, "bad" if each.outcome in bad else "")
    output.line(Cell(words.counted(replay.results, dry_run=dry_run), "strong"))


def _box(project: str | None, ledger: str | None, *, replays: bool = False) -> DeadLetterBox:
    """The box. To look at letters takes no ledger; to replay them takes the subscriber's."""
    from subscriber import wiring

    found = places(environ(project=project, ledger=ledger))
    return wiring.dead_letter_box(found, existing_ledger(found) if replays else None)
