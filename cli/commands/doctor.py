"""afterrun doctor: every credential, permission, topic and account: works or not, and the fix."""

from typing import Annotated

import typer

from cli import apps, output
from cli.doctor import page
from cli.doctor.finding import Group, State
from cli.exits import Exit
from cli.options import Config, Json, LedgerAt, Project, environ
from shared.errors import Mistake
from shared.settings import check_url

app = apps.made()
WORDS = {group.word: group for group in Group}


@app.command(
    epilog=apps.examples(
        "afterrun doctor --ledger firestore:my-project/afterrun --region europe-west1"
    )
    + "\n\nEnds with 0 if all that was tried works, 1 if something does not."
)
def doctor(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="GROUP",
            help=f"Only this group, or these: {', '.join(WORDS)}.",
            show_default=False,
        ),
    ] = None,
    receiver: Annotated[
        str,
        typer.Option(
            metavar="URL", help="The receiver's URL: whether it is ready.", show_default=False
        ),
    ] = "",
    region: Annotated[
        str,
        typer.Option(
            metavar="REGION", help="Where the services run, as europe-west1.", show_default=False
        ),
    ] = "",
    config: Config = None,
    project: Project = None,
    ledger: LedgerAt = None,
    as_json: Json = False,
) -> None:
    """Try every credential and permission, and say what mends it.

    Nothing is changed, nobody is told, no refresh begins.
    """
    from cli.doctor import examination

    found = examination.findings(
        environ(config, project, ledger),
        groups=_groups(only),
        receiver=_url(receiver),
        region=region,
    )
    if as_json:
        output.data(page.as_data(found))
    else:
        page.show(found)
    if any(each.state is State.FAILS for each in found):
        raise typer.Exit(Exit.FOUND)


def _groups(only: list[str] | None) -> frozenset[Group]:
    words = [word for each in only or () for word in each.split(",") if word]
    for word in words:
        if word not in WORDS:
            raise typer.BadParameter(
                f"there is no group {word}; write one of {', '.join(WORDS)}", param_hint="--only"
            )
    return frozenset(WORDS[word] for word in words) or frozenset(Group)


def _url(receiver: str) -> str:
    try:
        return check_url(receiver) if receiver else ""
    except Mistake as mistake:
        raise typer.BadParameter(str(mistake), param_hint="--receiver") from None
