"""afterrun render: what each destination would be told, as people read it; nothing is sent."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli import apps, example, output, sample
from cli.exits import Exit
from cli.options import Config, Json, environ
from cli.output import Column
from cli.render import rendering
from shared.errors import Mistake
from subscriber.actions import Verb
from subscriber.configuration import Configuration
from subscriber.hints import did_you_mean
from subscriber.settings import DEFAULT_FILE, configured

app = apps.made()
COLUMNS = (Column("sample", whole=True), Column("what happens"))


@app.command(
    epilog=apps.examples(
        "afterrun render data-alerts --sample failed-test",
        "afterrun render --kind teams --verb close    # without a configuration",
    )
)
def render(
    *,
    destinations: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DESTINATION",
            help="Names of the configuration; all of them if none is given.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    sample_name: Annotated[
        str | None,
        typer.Option(
            "--sample",
            metavar="NAME",
            help="What happens (see --list); else what shows most.",
            show_default=False,
        ),
    ] = None,
    verb: Annotated[
        Verb | None, typer.Option(help="What is told of it.", show_default=False)
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="A kind's example in place of the configuration, such as slack. May be repeated.",
            show_default=False,
        ),
    ] = None,
    payload: Annotated[
        bool, typer.Option("--payload", help="The exact requests, in place of what people read.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write an e-mail's HTML, to open it in a browser.",
            show_default=False,
        ),
    ] = None,
    list_samples: Annotated[bool, typer.Option("--list", help="List the samples.")] = False,
    as_json: Json = False,
) -> None:
    """Show what each destination would be told.

    Offline, and without secrets: where one belongs, there is the reference.
    """
    if list_samples:
        _list(as_json=as_json)
        return
    if sample_name is not None:
        sample.load(sample_name)
    found = [
        rendering.rendered(configuration, name, sample_name, verb)
        for configuration, name in _wanted(destinations or [], kind or [], config)
    ]
    if html is not None:
        rendering.write_html(html, found)
        return
    if as_json:
        output.data([rendering.data(each) for each in found])
    elif payload:
        rendering.show_payloads(found)
    else:
        rendering.show(found)
    if not any(each.action for each in found):
        raise typer.Exit(Exit.FOUND)


def _list(*, as_json: bool) -> None:
    if as_json:
        output.data([{"name": name, "about": about} for name, about in sample.ABOUT.items()])
    else:
        output.table(COLUMNS, list(sample.ABOUT.items()))


def _wanted(
    names: Sequence[str], kinds: Sequence[str], config: Path | None
) -> Iterator[tuple[Configuration, str]]:
    """Each destination to render, with the configuration that it is in. Raises Mistake."""
    if kinds and names:
        raise Mistake("--kind shows an example of its own: leave the names of destinations out")
    if kinds:
        for kind in kinds:
            found = example.load(kind)
            yield from ((found, name) for name in found.destinations)
        return
    env = environ(config=config)
    try:
        configuration = configured(env)
    except Mistake as mistake:
        if env.get("AFTERRUN_CONFIG") or Path(DEFAULT_FILE).is_file():
            raise
        raise Mistake(f"{mistake}\n--kind KIND shows a kind without a configuration") from None
    known = list(configuration.destinations)
    for name in names:
        if name not in known:
            raise Mistake(f"there is no destination `{name}`{did_you_mean(name, known)}")
    yield from ((configuration, name) for name in names or known)
