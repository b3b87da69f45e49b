"""afterrun init: a first configuration file, from a few questions or flags."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import apps, output
from cli.exits import Exit
from cli.options import Json, environ
from shared.errors import Mistake

if TYPE_CHECKING:
    from cli.check.checking import Checked

app = apps.made()


@app.command(
    epilog=apps.examples(
        "afterrun init --yes --account 12345 --pagerduty secret:pd-routing-key "
        "--slack secret:slack-data-alerts"
    )
)
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write.")] = Path(
        "afterrun.yaml"
    ),
    *,
    host: Annotated[str | None, typer.Option(help="Host of your access URL.")] = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="Your account's id.")] = None,
    token: Annotated[
        str | None, typer.Option(metavar="WHERE", help="Where the service token is kept.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment of production.")
    ] = None,
    pagerduty: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="Where PagerDuty's integration key is kept."),
    ] = None,
    slack: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="Where Slack's webhook URL or bot token is kept."),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="ID", help="Slack's channel, for a bot token.")
    ] = None,
    teams: Annotated[
        str | None, typer.Option(metavar="WHERE", help="Where the URL of a Teams flow is kept.")
    ] = None,
    dashboard: Annotated[
        str | None, typer.Option(metavar="KIND", help="Refresh one: mode, hex, tableau, ...")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What the dashboard needs; repeatable."),
    ] = None,
    job: Annotated[
        str | None, typer.Option(metavar="NAME", help="Job whose good runs refresh it.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: flags or defaults.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a first afterrun.yaml. Where a secret is kept is asked for, never the secret."""
    from cli.check import schema
    from cli.init import starting
    from cli.init.interview import Interview

    if file.exists() and not force:
        raise Mistake(f"{file} is there already; --force writes over it")
    flags = {
        "host": host,
        "account": account,
        "token": token,
        "environment": environment,
        "pagerduty": pagerduty,
        "slack": slack,
        "channel": channel,
        "teams": teams,
        "dashboard": dashboard,
        "job": job,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    if not yes and not sys.stdin.isatty():
        raise Mistake("there is no terminal to ask on: give --yes, and flags for the answers")
    start = Interview(given, _sets(sets or ()), None if yes else _asked, output.failed).start()
    made = starting.text(start)
    _write(file.with_name(schema.NAME), schema.text(), force=True)
    _write(file, made, force=force)
    _then(file, as_json=as_json)


def _sets(sets: Sequence[str]) -> dict[str, str]:
    """The keys and values of --set, by key."""
    found = {}
    for each in sets:
        key, equals, value = each.partition("=")
        if not equals or not key.isidentifier():
            raise typer.BadParameter("write --set KEY=VALUE")
        found[key] = value
    return found


def _asked(question: str) -> str:
    output.question(question)
    try:
        return input()
    except EOFError:
        raise Mistake("nobody answers: give --yes, and flags for the answers") from None


def _write(path: Path, content: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(content)
    except OSError as error:
        raise Mistake(f"{path} cannot be written: {error.strerror}") from None


def _then(file: Path, *, as_json: bool) -> None:
    """Check what was written, and say what is next."""
    from cli.check import checking

    found = checking.checked(environ(file))
    if as_json:
        output.data({"ok": found.is_right(), **checking.data(found)})
    else:
        _say(file, found)
    if not found.is_right():
        raise typer.Exit(Exit.FOUND)


def _say(file: Path, found: "Checked") -> None:
    from cli.check import checking

    for each in (*found.mistakes, *found.warnings):
        output.located(each.place, each.what, "warn")
    output.located("", f"Written: {checking.summary(found)}", "good" if found.is_right() else "bad")
    named = "" if str(file) == "afterrun.yaml" else f" --config {shlex.quote(str(file))}"
    output.say("Next, see what it would do and say; then deploy it (docs/deploy.md):")
    output.raw(
        f"  afterrun explain failed-model{named}\n  afterrun render --sample failed-model{named}"
    )
