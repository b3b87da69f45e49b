"""Options that several commands share, and the settings that they make."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from shared.errors import Mistake
from shared.settings import environment, log_level
from subscriber import durations, settings
from subscriber.ledger.contract import Ledger
from subscriber.settings import Places, PushSettings, Settings

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration; else AFTERRUN_CONFIG, ./afterrun.yaml, the guides' variables.",
        show_default=False,
    ),
]
Project = Annotated[
    str | None,
    typer.Option(
        "--project",
        metavar="ID",
        help="The Google Cloud project; else GOOGLE_CLOUD_PROJECT.",
        show_default=False,
    ),
]
LedgerAt = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="WHERE",
        help="sqlite:PATH or firestore:PROJECT/DATABASE; else LEDGER, else sqlite:./afterrun.db.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


def environ(
    config: Path | None = None, project: str | None = None, ledger: str | None = None
) -> Mapping[str, str]:
    """This process's environment, with what the command line says over it."""
    said = {
        "AFTERRUN_CONFIG": str(config) if config else None,
        "GOOGLE_CLOUD_PROJECT": project,
        "LEDGER": ledger,
    }
    return {**environment(), **{name: value for name, value in said.items() if value}}


def duration(written: str) -> timedelta:
    """Parses an option that says for how long, or since when."""
    try:
        return durations.parse(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def unpushed(told: Mapping[str, str]) -> Settings:
    """The settings of a subscriber in this process, which nothing pushes to; raises Mistake."""
    found, places = settings.configured(told), settings.places(told)
    return Settings(found, places, PushSettings("off"), log_level(told))


def existing_ledger(places: Places) -> Ledger:
    """The ledger of a subscriber that runs; raises Mistake where there is certainly none.

    A file that is not there is not made: an empty ledger would look as if nothing had happened.
    """
    from subscriber import wiring

    if places.ledger.kind == "memory":
        raise Mistake("LEDGER: `memory:` is gone with its process; name the subscriber's ledger")
    if places.ledger.kind == "sqlite" and not _is_there(Path(places.ledger.where)):
        raise Mistake(
            f"LEDGER: there is no file {places.ledger.where}; name the subscriber's ledger: "
            "--ledger firestore:PROJECT/DATABASE, or sqlite:PATH"
        )
    return wiring.ledger(places, must_exist=True)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False
