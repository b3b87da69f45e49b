"""dbt Cloud's webhooks: whether one tells us of runs, by what dbt Cloud says of them. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from shlex import quote
from urllib.parse import urlsplit

from cli import output
from cli.deployed import RECEIVER
from cli.doctor.finding import About, Finding
from cli.webhooks.concerns import concerns
from subscriber.dbt_cloud.webhooks import Subscription

FAILURES = {"inactive", "failing", "no-completed"}
"""Concerns because of which we are not told of runs; the others are to be looked at."""

OF_SEVERAL = {"twice", "rotating"}

Found = Iterator[Finding]


def judged(about: About, found: Sequence[Subscription], receiver: str, now: datetime) -> Found:
    """What there is to say of those that are ours among `found`.

    `receiver` is our receiver's URL; without one, a webhook to a service of its usual name is ours.
    """
    ours = [each for each in found if is_ours(each, receiver)]
    if ours:
        for each in ours:
            yield from _one(about, each, ours, now)
        yield from _twice(about, ours)
    elif receiver:
        said = f"none of {len(found)} leads to {urlsplit(receiver).hostname}"
        yield about.fails(said, f"afterrun webhooks create --url {receiver} --secret REF")
    elif found:
        said = f"there are {len(found)}, and which is ours is not known"
        yield about.skipped(said, "afterrun doctor --receiver URL, with the receiver's URL")
    else:
        yield about.fails(
            "there is none: dbt Cloud tells us nothing",
            "afterrun webhooks create --url URL --secret REF",
        )


def is_ours(subscription: Subscription, receiver: str) -> bool:
    host = _host(subscription.client_url)
    return host == _host(receiver) if receiver else host.startswith(RECEIVER)


def _one(about: About, it: Subscription, ours: Sequence[Subscription], now: datetime) -> Found:
    name = f"{it.name} ({it.id})" if it.name else it.id
    when = f" ({output.ago(it.dispatched_at, now)})" if it.dispatched_at else ""
    wrong = {each.code: each for each in concerns(it, ours) if each.code not in OF_SEVERAL}
    if "inactive" in wrong:
        wrong = {"inactive": wrong["inactive"]}  # nothing else matters before it is mended
    for code, concern in wrong.items():
        said = f"{name}: {concern.text}{when if code == 'failing' else ''}"
        is_failure = code in FAILURES
        yield about.fails(said, concern.fix) if is_failure else about.warns(said, concern.fix)
    if not {"inactive", "failing"} & wrong.keys():
        answered = f"; its last delivery was answered {it.http_status_code}{when}"
        is_new = it.http_status_code is None
        yield about.ok(f"{name} is active{', and has sent nothing yet' if is_new else answered}")


def _twice(about: About, ours: Sequence[Subscription]) -> Found:
    """What there is to say of several that lead here, however their URLs go on behind the host."""
    active = [each for each in ours if each.active]
    if len(active) < 2:
        return
    found = (concern for each in active for concern in concerns(each, active))
    rotating = next((each for each in found if each.code == "rotating"), None)
    if rotating is not None:
        yield about.warns(rotating.text, rotating.fix)
        return
    said = f"{len(active)} active ones lead here: each event comes {len(active)} times"
    yield about.warns(said, f"afterrun webhooks delete {quote(active[-1].id)}")


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
