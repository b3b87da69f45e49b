"""What is posted to a receiver: which event, where to, and what signs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cli import meant, options, output, sample
from cli.meant import Meant, Source
from cli.send import sending
from cli.webhooks.connecting import reader
from function import settings
from shared import secret_refs
from shared.errors import Mistake
from shared.event import read
from shared.settings import is_loopback
from subscriber.settings import configured, places


@dataclass(frozen=True)
class Posting:
    """What is sent, and where to; `said` names it for people."""

    said: str
    url: str
    body: bytes
    event_id: str
    run_id: str


def posting(name: str, environ: Mapping[str, str], url: str, *, is_new: bool) -> Posting:
    """The event that `name` means, to be sent to `url`; raises Mistake or Failure.

    A sample happens now, in an account of the configuration's; anything else is sent byte for byte,
    unless it is to be as of a new run.
    """
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
            entry = sample.changed(entry, now - sample.time_of(entry))
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
    return Posting(found.said, url, body, event.id, event.run_id)


def _recorded(name: str, environ: Mapping[str, str], accounts: list[str]) -> Meant:
    return meant.recorded(name, options.existing_ledger(places(environ)), accounts)


def _accounts(environ: Mapping[str, str]) -> list[str]:
    """Those of the configuration, if there is one: a sample is better of one of ours."""
    try:
        return [str(each) for each in configured(environ).dbt_cloud.accounts]
    except Mistake:
        return []


def signer(written: str, environ: Mapping[str, str]) -> str:
    """The reference of what signs; raises Mistake."""
    if not written:
        known = settings.secrets(environ)
        if not known:
            raise Mistake(
                "--secret: say what signs it, for example --secret secret:dbt-cloud-webhook; "
                "or send it --unsigned, to see it refused"
            )
        return str(known[0])
    try:
        return str(secret_refs.parse(written))
    except Mistake as mistake:
        raise Mistake(f"--secret: {mistake}") from None


def secret(ref: str, environ: Mapping[str, str]) -> str:
    """What the reference names; raises Failure."""
    with output.progress("Reading the secret ..."):
        return reader(environ).read(secret_refs.parse(ref))
