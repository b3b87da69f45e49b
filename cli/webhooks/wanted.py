"""What the command line wants a webhook to be. Pure; raises Mistake."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from cli.webhooks.concerns import twins_of
from shared.errors import Mistake
from shared.settings import is_loopback
from subscriber.dbt_cloud.webhooks import EVENT_TYPES, Subscription
from subscriber.hints import did_you_mean

PREFIX = "job.run."


def url(written: str) -> str:
    """A URL that dbt Cloud shall send to: https, or http on this machine, for the lab."""
    try:
        parts = urlsplit(written)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or not _is_clean(written):
        raise Mistake("--url: write the receiver's address, such as https://NAME-xyz.a.run.app/")
    if parts.username or parts.password:
        raise Mistake("--url: it holds credentials; dbt Cloud shows that it is itself by signing")
    if parts.scheme == "http" and not is_loopback(host):
        raise Mistake("--url: plain http can be read by others on the way; use https")
    return written


def events(written: str) -> tuple[str, ...]:
    """Event types, separated by commas, with or without `job.run.`; in their usual order."""
    named = {PREFIX + part.removeprefix(PREFIX) for part in _parts(written)}
    for name in sorted(named):
        if name not in EVENT_TYPES:
            short = [each.removeprefix(PREFIX) for each in EVENT_TYPES]
            guess = did_you_mean(name.removeprefix(PREFIX), short)
            raise Mistake(f"--events: dbt Cloud has no such event{guess}")
    if not named:
        raise Mistake("--events: name at least one, such as completed,errored")
    return tuple(each for each in EVENT_TYPES if each in named)


def jobs(written: str) -> tuple[str, ...]:
    """Ids of jobs, separated by commas; none of them means all jobs."""
    found = _parts(written)
    for each in found:
        if not (each.isascii() and each.isdigit()):
            raise Mistake("--jobs: write ids, digits separated by commas, such as 123,456")
    return tuple(dict.fromkeys(found))


def check_alone(wanted: Subscription, others: Sequence[Subscription]) -> None:
    """Raise Mistake if another active webhook sends to the same URL."""
    if twins := [each.id for each in twins_of(wanted, others)]:
        raise Mistake(
            f"{', '.join(twins)} sends to this URL already: each event would come twice. Change it "
            f"(afterrun webhooks update {twins[0]}), give it another secret (rotate), or say "
            "--force"
        )


def _parts(written: str) -> list[str]:
    return [part.strip() for part in written.split(",") if part.strip()]


def _is_clean(written: str) -> bool:
    return written.isprintable() and not any(each.isspace() for each in written)
