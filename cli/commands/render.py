"""afterrun render: what each destination would be told, as people read it; nothing is sent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Annotated

import typer

from cli import apps, example, output, page_text, sample
from cli.exits import Exit
from cli.options import Config, Json, environ
from cli.output import Cell, Column
from cli.payload import addressed, payload
from cli.scene import NotTold, Scene
from shared.errors import Mistake
from subscriber.actions import Action, Verb
from subscriber.configuration import Configuration
from subscriber.hints import did_you_mean
from subscriber.page import page
from subscriber.settings import DEFAULT_FILE, configured

app = apps.made()
COLUMNS = (Column("sample", whole=True), Column("what happens"))


@dataclass(frozen=True)
class Rendered:
    """What a destination is told in a scene, or why it is not."""

    scene: Scene
    action: Action | None
    why_not: str = ""

    @property
    def kind(self) -> str:
        return self.scene.configuration.destinations[self.scene.name].kind()

    @property
    def payload(self) -> str:
        return payload(self.scene.configuration, self.action) if self.action else ""


@app.command(
    epilog="Examples: afterrun render | afterrun render data-alerts --sample failed-test --payload "
    "| afterrun render --kind teams --verb close"
)
def render(
    *,
    destinations: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DESTINATION]...",
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
        _rendered(configuration, name, sample_name, verb)
        for configuration, name in _wanted(destinations or [], kind or [], config)
    ]
    if html is not None:
        _write_html(html, found)
        return
    if as_json:
        output.data([_data(each) for each in found])
    elif payload:
        _show_payloads(found)
    else:
        _show(found)
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


def _rendered(
    configuration: Configuration, name: str, sample_name: str | None, verb: Verb | None
) -> Rendered:
    scene = Scene.of(configuration, name, sample_name, verb)
    try:
        return Rendered(scene, scene.action())
    except NotTold as reason:
        return Rendered(scene, None, str(reason))


def _title(*same: Rendered) -> None:
    scene = same[0].scene
    parts: list[str | Cell] = []
    for each in same:
        parts += [", "] if parts else []
        parts += [Cell(each.scene.name, "strong"), Cell(f" ({each.kind})", "dim")]
    output.spans(*parts, Cell(f": {scene.verb}, sample {scene.sample}", "dim"))


def _show(found: Sequence[Rendered]) -> None:
    """What people read of each; what reads the same is shown once."""
    by_text: dict[object, list[Rendered]] = {}
    for each in found:
        reads = page(each.action) if each.action else each.why_not
        is_read = each.scene.verb is not Verb.REFRESH
        key = (each.scene.verb, reads) if is_read else each.scene.name
        by_text.setdefault(key, []).append(each)
    for number, same in enumerate(by_text.values()):
        if number:
            output.say()
        _title(*same)
        _show_one(same[0])


def _show_one(each: Rendered) -> None:
    if each.action is None:
        output.spans(Cell(each.why_not, "dim"), indent=2)
    elif each.action.verb is Verb.REFRESH:
        output.spans(f"because {each.action.message.headline}:", indent=2)
        output.raw(indent(output.shown(each.payload), "  "))
    else:
        page_text.show(each.action)


def _show_payloads(found: Sequence[Rendered]) -> None:
    """What goes out, and nothing else where it is one: for other programs."""
    for each in found:
        if len(found) > 1:
            _title(each)
        if each.action is None:
            output.hint(f"{each.scene.name}: {each.why_not}")
        else:
            output.raw(each.payload)


def _data(each: Rendered) -> Mapping[str, object]:
    action = each.action
    return {
        "destination": each.scene.name,
        "kind": each.kind,
        "sample": each.scene.sample,
        "verb": each.scene.verb,
        "headline": action.message.headline if action else None,
        "message": action.body()["message"] if action else None,
        "payload": each.payload if action else None,
        "why_not": each.why_not or None,
    }


def _write_html(path: Path, found: Sequence[Rendered]) -> None:
    """The HTML of the one e-mail among `found`. Raises Mistake."""
    from subscriber.destinations.email import Email

    letters = []
    for each in found:
        destination = addressed(each.scene.configuration, each.action) if each.action else None
        if isinstance(destination, Email) and each.action is not None:
            letters.append(destination.letter(each.action, each.action.occurred_at))
    if len(letters) != 1:
        what = "no e-mail" if not letters else f"{len(letters)} e-mails: name one destination"
        raise Mistake(f"--html writes one e-mail, and this is {what}")
    try:
        path.write_text(letters[0].html, encoding="utf-8")
    except OSError as error:
        raise Mistake(f"{path} cannot be written: {error.strerror}") from None
    output.hint(f"Written: {path}")
