"""afterrun silence: what shall not be told for a while."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cli import apps, asking, output
from cli.events.open_alerts import Known, Open, known
from cli.options import Json, LedgerAt, Project, duration, environ, existing_ledger
from cli.output import Cell
from cli.silence import held_back
from cli.silence.authors import author as author_of
from shared.errors import Failure, Mistake, PermanentFailure
from subscriber.ledger.contract import Ledger
from subscriber.settings import Places, places
from subscriber.silences import MATCHERS, Silence, Silences

app = apps.made(help="Hold back what would be told, for a while.")
SHOWN = 10  # open alerts that are named

Names = list[str] | None


def _matcher(help_: str) -> Any:
    return typer.Option(metavar="NAME", help=help_, show_default=False)


@app.command(
    epilog=apps.examples(
        "afterrun silence add --job 'Daily build' --for 2h --comment 'being fixed'",
        "afterrun silence add --environment Staging --environment Dev --for 3d --comment move",
    )
)
def add(
    *,
    length: Annotated[
        timedelta,
        typer.Option(
            "--for", metavar="LENGTH", parser=duration, help="For how long: 90s, 10m, 2h, 7d."
        ),
    ],
    comment: Annotated[str, typer.Option(metavar="TEXT", help="Why, in one line.")],
    job: Annotated[Names, _matcher("Jobs: name, id, glob or !NAME; may be repeated.")] = None,
    environment: Annotated[Names, _matcher("Environments, the same way.")] = None,
    destination: Annotated[Names, _matcher("Destinations, as the configuration has them.")] = None,
    node: Annotated[Names, _matcher("Nodes, as orders or model.shop.orders.")] = None,
    of_project: Annotated[
        Names,
        typer.Option(
            "--project", metavar="NAME", help="Projects of dbt Cloud.", show_default=False
        ),
    ] = None,
    account: Annotated[Names, _matcher("Accounts of dbt Cloud, by id.")] = None,
    episode: Annotated[
        str,
        typer.Option(
            metavar="KEY", help="One alert, by its key; ends with it.", show_default=False
        ),
    ] = "",
    author: Annotated[
        str,
        typer.Option(
            metavar="WHO",
            help="Who others should ask; else `git config user.email`, else user@host.",
            show_default=False,
        ),
    ] = "",
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """Begin a silence now. All that is said of it must match; of one option, any of its names.

    It holds back telling, not recording: what still lasts at its end is told then.
    """
    given = {
        "destination": destination,
        "account": account,
        "project": of_project,
        "environment": environment,
        "job": job,
        "node": node,
    }
    who = author_of(author)
    found = places(environ(ledger=ledger))
    kept = existing_ledger(found)
    with output.progress("Writing to the ledger ..."):
        silence = _silences(found, kept).add(
            length=length,
            author=who.name,
            comment=comment,
            matchers={name: names for name, names in given.items() if names},
            episode=episode.strip(),
        )
    now = datetime.now(UTC)
    with output.progress("Looking for what it holds back ..."):
        seen = _known(kept, now)
    matched = held_back.matched(seen, silence) if seen else None
    if as_json:
        output.data(_data(silence, now) | {"holds_back": _open_data(matched)})
    else:
        until = output.when(silence.ends_at)
        output.entry((Cell(silence.id, "strong"), "  "), f"until {until} UTC, by {silence.author}")
        output.entry(("          ",), silence.comment)
        output.entry(("          ",), _matches(silence))
        output.line()
        show_matched(matched, now)
        output.line()
        output.entry(("→ ",), f"It ends early with: afterrun silence expire {silence.id}")
    if not author.strip():
        output.hint(f"The author is {who.name}, from {who.source}; --author names another.")
    for name in held_back.unknown(seen, silence) if seen else ():
        output.warn(
            f"no event that came lately has such a {name}: is it spelt right? "
            f"({', '.join(silence.matchers[name])})"
        )
    _warn_of_destinations(silence)


@app.command("list", epilog=apps.examples("afterrun silence list --all"))
def list_(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that ended in the last week.")
    ] = False,
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """List the active silences: who, until when, why, what they match."""
    found = places(environ(project=project, ledger=ledger))
    with output.progress("Reading the ledger ..."):
        listed = _silences(found, existing_ledger(found)).listed()
    now = datetime.now(UTC)
    active = [each for each in listed if each.is_active(now)]
    shown = listed if everything else active
    if as_json:
        output.data([_data(each, now) for each in shown])
        return
    show_list(shown, now)
    if not everything and (ended := len(listed) - len(active)):
        output.hint(f"{ended} ended in the last week: --all lists them too.")


@app.command(
    epilog=apps.examples("afterrun silence expire 5115e9ce", "afterrun silence expire --all")
)
def expire(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Which.", show_default=False)
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that are active.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """End silences now. What they held back and still lasts is told within five minutes."""
    ids = [each.strip() for each in ids or []]
    if bool(ids) == everything:
        raise typer.BadParameter("name silences by their ids, or say --all")
    found = places(environ(project=project, ledger=ledger))
    kept = _silences(found, existing_ledger(found))
    now = datetime.now(UTC)
    listed = {each.id: each for each in kept.listed()}
    wanted = ids or [each.id for each in listed.values() if each.is_active(now)]
    unknown = [each for each in wanted if each not in listed]
    wanted = list(dict.fromkeys(each for each in wanted if each in listed))
    if everything and wanted and not yes:
        show_list([listed[each] for each in wanted], now)
        asking.go_on(f"End {output.count(len(wanted), 'silence')}?")
    ended = [kept.expire(each) for each in wanted]
    if as_json:
        output.data([_data(each, datetime.now(UTC)) for each in ended])
    else:
        for each in ended:
            was = listed[each.id].is_active(now)
            said = "ended" if was else f"had ended at {output.when(each.ends_at)} UTC"
            output.entry((Cell(each.id, "strong"), "  "), f"{said}: {each.comment}")
        if not ended and not unknown:
            output.say("No silence is active.", "dim")
    if unknown:
        raise PermanentFailure(
            f"no silence has the id {', '.join(unknown)}: it never existed, or ended more than a "
            "week ago"
        )


def show_list(silences: Sequence[Silence], now: datetime) -> None:
    """Active ones first."""
    if not silences:
        output.say("No silence is active.", "dim")
    for each in silences:
        is_active = each.is_active(now)
        state = "active" if is_active else "ended"
        until = "until " if is_active else ""
        left = output.ago(each.ends_at, now)
        times = f"{until}{output.when(each.ends_at)} UTC ({left})"
        output.entry(
            (Cell(each.id, "strong"), "  ", Cell(f"{state}  ", "good" if is_active else "dim")),
            f"{times}, by {each.author}",
        )
        output.entry(("          ",), each.comment)
        output.entry(("          ",), _matches(each), "dim")


def show_matched(matched: Sequence[Open] | None, now: datetime) -> None:
    """What a silence holds back of what is open now."""
    if matched is None:
        return
    if not matched:
        output.say("No open alert matches it now: it holds back what comes.")
        return
    count = output.count(len(matched), "open alert")
    output.say(f"{count} match{'es' if len(matched) == 1 else ''}; what follows is held back:")
    for each in matched[:SHOWN]:
        age = output.length(now - each.episode.since)
        where = f"{each.event.job_name or each.event.job_id} / {each.event.environment_name}"
        output.entry((f"  {each.slot[0]}  ",), f"{where}, {each.key or 'held'}, for {age}")
    if len(matched) > SHOWN:
        output.line(Cell(f"  and {len(matched) - SHOWN} more", "dim"))


def _matches(silence: Silence) -> str:
    parts = [
        f"{name}: {', '.join(silence.matchers[name])}"
        for name in MATCHERS
        if name in silence.matchers
    ]
    parts += [f"episode: {silence.episode}"] if silence.episode else []
    return "matches " + "; ".join(parts)


def _known(kept: Ledger, now: datetime) -> Known | None:
    """None if it cannot be read: the silence holds all the same."""
    try:
        return known(kept, now)
    except (Failure, Mistake) as failure:
        output.warn(f"what it holds back cannot be looked up: {failure}")
        return None


def _warn_of_destinations(silence: Silence) -> None:
    """Where the configuration is at hand, whether it has such a destination."""
    from subscriber.patterns import Patterns
    from subscriber.settings import configured

    written = silence.matchers.get("destination")
    if not written:
        return
    try:
        names = list(configured(environ()).destinations)
    except Mistake:
        return
    if not any(Patterns(written).match_any([name]) for name in names):
        output.warn(f"the configuration has no such destination; it has {', '.join(names)}")


def _silences(found: Places, kept: Ledger) -> Silences:
    from subscriber import wiring

    return wiring.silences(found, kept)


def _data(silence: Silence, now: datetime) -> dict[str, Any]:
    return {
        "id": silence.id,
        "is_active": silence.is_active(now),
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "author": silence.author,
        "comment": silence.comment,
        "matchers": {name: list(written) for name, written in silence.matchers.items()},
        "episode": silence.episode or None,
    }


def _open_data(matched: Sequence[Open] | None) -> list[dict[str, Any]] | None:
    if matched is None:
        return None
    return [
        {
            "destination": each.slot[0],
            "subject": each.slot[1],
            "episode": each.key or None,
            "since": each.episode.since,
        }
        for each in matched
    ]
