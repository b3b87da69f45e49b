"""What is wrong with a webhook, or will be, and what to do. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from urllib.parse import urlsplit

from cli.webhooks import receiving
from subscriber.dbt_cloud.webhooks import EVENT_TYPES, Subscription

COMPLETED, ERRORED = "job.run.completed", "job.run.errored"


@dataclass(frozen=True)
class Concern:
    """`code` is for programs, `text` for people; `fix` is a command that mends it, if one does."""

    code: str
    text: str
    fix: str = ""


def concerns(webhook: Subscription, others: Sequence[Subscription] = ()) -> list[Concern]:
    """What is wrong with `webhook`, among all those of its account."""
    return [*_of_deliveries(webhook), *_of_settings(webhook), *_of_twins(webhook, others)]


def _of_deliveries(webhook: Subscription) -> Iterator[Concern]:
    if not webhook.active:
        reason = f" ({webhook.deactivate_reason})" if webhook.deactivate_reason else ""
        yield Concern(
            "inactive",
            f"it is deactivated{reason}: dbt Cloud sends nothing to it, nor later what happened "
            "meanwhile; once its URL answers 2xx again, make it active",
            f"{_update(webhook)} --active",
        )
    status = webhook.http_status_code
    was_sent_to = webhook.dispatched_at is not None or status is not None
    if was_sent_to and not receiving.is_taken(status):
        said = f"its last delivery failed: {receiving.meaning(status)}"
        yield Concern("failing", said, f"afterrun webhooks test {quote(webhook.id)}")


def _of_settings(webhook: Subscription) -> Iterator[Concern]:
    if ERRORED not in webhook.event_types:
        yield Concern(
            "no-errored",
            f"without {ERRORED}, a run that failed before it wrote anything (it could not be "
            "cloned, say) may never be told",
            f"{_update(webhook)} --events {_with(webhook, ERRORED)}",
        )
    if COMPLETED not in webhook.event_types:
        yield Concern(
            "no-completed",
            f"without {COMPLETED}, no good run is told: nothing recovers and nothing is refreshed",
            f"{_update(webhook)} --events {_with(webhook, COMPLETED)}",
        )
    if not webhook.client_url.startswith("https://"):
        yield Concern(
            "not-https", "its URL is not https: whoever is on the way can read its events"
        )
    if webhook.job_ids:
        yield Concern(
            "listed-jobs",
            f"it lists its jobs ({len(webhook.job_ids)}): a new job does not join by itself",
            f"{_update(webhook)} --all-jobs",
        )


def _of_twins(webhook: Subscription, others: Sequence[Subscription]) -> Iterator[Concern]:
    twins = twins_of(webhook, others)
    former = next((each for pair in twins if (each := _former(webhook, pair))), None)
    if former is not None:
        yield Concern(
            "rotating",
            f"the rotation of {former.id} has not ended: both send, and each event comes twice; "
            "run it again",
            f"afterrun webhooks rotate {quote(former.id)} --secret REF",
        )
    elif twins:
        ids = ", ".join(each.id for each in twins)
        yield Concern("twice", f"{ids} sends to the same URL: each event comes more than once")


def _update(webhook: Subscription) -> str:
    return f"afterrun webhooks update {quote(webhook.id)}"


def _with(webhook: Subscription, event_type: str) -> str:
    """Its events and that one, and what every webhook needs, as `--events` has them."""
    wanted = {*webhook.event_types, event_type, COMPLETED, ERRORED}
    return ",".join(each.removeprefix("job.run.") for each in EVENT_TYPES if each in wanted)


def twins_of(webhook: Subscription, others: Sequence[Subscription]) -> list[Subscription]:
    """The other active ones that send to the URL of an active one."""
    return [
        other
        for other in others
        if webhook.active
        and other.active
        and other.id != webhook.id
        and same_place(other.client_url) == same_place(webhook.client_url)
    ]


def mark(former_id: str) -> str:
    """What the description of a webhook ends with that takes the place of another one."""
    return f"[in place of {former_id}]"


def _former(one: Subscription, other: Subscription) -> Subscription | None:
    """Which of two takes the other's place; None if neither does."""
    if one.description.endswith(mark(other.id)):
        return other
    return one if other.description.endswith(mark(one.id)) else None


def same_place(url: str) -> str:
    """`url` as every way to write it has it."""
    try:
        parts = urlsplit(url.strip())
        port = "" if parts.port in (None, 443) else f":{parts.port}"
    except ValueError:
        return url
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path.rstrip('/')}{query}"
