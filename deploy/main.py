"""`python -m deploy`: Afterrun on Google Cloud, and out of it again, in one command each."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli import apps, asking, output
from cli.exits import Exit
from deploy import gcloud, reading, script, texts
from deploy.choosing import chosen
from deploy.names import Deployment
from deploy.runner import Outcome, Runner
from deploy.services import held
from deploy.step import Step
from deploy.steps import PARTS, steps
from shared.errors import Failure, Mistake, TemporaryFailure
from subscriber import settings

app = apps.made(help="Afterrun on Google Cloud: make it, change it, take it away.")

Project = Annotated[str, typer.Option("--project", metavar="ID", help="The project.")]
Region = Annotated[str, typer.Option("--region", metavar="NAME", help="As europe-west1.")]
Config = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration.")]
DbtToken = Annotated[
    str,
    typer.Option(
        "--dbt-token",
        metavar="REF",
        help="Where a token is that may manage dbt Cloud's webhooks; else the configuration's.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the commands, run none.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; leave values for later.")]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="PART", help="This part; may be repeated.")
]

PARTS_NAMED = f"Parts, in order: {', '.join(PARTS)}."
AT = "--project my-data-123 --region europe-west1"


@app.command(epilog=f"{PARTS_NAMED}\n\nExample: python -m deploy up {AT} --dry-run")
def up(
    *,
    project: Project = "",
    region: Region = "",
    config: Config = Path("afterrun.yaml"),
    notify: Annotated[
        str, typer.Option("--notify", metavar="ADDRESS", help="Mail alerts of Google to it.")
    ] = "",
    dbt_token: DbtToken = "",
    image: Annotated[
        str, typer.Option("--image", metavar="NAME", help="Deploy this one; else one is built.")
    ] = "",
    only: Only = None,
    start: Annotated[
        str, typer.Option("--from", metavar="PART", help="Begin with this part.")
    ] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Make what is missing, change what is otherwise. Safe to run again, after a failure too."""
    with failing():
        it = reading.read(project, region, config, image, notify, dbt_token)
        if dry_run:
            output.raw("\n".join(script.making(it, chosen(steps(it), only or (), start))))
            return
        it = _numbered(it)
        todo = chosen(steps(it), only or (), start)
        output.raw("\n".join(texts.intention(it, gcloud.account(gcloud.run), todo)))
        if not yes:
            asking.go_on("Go ahead?")
        runner = _runner(it, yes=yes)
        with going_on():
            make(runner, todo)
        _end(runner, config)


@app.command(epilog=f"{PARTS_NAMED}\n\nExample: python -m deploy down {AT} --dry-run")
def down(
    *,
    project: Project = "",
    region: Region = "",
    config: Config = Path("afterrun.yaml"),
    only: Only = None,
    dbt_token: DbtToken = "",
    keep_data: Annotated[
        bool,
        typer.Option(
            "--keep-data/--delete-data",
            help="The ledger, dead letters and secrets: keep them, or delete them for good.",
        ),
    ] = True,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Take everything away that `up` made, the webhook first. Data stays unless you say so."""
    with failing():
        it = reading.read(project, region, config, dbt_token=dbt_token)
        found = list(reversed(chosen(steps(it), only or (), "")))
        meant = [each for each in found if each.undo and not (keep_data and each.is_data)]
        if dry_run:
            output.raw("\n".join(script.undoing(it, meant)))
            return
        it = _numbered(it)
        found = list(reversed(chosen(steps(it), only or (), "")))
        output.raw("\n".join(texts.farewell(it, found, with_data=not keep_data)))
        if not yes and typer.prompt("To go ahead, type the project's name") != project:
            raise Mistake("this is another name: nothing was done")
        runner = _runner(it, yes=yes)
        with going_on():
            undo(runner, found, with_data=not keep_data)
        if runner.later:
            output.raw("\n".join(texts.left_behind(runner.later)))
        output.say("Afterrun is gone." if not keep_data else "Afterrun is gone; its data is kept.")


def make(runner: Runner, todo: Sequence[Step]) -> None:
    """Every step in turn, each with a line; raises the failure of the first that fails."""
    for number, step in enumerate(todo, start=1):
        with _shown(f"{number}/{len(todo)} {step.what} ... {step.slow}", step):
            outcome = runner.make(step)
        _line(outcome, step)


def undo(runner: Runner, found: Sequence[Step], *, with_data: bool) -> None:
    """The same, the other way."""
    todo = [step for step in found if step.undo]
    for number, step in enumerate(todo, start=1):
        with _shown(f"{number}/{len(todo)} {step.what} ...", step):
            outcome = runner.undo(step, with_data=with_data)
        _line(outcome, step)


def _shown(text: str, step: Step) -> AbstractContextManager[object]:
    """That it goes on; where something is asked nothing moves."""
    return nullcontext() if step.asks or step.offer else output.progress(text)


def _line(outcome: Outcome, step: Step) -> None:
    quiet = outcome in (Outcome.THERE, Outcome.GONE, Outcome.KEPT, Outcome.NONE)
    output.say(f"{outcome:<14}  {step.what}", "dim" if quiet else "good")


def _numbered(it: Deployment) -> Deployment:
    """With the project's number; raises Failure where gcloud may not even see the project."""
    return replace(it, number=_runner(it, yes=True).learn("NUMBER"))


def _end(runner: Runner, config: Path) -> None:
    it = runner.it
    output.say()
    if runner.later:
        output.raw("\n".join(texts.left(runner.later)))
        output.say()
    for service in runner.look(held(it)) or ():
        output.warn(texts.held(it, service))
    others = reading.elsewhere(settings.configured({"AFTERRUN_CONFIG": str(config)}), it.project)
    if others:
        output.say("Secrets of other projects are given by who looks after those:")
        output.raw("\n".join(texts.grants(it, others)))
        output.say()
    output.raw("\n".join(texts.address(it)))


def _runner(it: Deployment, *, yes: bool) -> Runner:
    def agrees(offer: str) -> bool:
        return yes or typer.confirm(offer, default=True)

    def secret(name: str) -> str:
        return "" if yes or not sys.stdin.isatty() else _typed(name)

    return Runner(it, gcloud.run, secret, agrees, time.sleep, output.hint)


def _typed(name: str) -> str:
    """The secret's value, typed unseen; "" to leave it for later."""
    asked = f"The value of {name} (Enter leaves it for later)"
    return str(typer.prompt(asked, default="", show_default=False, hide_input=True)).strip()


@contextmanager
def failing() -> Iterator[None]:
    """A failure becomes a few lines and an exit code."""
    try:
        yield
    except Mistake as mistake:
        output.failed(str(mistake))
        raise typer.Exit(Exit.MISTAKE) from None
    except Failure as failure:
        output.failed(str(failure))
        busy = isinstance(failure, TemporaryFailure)
        raise typer.Exit(Exit.BUSY if busy else Exit.REFUSED) from None


@contextmanager
def going_on() -> Iterator[None]:
    """Whatever ends it early, it can be gone on with."""
    said = "It ends here. What is done stays done: run the same command again."
    try:
        yield
    except Failure as failure:
        raise type(failure)(f"{failure}\n{said}") from None
    except KeyboardInterrupt:
        output.hint(f"\n{said}")
        raise


def main() -> None:
    app(prog_name="python -m deploy")
