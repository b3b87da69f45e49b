"""`afterrun webhooks`: dbt Cloud's subscriptions, from here."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import apps, asking, options, output
from shared.errors import Mistake

if TYPE_CHECKING:
    from subscriber.dbt_cloud.webhooks import Subscription, Webhooks

app = apps.made(
    help="List, make, test, mend and rotate dbt Cloud's webhooks.",
    epilog="Looking takes a token that may view the account; changing takes one with the "
    "permission Account Admin, Admin or Developer. Name another token than the configuration's "
    "with --token.",
)

Account = Annotated[
    str,
    typer.Option(
        "--account",
        metavar="ID",
        help="The account; else the configuration's, else the only one that the token can see.",
        show_default=False,
    ),
]
Token = Annotated[
    str,
    typer.Option(
        "--token",
        metavar="REF",
        help="Where the token is: secret:NAME, env:NAME or file:/path; else the configuration's.",
        show_default=False,
    ),
]
Host = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="HOST",
        help="Your access URL, such as ab123.us1.dbt.com; else the configuration's.",
        show_default=False,
    ),
]
Secret = Annotated[
    str,
    typer.Option(
        "--secret",
        metavar="REF",
        help="Where its secret goes: secret:NAME (Secret Manager) or file:/path.",
        show_default=False,
    ),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it: wsu_…")]
Force = Annotated[bool, typer.Option("--force", help="Do it although a check says no.")]


def _connected(
    config: options.Config, project: options.Project, account: str, token: str, host: str
) -> "Webhooks":
    from cli.webhooks import connecting

    with output.progress("Asking dbt Cloud ..."):
        return connecting.connected(
            options.environ(config, project), connecting.Wanted(account, token, host)
        )


def _show(
    webhook: "Subscription", others: "list[Subscription]", *, json: bool, **also: object
) -> None:
    from cli.webhooks import page
    from cli.webhooks.concerns import concerns

    wrong = concerns(webhook, others)
    if json:
        output.data(page.as_data(webhook, wrong) | also)
    else:
        page.one(webhook, wrong, _now())


def _hint(text: str) -> None:
    output.hint(output.Own(text))


def _now() -> datetime:
    return datetime.now(UTC)


@app.command("list", epilog=apps.examples("afterrun webhooks list"))
def list_(
    config: options.Config = None,
    project: options.Project = None,
    account: Account = "",
    token: Token = "",
    host: Host = "",
    *,
    json: options.Json = False,
) -> None:
    """All webhooks of the account, and what is wrong with each."""
    from cli.webhooks import page
    from cli.webhooks.concerns import concerns

    webhooks = _connected(config, project, account, token, host)
    with output.progress("Asking dbt Cloud ..."):
        found = webhooks.listed()
    if json:
        output.data([page.as_data(each, concerns(each, found)) for each in found])
    else:
        page.listed(found, _now())


@app.command(epilog=apps.examples("afterrun webhooks get wsu_12345abcde"))
def get(
    id_: Id,
    config: options.Config = None,
    project: options.Project = None,
    account: Account = "",
    token: Token = "",
    host: Host = "",
    *,
    json: options.Json = False,
) -> None:
    """One webhook, and what is wrong with it."""
    webhooks = _connected(config, project, account, token, host)
    with output.progress("Asking dbt Cloud ..."):
        found = webhooks.get(id_)
    _show(found, [], json=json)


@app.command(
    epilog=apps.examples(
        "afterrun webhooks create --url https://NAME-xyz.a.run.app/ "
        "--secret secret:dbt-cloud-webhook"
    )
)
def create(
    url: Annotated[str, typer.Option("--url", metavar="URL", help="The receiver's address.")],
    secret: Secret,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="How dbt Cloud shows it.")
    ] = "Afterrun",
    events: Annotated[
        str, typer.Option("--events", metavar="TYPES", help="completed, errored, started.")
    ] = "completed,errored",
    jobs: Annotated[
        str,
        typer.Option(
            "--jobs", metavar="IDS", help="These jobs only, 1,2,3; else all.", show_default=False
        ),
    ] = "",
    config: options.Config = None,
    project: options.Project = None,
    account: Account = "",
    token: Token = "",
    host: Host = "",
    *,
    force: Force = False,
    json: options.Json = False,
) -> None:
    """Make a webhook, and put its secret where the receiver reads it.

    dbt Cloud says the secret once. If it cannot be kept, there is no new webhook. It is never
    shown.
    """
    from cli.webhooks import creating, places, proof, wanted
    from subscriber.dbt_cloud.webhooks import Subscription

    place = places.place(secret, options.environ(config, project))
    asked = Subscription(
        id="",
        name=_named(name),
        client_url=wanted.url(url),
        event_types=wanted.events(events),
        job_ids=wanted.jobs(jobs),
    )
    webhooks = _connected(config, project, account, token, host)
    with output.progress("Making the webhook ..."):
        known = webhooks.listed()
        if not force:
            wanted.check_alone(asked, known)
        proof.check_free(place, webhooks, known, force=force)
        made = creating.created(webhooks, asked, place, known)
    _show(made, known, json=json, secret=str(place.ref))
    _hint(f"Its secret is at {place.ref}. The receiver needs WEBHOOK_SECRETS={place.ref}; then:")
    output.command(f"afterrun webhooks test {made.id}")


@app.command(epilog=apps.examples("afterrun webhooks update wsu_12345abcde --active"))
def update(
    id_: Id,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="Another address.", show_default=False)
    ] = "",
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Another name.", show_default=False)
    ] = "",
    events: Annotated[
        str,
        typer.Option(
            "--events", metavar="TYPES", help="completed, errored, started.", show_default=False
        ),
    ] = "",
    jobs: Annotated[
        str,
        typer.Option("--jobs", metavar="IDS", help="These jobs only, 1,2,3.", show_default=False),
    ] = "",
    config: options.Config = None,
    project: options.Project = None,
    account: Account = "",
    token: Token = "",
    host: Host = "",
    *,
    all_jobs: Annotated[bool, typer.Option("--all-jobs", help="All jobs, new ones too.")] = False,
    active: Annotated[
        bool | None,
        typer.Option("--active/--inactive", help="Switch it on or off.", show_default=False),
    ] = None,
    force: Force = False,
    json: options.Json = False,
) -> None:
    """Change a webhook; what is not named stays. Another URL makes it active again."""
    from cli.webhooks import wanted

    if jobs and all_jobs:
        raise Mistake("--jobs and --all-jobs: say one of them")
    changes: dict[str, object] = {
        **({"client_url": wanted.url(url)} if url else {}),
        **({"name": _named(name)} if name else {}),
        **({"event_types": wanted.events(events)} if events else {}),
        **({"job_ids": wanted.jobs(jobs)} if jobs or all_jobs else {}),
        **({"active": active} if active is not None else {}),
    }
    if not changes:
        raise Mistake("nothing to change: say --url, --name, --events, --jobs, --active, …")
    webhooks = _connected(config, project, account, token, host)
    with output.progress("Changing it ..."):
        others = webhooks.listed()

        def changed(found: "Subscription") -> "Subscription":
            asked = replace(found, **changes)  # type: ignore[arg-type]
            moves = found.client_url != asked.client_url
            if (moves or (asked.active and not found.active)) and not force:
                wanted.check_alone(replace(asked, active=asked.active or moves), others)
            return asked

        now = webhooks.update(id_, changed)
    _show(now, [], json=json)


@app.command("test", epilog=apps.examples("afterrun webhooks test wsu_12345abcde"))
def try_out(
    id_: Id,
    config: options.Config = None,
    project: options.Project = None,
    account: Account = "",
    token: Token = "",
    host: Host = "",
    *,
    json: options.Json = False,
) -> None:
    """Have dbt Cloud send a sample, and see what came of it.

    The sample is of a run that does not exist. It reaches the subscriber, which records it as a
    test and tells nobody.
    """
    from cli.webhooks import page, receiving, testing

    webhooks = _connected(config, project, account, token, host)
    with output.progress("dbt Cloud is testing the URL ..."):
        result = testing.tested(webhooks, id_, time.sleep)
    if json:
        output.data(page.test_as_data(result))
    else:
        page.test(result, _now())
    if result.is_known:
        raise typer.Exit(receiving.exit_code(result.status))


@app.command(epilog=apps.examples("afterrun webhooks events wsu_12345abcde"))
def events(
    id_: Id,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="So many, the newest first.")
    ] = 20,
    config: options.Config = None,
    project: options.Project = None,
    account: Account = "",
    token: Token = "",
    host: Host = "",
    *,
    json: options.Json = False,
) -> None:
    """What was sent to one lately, and what was answered."""
    from cli.webhooks import page

    webhooks = _connected(config, project, account, token, host)
    with output.progress("Asking dbt Cloud ..."):
        found = webhooks.events(id_)
    if json:
        output.data([page.event_as_data(each) for each in found[:limit]])
        return
    page.events(found[:limit], _now())
    if len(found) > limit:
        output.hint(f"{limit} of {len(found)}; more with --limit")


@app.command(epilog=apps.examples("afterrun webhooks receipts wsu_12345abcde wev_2L6ZDoilyiWz"))
def receipts(
    id_: Id,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="As `events` shows it: wev_…")],
    config: options.Config = None,
    project: options.Project = None,
    account: Account = "",
    token: Token = "",
    host: Host = "",
    *,
    json: options.Json = False,
) -> None:
    """Each attempt to deliver an event: what went, what came."""
    from cli.webhooks import page

    webhooks = _connected(config, project, account, token, host)
    with output.progress("Asking dbt Cloud ..."):
        found = webhooks.receipts(id_, event)
    if json:
        output.data([page.receipt_as_data(each) for each in found])
    else:
        page.receipts(found, _now())


@app.command(
    epilog=apps.examples(
        "afterrun webhooks rotate wsu_12345abcde --secret secret:dbt-cloud-webhook-2"
    )
)
def rotate(
    id_: Id,
    secret: Secret,
    config: options.Config = None,
    project: options.Project = None,
    account: Account = "",
    token: Token = "",
    host: Host = "",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    force: Force = False,
    json: options.Json = False,
) -> None:
    """Give a webhook another secret; no event is refused.

    A second webhook is made, its secret goes to a place of its own, and only when the receiver has
    taken what it signs is the former one deleted. The receiver must refer to both places. If it
    is interrupted, run it again: it goes on from there.
    """
    from cli.webhooks import places, rotating

    place = places.place(secret, options.environ(config, project))
    webhooks = _connected(config, project, account, token, host)
    if dry_run:
        with output.progress("Asking dbt Cloud ..."):
            steps = rotating.plan(id_, webhooks.listed(), place)
        if json:
            output.data({"steps": steps})
        for number, step in enumerate([] if json else steps, 1):
            output.say(output.Own(f"{number}. {step}"))
        return
    rotation = rotating.Rotation(webhooks, place, _hint, time.sleep)
    now = webhooks.get(rotation.rotate(id_, force=force).id)
    _show(now, [], json=json, secret=str(place.ref), former=id_)
    _hint(
        f"{now.id} is in the place of {id_}, its secret is at {place.ref}. Leave both references "
        "in WEBHOOK_SECRETS: the place of the former secret is free for the next rotation."
    )


@app.command(epilog=apps.examples("afterrun webhooks delete wsu_12345abcde"))
def delete(
    id_: Id,
    config: options.Config = None,
    project: options.Project = None,
    account: Account = "",
    token: Token = "",
    host: Host = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: options.Json = False,
) -> None:
    """Delete a webhook.

    Its secret stays where it is kept, and signs nothing any more.
    """
    webhooks = _connected(config, project, account, token, host)
    if not yes:
        with output.progress("Asking dbt Cloud ..."):
            found = webhooks.get(id_)
        name, url = output.shown(found.name), output.shown(found.client_url)
        asking.go_on(f"Delete {name}, which sends to {url}?")
    with output.progress("Deleting it ..."):
        webhooks.delete(id_)
    if json:
        output.data({"deleted": id_})
    else:
        output.say(f"Deleted {id_}.")


def _named(name: str) -> str:
    if not name.strip():
        raise Mistake("--name: it is empty")
    return name.strip()
