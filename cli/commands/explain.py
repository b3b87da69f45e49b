"""afterrun explain: who would be told what of an event, and why; nothing is sent or written."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import apps, output
from cli.explain import data, page
from cli.explain.explaining import Explaining
from cli.explain.page import Basis
from cli.history import YEARS
from cli.meant import Source
from cli.options import Config, Json, LedgerAt, Project, environ, existing_ledger
from shared.errors import Mistake
from subscriber.ledger.contract import Ledger
from subscriber.settings import Places, configured, places

app = apps.made()

Named = Annotated[
    str,
    typer.Argument(
        metavar="EVENT",
        help="A file (a webhook's body, a Pub/Sub push, lines of a history; `-` is stdin), the "
        "name of a sample, the id of a run, or that of an event (wev_...) in the ledger.",
        show_default=False,
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="As if nothing had happened before.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Do not ask dbt Cloud: only what the event says.")
]
At = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="As if it came then: 2026-01-05T03:00Z.", show_default=False),
]
Payload = Annotated[
    bool, typer.Option("--payload", help="Show the exact requests that would be sent.")
]
AsJob = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="A sample, as if of this job (digits: its id).", show_default=False
    ),
]
AsEnvironment = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A sample, as if of this environment.", show_default=False),
]
AsProject = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A sample, as if of this project.", show_default=False),
]


@app.command(
    epilog=apps.examples(
        "afterrun explain failed-model --as-job 'Finance daily' --payload",
        "afterrun explain 70437497968255",
    )
)
def explain(
    *,
    event: Named,
    config: Config = None,
    ledger: LedgerAt = None,
    project: Project = None,
    fresh: Fresh = False,
    at: At = None,
    offline: Offline = False,
    as_job: AsJob = None,
    as_environment: AsEnvironment = None,
    as_project: AsProject = None,
    payload: Payload = False,
    as_json: Json = False,
) -> None:
    """Explain who would be told what of an event, and why.

    By the service's own decisions, on a copy of what its ledger remembers, if there is one here.
    Nothing is sent and nothing is written.
    """
    env = environ(config=config, project=project, ledger=ledger)
    where = places(env)
    explaining = Explaining(
        configuration=configured(env),
        places=where,
        kept=_ledger(where, is_named=bool(env.get("LEDGER"))),
        now=datetime.now(UTC),
        at=_time(at),
        is_fresh=fresh,
        is_offline=offline,
        data=_data(as_job, as_environment, as_project),
    )
    with output.progress("Looking for it ..."):
        found = explaining.meant(event.strip())
    with output.progress("Asking dbt Cloud ..."):
        found = explaining.answered(found)
    with output.progress("Deciding ..."):
        explanation = explaining.explanation(found)
    notices = list(explaining.notices(found, explanation))
    basis = list(explaining.basis(found, explanation))
    if as_json:
        told = data.data(explanation, explaining.configuration, with_payload=payload)
        output.data({"notices": notices, **told, "basis": dict(basis)})
        return
    page.show(explanation, explaining.configuration, Basis(basis, notices), with_payload=payload)
    is_of_ours = not explanation.answer.is_unknown_account
    if found.source is Source.SAMPLE and is_of_ours and not explanation.places:
        output.hint("A sample may be of your job: see --as-job, --as-environment, --as-project.")


def _ledger(where: Places, *, is_named: bool) -> Ledger | None:
    """The ledger to read; None where there is none, and nobody has named one."""
    from subscriber import wiring

    file = Path(where.ledger.where)
    match where.ledger.kind:
        case "memory":
            return None
        case "sqlite" if file.is_file() and not file.stat().st_size:
            # to open it would make a ledger of it
            return None
        case "sqlite" if not is_named:
            return wiring.ledger(where) if file.is_file() else None
        case _:
            return existing_ledger(where)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text.strip())
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        time = datetime.min.replace(tzinfo=UTC)
    if time.year not in YEARS:
        raise Mistake("--at: write a time, such as 2026-01-05T03:00Z")
    return time


def _data(job: str | None, environment: str | None, project: str | None) -> dict[str, str]:
    """What a sample is to say in place of its own, as a webhook has it."""
    said = {"job": job, "environment": environment, "project": project}
    return {
        f"{what}{'Id' if value.isascii() and value.isdigit() else 'Name'}": value
        for what, value in said.items()
        if value
    }
