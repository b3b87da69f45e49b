"""afterrun backtest: what a configuration would have told of the runs of the past weeks."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import apps, output
from cli.backtest import data, page
from cli.backtest.fetching import Fetched, Fetching
from cli.backtest.played import Played, difference
from cli.backtest.playing import play
from cli.history import History, Keeping
from cli.options import Config, Json, environ
from shared.errors import Mistake, TemporaryFailure
from subscriber.configuration import Configuration
from subscriber.settings import configured, places

app = apps.made()

DAYS, DAYS_LIMIT = 14, 60  # dbt Cloud keeps the metadata of runs for two months
NOTES = 3


@app.command(
    epilog=apps.examples(
        "afterrun backtest --days 14 --save runs.jsonl",
        "afterrun backtest --history runs.jsonl --config new.yaml --against afterrun.yaml",
    )
)
def backtest(
    *,
    config: Config = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=DAYS_LIMIT,
            metavar="N",
            help=f"The runs of so many days; {DAYS}, or all that a --history holds.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare with this configuration, on the same runs."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the runs there; what it has is not fetched again."),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Play the runs that --save has kept; no network."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="At most the newest N runs of an account.")
    ] = 20_000,
    show: Annotated[
        int, typer.Option(min=0, metavar="N", help="At most N lines of what would be told.")
    ] = 50,
    as_json: Json = False,
) -> None:
    """Play past runs: who would have been told what, and when.

    Nothing is sent to anybody and nothing is written but FILE. Runs come from dbt Cloud, with
    the token of the configuration; no other secret is read.
    """
    if save and history:
        raise typer.BadParameter("--history plays what --save has kept: one of them is enough")
    for name, file in (("config", config), ("against", against)):
        if file is not None and not file.exists():
            raise Mistake(f"--{name}: there is no file {file}")
    now = configured(environ(config))
    before = configured(environ(against)) if against else None
    configurations = [each for each in (now, before) if each is not None]
    fetched: Fetched | None = None
    with _kept_at(save, history) as path:
        if history is None:
            since = datetime.now(UTC) - timedelta(days=days or DAYS)
            fetched, accounts = _fetch(config, configurations, path, save, since, limit)
            found = History.of(path).of_accounts(accounts).since(since)
        else:
            with output.progress(f"Reading {path} ..."):
                found = _last(History.of(path), days)
        if not found.places:
            _nothing(history, days or DAYS, as_json=as_json)
            return
        played = _played(now, found)
        former = _played(before, found) if before else None
    if as_json:
        output.data(_data(played, former, fetched, against))
        return
    _warn(played, fetched, configurations, history)
    output.say(_summary(now.lines.file if now.lines else "The guides' variables", played))
    if former and against:
        changes = difference(former, played)
        page.show_difference(former, played, changes, show, against.name)
    else:
        page.show(played, show)


@contextmanager
def _kept_at(save: Path | None, history: Path | None) -> Iterator[Path]:
    """Where the runs are, or are to be: a file that is gone afterwards if nobody named one."""
    if named := save or history:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="afterrun-") as folder:
        yield Path(folder) / "runs.jsonl"


def _fetch(
    config: Path | None,
    configurations: Sequence[Configuration],
    path: Path,
    save: Path | None,
    since: datetime,
    limit: int,
) -> tuple[Fetched, Sequence[str]]:
    # imported here: Google's clients are not needed offline
    from subscriber import wiring
    from subscriber.dbt_cloud.account import Account, ids_of_accounts
    from subscriber.ledger.memory import MemoryLedger
    from subscriber.outbound import Outbound
    from subscriber.secrets import Secrets

    chosen = configurations[0].dbt_cloud
    secrets = Secrets(wiring.secret_reader(places(environ(config))).resolve)
    dbt_cloud = wiring.dbt_cloud(chosen, secrets, MemoryLedger())
    # whoever waits here is a person; and a page of a hundred runs may take its time
    admin = replace(dbt_cloud.admin, outbound=Outbound(read_timeout_s=20.0, whole_answer_s=60.0))
    with Keeping(path) as kept:
        try:
            with output.progress("Asking dbt Cloud ...") as shown:
                ids = [str(each) for each in chosen.accounts] or ids_of_accounts(admin)
                accounts = [Account(admin, each) for each in ids]
                fetching = Fetching(accounts, dbt_cloud, configurations, kept, shown)
                return fetching.fetch(since, limit), ids
        except TemporaryFailure as failure:
            raise TemporaryFailure(f"{failure}\n{_keeps(kept, save)}") from None
        except KeyboardInterrupt:
            output.hint(_keeps(kept, save))
            raise


def _keeps(kept: Keeping, save: Path | None) -> str:
    if save is None:
        return "Nothing is kept; with --save FILE the same command goes on from where it ended."
    runs = output.count(len(kept.asked), "run")
    return f"{runs} kept in {save}: the same command goes on from there."


def _last(history: History, days: int | None) -> History:
    """The last so many days of a file, counted back from its last run."""
    if days is None or not history.places:
        return history
    return history.since(history.places[-1].at - timedelta(days=days))


def _played(configuration: Configuration, found: History) -> Played:
    with output.progress("Playing ...") as shown:
        count = len(found.places)
        return play(configuration, found, lambda n: shown(f"Playing run {n:,} of {count:,} ..."))


def _nothing(history: Path | None, days: int, *, as_json: bool) -> None:
    if as_json:
        output.data({"events": 0, "told": []})
    elif history:
        output.say(f"{history} holds no runs.")
    else:
        output.say(f"No run ended in the last {days} days.")


def _summary(name: str, played: Played) -> str:
    ended = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(played.ended.items()))
    jobs = output.count(played.jobs, "job")
    return (
        f"{name} on {output.count(played.events, 'run')} of {jobs} ({ended}), from "
        f"{output.minute(played.since)} to {output.minute(played.until)} UTC."
    )


def _warn(
    played: Played,
    fetched: Fetched | None,
    configurations: Sequence[Configuration],
    history: Path | None,
) -> None:
    """What makes this less than what the service would have done."""
    if fetched and fetched.oldest:
        output.warn(
            f"these are the newest runs only, back to {output.when(fetched.oldest)}; --limit N "
            "looks at more"
        )
    if fetched and fetched.hidden:
        output.warn(
            f"the token may not list {' and '.join(sorted(fetched.hidden))}: rules that name one "
            "match all of them here"
        )
    if fetched and fetched.going_on:
        output.hint(f"Left out, since they go on still: {output.count(fetched.going_on, 'run')}.")
    for note, count in fetched.notes.most_common(NOTES) if fetched else ():
        output.warn(f"{output.count(count, 'run')}: {note}")
    if played.lacking:
        output.warn(
            f"{history} was kept for other rules: of {output.count(played.lacking, 'run')} it does "
            f"not hold the nodes, which these rules want to know; add them with --save {history}"
        )
    rules = [rule for one in configurations for rule in one.rules]
    told = {each for rule in rules for each in rule.when.outcome}
    if "cancelled" in told and played.ended.get("cancelled"):
        output.hint("dbt Cloud may send no event of a run that was cancelled; it is played here.")
    by_events = [rule.when.event for rule in rules if rule.when.event]
    if "started" in told or any("completed" not in each for each in by_events):
        output.hint("Only ends of runs are played: `started` and `errored` match nothing here.")


def _data(
    played: Played, former: Played | None, fetched: Fetched | None, against: Path | None
) -> dict[str, Any]:
    found = data.data(played)
    if fetched:
        found["fetched"] = {
            "ended": fetched.ended,
            "going_on": fetched.going_on,
            "kept_before": fetched.kept_before,
            "asked": fetched.asked,
            "oldest": fetched.oldest,
            "hidden": sorted(fetched.hidden),
            "notes": dict(fetched.notes.most_common()),
        }
    if former:
        changes = data.difference(difference(former, played))
        found["against"] = {"file": str(against), **data.data(former), **changes}
    return found
