"""dbt Cloud's webhooks: whether one tells us of runs, by what dbt Cloud says of them. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from shlex import quote
from urllib.parse import urlsplit

from cli import output
from cli.doctor.deployed import RECEIVER
from cli.doctor.finding import About, Finding
from subscriber.dbt_cloud.webhooks import Subscription

COMPLETED, ERRORED = "job.run.completed", "job.run.errored"
BOTH = "--events completed,errored"


def judged(
    about: About, found: Sequence[Subscription], receiver: str, now: datetime
) -> Iterator[Finding]:
    """What there is to say of those that are ours among `found`.

    `receiver` is our receiver's URL; without one, a webhook to a service of its usual name is ours.
    """
    ours = [each for each in found if is_ours(each, receiver)]
    if ours:
        for each in ours:
            yield from _one(about, each, now)
        active = [each.id for each in ours if each.active]
        if len(active) > 1:
            said = f"{len(active)} active ones lead here: each event comes {len(active)} times"
            yield about.warns(said, f"afterrun webhooks delete {quote(active[-1])}")
    elif receiver:
        said = f"none of {len(found)} leads to {urlsplit(receiver).hostname}"
        yield about.fails(said, f"afterrun webhooks create --url {receiver}")
    elif found:
        said = f"there are {len(found)}, and which is ours is not known"
        yield about.skipped(said, "afterrun doctor --receiver URL, with the receiver's URL")
    else:
        yield about.fails(
            "there is none: dbt Cloud tells us nothing", "afterrun webhooks create --url URL"
        )


def is_ours(subscription: Subscription, receiver: str) -> bool:
    host = _host(subscription.client_url)
    return host == _host(receiver) if receiver else host.startswith(RECEIVER)


def _one(about: About, it: Subscription, now: datetime) -> Iterator[Finding]:
    name = f"{it.name} ({it.id})" if it.name else it.id
    update = f"afterrun webhooks update {quote(it.id)}"
    if not it.active:
        why = f": {it.deactivate_reason}" if it.deactivate_reason else ""
        yield about.fails(f"{name} is deactivated{why}: nothing comes of it", f"{update} --active")
        return
    if COMPLETED not in it.event_types:
        said = f"{name} does not tell of runs that completed: recoveries and refreshes need it"
        yield about.fails(said, f"{update} {BOTH}")
    elif ERRORED not in it.event_types:
        said = f"{name} tells of no errored runs: of some that fail early nothing else is told"
        yield about.warns(said, f"{update} {BOTH}")
    if it.job_ids:
        said = f"{name} is about {len(it.job_ids)} jobs only: a new job does not join it"
        yield about.warns(said, f"{update} --all-jobs")
    yield _delivery(about, it, name, now)


def _delivery(about: About, it: Subscription, name: str, now: datetime) -> Finding:
    status, at = it.http_status_code, it.dispatched_at
    when = f", {output.ago(at, now)}" if at else ""
    if status is None and at is None:
        return about.ok(f"{name} is active, and has sent nothing yet")
    if status is None:
        return about.fails(
            f"{name}: its last delivery got no answer{when}",
            f"afterrun webhooks test {quote(it.id)}",
        )
    if 200 <= status < 300:
        return about.ok(f"{name} is active; its last delivery was answered {status}{when}")
    said = f"{name}: its last delivery was answered {status}{when}"
    if status in (401, 403):
        said += ": the receiver has another secret than this webhook"
    return about.fails(said, f"afterrun webhooks test {quote(it.id)}")


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
