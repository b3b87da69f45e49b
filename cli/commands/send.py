"""`afterrun send`: an event goes to a receiver, signed as dbt Cloud signs."""

from typing import Annotated

import typer

from cli import apps, options, output
from cli.exits import Exit

app = apps.made()

LOOPBACK = "http://127.0.0.1:8080"


@app.command(
    epilog=apps.examples(
        "afterrun send failed-model --new --secret env:WEBHOOK_SECRET",
        "afterrun send body.json --url https://NAME-xyz.a.run.app/ "
        "--secret secret:dbt-cloud-webhook",
    )
)
def send(
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT",
            help="The name of a sample, a file with a webhook's body (`-` is stdin), or the id of "
            "an event (wev_...) in the ledger.",
            show_default=False,
        ),
    ],
    url: Annotated[str, typer.Option("--url", metavar="URL", help="The receiver.")] = LOOPBACK,
    secret: Annotated[
        str,
        typer.Option(
            "--secret",
            metavar="REF",
            help="What signs it: secret:NAME, env:NAME, file:/path; else the first that "
            "WEBHOOK_SECRETS lists.",
            show_default=False,
        ),
    ] = "",
    config: options.Config = None,
    ledger: options.LedgerAt = None,
    project: options.Project = None,
    *,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Without a signature, to see it refused.")
    ] = False,
    new: Annotated[
        bool,
        typer.Option("--new", help="As of another, later run, so that it is no repeat."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be sent, and how to by hand."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Send an event to a receiver as dbt Cloud does.

    Exit codes: 0 it was taken (2xx), 4 it was refused (401: the wrong secret), 5 no answer or 5xx;
    1 it was taken without a signature.
    """
    from cli.send import page, posting, sending
    from cli.webhooks import receiving, wanted
    from cli.webhooks.signing import sign

    environ = options.environ(config, project, ledger)
    made = posting.posting(event.strip(), environ, wanted.url(url), is_new=new)
    signer = "" if unsigned else posting.signer(secret, environ)
    if dry_run:
        page.plan(made, signer, json=json)
        return
    signature = sign(made.body, posting.secret(signer, environ)) if signer else None
    with output.progress("Sending it ..."):
        answer = sending.posted(made.url, made.body, signature)
    if json:
        output.data(page.as_data(made, signer, answer))
    else:
        page.show(made, signer, answer)
    if not signer and receiving.is_taken(answer.status):
        raise typer.Exit(Exit.FOUND)
    if receiving.is_taken(answer.status) and not new:
        output.hint("The same again does nothing; --new makes it another, later run.")
    raise typer.Exit(receiving.exit_code(answer.status))
