"""Rendering: what destinations are told in scenes, for people, for programs and for a browser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from cli import output
from cli.output import Cell
from cli.render import page_text
from cli.render.payload import addressed, payload
from cli.render.scene import NotTold, Scene
from shared.errors import Mistake
from subscriber.actions import Action, Verb
from subscriber.configuration import Configuration
from subscriber.page import page


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


def rendered(
    configuration: Configuration, name: str, sample_name: str | None, verb: Verb | None
) -> Rendered:
    """The scene that is asked for, played; see `Scene.of`."""
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


def show(found: Sequence[Rendered]) -> None:
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


def show_payloads(found: Sequence[Rendered]) -> None:
    """What goes out, and nothing else where it is one: for other programs."""
    for each in found:
        if len(found) > 1:
            _title(each)
        if each.action is None:
            output.hint(f"{each.scene.name}: {each.why_not}")
        else:
            output.raw(each.payload)


def data(each: Rendered) -> Mapping[str, object]:
    """The same as JSON."""
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


def write_html(path: Path, found: Sequence[Rendered]) -> None:
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
