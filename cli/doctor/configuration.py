"""The configuration: whether it can be read, and what is odd about it."""

from collections.abc import Iterator, Mapping

from cli import output
from cli.doctor.finding import About, Finding, Group
from shared.errors import Mistake
from subscriber import settings
from subscriber.configuration import Configuration
from subscriber.settings import Places

CHECK = "afterrun check"
LEDGER = "LEDGER"


def configured(environ: Mapping[str, str]) -> tuple[Configuration | None, list[Finding]]:
    """The configuration, None if it cannot be read; and what there is to say of it."""
    about = About(Group.CONFIGURATION, "file")
    try:
        found = settings.configured(environ)
    except Mistake as mistake:
        return None, [about.fails(line, CHECK) for line in str(mistake).splitlines()]
    return found, list(_said(found, about))


def placed(environ: Mapping[str, str]) -> tuple[Places | None, list[Finding]]:
    """Where a subscriber's things are, None if that cannot be read; and what there is to say.

    Where the ledger alone cannot be read, there is none, and the rest is as it is.
    """
    try:
        return settings.places(environ), []
    except Mistake as mistake:
        name, _, said = str(mistake).partition(": ")
    wrong = About(Group.CONFIGURATION, name).fails(said, f"set {name} right, or leave it out")
    if name != LEDGER:
        return None, [wrong]
    others, more = placed({**environ, LEDGER: "memory:"})
    return others, [wrong, *(each for each in more if each.name != LEDGER)]


def _said(found: Configuration, about: About) -> Iterator[Finding]:
    rules = output.count(len(found.rules), "rule")
    counted = f"{rules}, {output.count(len(found.destinations), 'destination')}"
    where = found.lines.file if found.lines is not None else "none; the guides' variables rule"
    yield about.ok(f"{where}: {counted}")
    for warning in found.warnings:
        yield About(Group.CONFIGURATION, "to look at").warns(str(warning))
