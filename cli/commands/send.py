"""`afterrun send`: an event goes to a receiver, signed as dbt Cloud signs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from cli import apps, options, output
from shared.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.meant import Meant
    from cli.sending import Answer

app = apps.made()

LOOPBACK = "http://127.0.0.1:8080"


@app.command(
    epilog="Examples: afterrun send failed-model --new --secret env:WEBHOOK_SECRET | "
    "afterrun send body.json --url https://NAME-xyz.a.run.app/ --secret secret:dbt-webhook"
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
    """Send an event to a receiver, as dbt Cloud does, and say what it answers.

    Exit codes: 0 it was taken (2xx), 4 it was refused (401: the wrong secret), 5 no answer or 5xx.
    """
    from cli import receiving, sending
    from cli.webhooks import wanted

    environ = options.environ(config, project, ledger)
    letter = _letter(event, environ, wanted.url(url), is_new=new)
    signer = "" if unsigned else _signer(secret, environ)
    if dry_run:
        _show_plan(letter, signer, json=json)
        return
    signature = sending.sign(letter.body, _read(signer, environ)) if signer else None
    with output.progress("Sending it ..."):
        answer = sending.posted(letter.url, letter.body, signature)
    if json:
        output.data(_as_data(letter, signer, answer))
    else:
        _show(letter, signer, answer)
    raise typer.Exit(receiving.exit_code(answer.status))


@dataclass(frozen=True)
class _Letter:
    """What is sent, and where to; `said` names it for people."""

    said: str
    url: str
    body: bytes
    event_id: str
    run_id: str


def _letter(name: str, environ: "Mapping[str, str]", url: str, *, is_new: bool) -> _Letter:
    from urllib.parse import urlsplit

    from cli import meant, sample, sending
    from cli.meant import Source
    from shared.event import read
    from shared.settings import is_loopback

    now = datetime.now(UTC)
    accounts = _accounts(environ)
    match meant.source(name):
        case Source.SAMPLE:
            found = meant.of_a_sample(name)
        case Source.RECORD:
            found = _recorded(name, environ, accounts)
        case Source.RUN:
            raise Mistake(
                f"{name} is a run's id; to send its event, name the event's: see `afterrun events`"
            )
        case _:
            found = meant.in_a_file(name)
    entry = told = found.story[-1]
    is_sample = found.source is Source.SAMPLE
    if is_sample and accounts and name != "test-endpoint":
        entry = sample.changed(entry, account=accounts[0])
    try:
        if is_sample or is_new:
            (entry,) = sample.moved([entry], now)
        body = entry.body
        if is_new:
            # a sample's job has no other runs, and may be sent several times in a second
            unit = timedelta(milliseconds=1) if is_sample else timedelta(seconds=1)
            body = sending.renewed(body, (now - sample.time_of(told)) // unit)
    except (ValueError, TypeError, OverflowError):
        raise Mistake(f"--new: {found.said} has times or ids that cannot be changed") from None
    if is_new and not is_sample and not is_loopback(urlsplit(url).hostname or ""):
        output.warn(
            "its run is made up, and counts as the newest of a job that exists: real runs of it "
            "whose ids are smaller will be taken for old"
        )
    event = read(body)
    return _Letter(found.said, url, body, event.id, event.run_id)


def _recorded(name: str, environ: "Mapping[str, str]", accounts: list[str]) -> "Meant":
    from cli import meant
    from subscriber.settings import places

    return meant.recorded(name, options.existing_ledger(places(environ)), accounts)


def _accounts(environ: "Mapping[str, str]") -> list[str]:
    """Those of the configuration, if there is one: a sample is better of one of ours."""
    from subscriber.settings import configured

    try:
        return [str(each) for each in configured(environ).dbt_cloud.accounts]
    except Mistake:
        return []


def _signer(secret: str, environ: "Mapping[str, str]") -> str:
    """The reference of what signs; raises Mistake."""
    from function import settings
    from shared import secret_refs

    if not secret:
        known = settings.secrets(environ)
        if not known:
            raise Mistake(
                "--secret: say what signs it, for example --secret secret:dbt-webhook; or send it "
                "--unsigned, to see it refused"
            )
        return str(known[0])
    try:
        return str(secret_refs.parse(secret))
    except Mistake as mistake:
        raise Mistake(f"--secret: {mistake}") from None


def _read(ref: str, environ: "Mapping[str, str]") -> str:
    from cli.webhooks.connecting import reader
    from shared import secret_refs

    with output.progress("Reading the secret ..."):
        return reader(environ).read(secret_refs.parse(ref))


def _show(letter: _Letter, signer: str, answer: "Answer") -> None:
    from cli import receiving
    from cli.output import Cell, Own

    said = receiving.meaning(answer.status, answer.body)
    is_taken = receiving.is_taken(answer.status)
    output.facts(
        [
            ("sent", letter.said),
            ("event", letter.event_id),
            ("run", letter.run_id),
            ("to", letter.url),
            ("signed", Own(f"with {signer}") if signer else "no"),
            ("answer", Cell(answer.why or said, "good" if is_taken else "bad")),
            ("says", answer.body[:500]),
            ("took", f"{answer.took_s * 1000:,.0f} ms"),
        ]
    )


def _as_data(letter: _Letter, signer: str, answer: "Answer") -> dict[str, object]:
    from cli import receiving

    return {
        "event_id": letter.event_id,
        "run_id": letter.run_id,
        "url": letter.url,
        "signed_with": signer or None,
        "status": answer.status,
        "meaning": answer.why or receiving.meaning(answer.status, answer.body),
        "answer": answer.body,
        "took_ms": round(answer.took_s * 1000, 1),
    }


def _show_plan(letter: _Letter, signer: str, *, json: bool) -> None:
    from cli import sending
    from cli.output import Own

    headers = ["Content-Type", *(["Authorization"] if signer else [])]
    by_hand = sending.curl(letter.url, is_signed=bool(signer))
    if json:
        output.data(
            {
                "url": letter.url,
                "headers": headers,
                "signed_with": signer or None,
                "body": letter.body.decode("utf-8", "replace"),
                "curl": by_hand,
            }
        )
        return
    output.raw(letter.body.decode("utf-8", "replace"))
    output.hint(f"It would go to {letter.url} with the headers {', '.join(headers)}.")
    if signer:
        output.hint(
            Own(
                "By hand, with that in body.json; $SIGNATURE is the hex HMAC-SHA256 of the file's "
                f"bytes, with the secret at {signer}:"
            )
        )
    else:
        output.hint("By hand, with that in body.json:")
    output.command(by_hand)
