"""afterrun lab: the main job, here and offline, with every other side played by a stand-in."""

from typing import Annotated

import typer

from cli import apps
from shared.errors import Mistake

app = apps.made()


@app.command(epilog=apps.examples("afterrun lab --stay"))
def lab(
    *,
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep everything running afterwards; Ctrl-C ends it.")
    ] = False,
) -> None:
    """Play the main job here, offline, and show what each side saw.

    The receiver and the subscriber are the real ones; dbt Cloud, Pub/Sub and the vendors are
    stand-ins. A good run refreshes dashboards; a production run fails and pages, the same failure
    again tells nobody, another one updates the alert, a good run closes it; the refresh that failed
    is told; forged events are refused. Ends with 0 only if all of that happened. Needs no network
    and no account; everything listens on 127.0.0.1 and is gone afterwards.
    """
    try:
        from lab import command
        from lab.functions import NotStarted
    except ModuleNotFoundError as missing:
        raise Mistake(
            f"the lab is not installed here (no module {missing.name}): install afterrun with its "
            "extra `lab`, or run it in a checkout with `make run`"
        ) from None
    try:
        code = command.play(stay=stay)
    except NotStarted as failure:
        raise Mistake(str(failure)) from None
    raise typer.Exit(code)
