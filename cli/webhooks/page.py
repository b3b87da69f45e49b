"""Webhooks, their events and receipts, as people and as programs see them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cli import output
from cli.output import Cell, Column
from cli.webhooks import receiving
from cli.webhooks.concerns import Concern, concerns
from cli.webhooks.testing import Result
from subscriber.dbt_cloud.webhook_log import Receipt, SentEvent
from subscriber.dbt_cloud.webhooks import Subscription

BODY_LIMIT = 2_000  # characters of a body
SHORT = 60


def listed(webhooks: Sequence[Subscription], now: datetime) -> None:
    """One block each, and what is wrong with it."""
    if not webhooks:
        output.say("This account has no webhooks: `afterrun webhooks create` makes one.", "dim")
    for position, webhook in enumerate(webhooks):
        if position:
            output.say()
        one(webhook, concerns(webhook, webhooks), now)


def one(webhook: Subscription, wrong: Sequence[Concern], now: datetime) -> None:
    output.say(webhook.name or "(without a name)", "strong")
    output.facts(
        [
            ("id", webhook.id),
            ("URL", webhook.client_url),
            ("events", ", ".join(_short(each) for each in webhook.event_types) or "none"),
            ("jobs", ", ".join(webhook.job_ids) or "all"),
            ("state", Cell("active", "good") if webhook.active else Cell("deactivated", "bad")),
            ("last", _last(webhook, now)),
            ("about", webhook.description),
        ]
    )
    for concern in wrong:
        output.say(f"warning: {concern.text}", "warn")
        if concern.fix:
            output.whole(concern.fix, indent=2)


def as_data(webhook: Subscription, wrong: Sequence[Concern]) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "name": webhook.name,
        "description": webhook.description,
        "url": webhook.client_url,
        "events": list(webhook.event_types),
        "jobs": list(webhook.job_ids),
        "active": webhook.active,
        "deactivate_reason": webhook.deactivate_reason,
        "last_status": webhook.http_status_code,
        "last_sent_at": webhook.dispatched_at,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
        "concerns": [{"code": e.code, "text": e.text, "fix": e.fix} for e in wrong],
    }


def events(found: Sequence[SentEvent], now: datetime) -> None:
    output.table(
        [
            Column("event", whole=True),
            Column("type"),
            Column("run", whole=True),
            Column("said", right=True),
            Column("when"),
        ],
        [
            [
                each.id,
                _short(each.type),
                each.run_id,
                _status(each.status),
                _roughly(each.at, now) if each.at else "",
            ]
            for each in found
        ],
        empty="Nothing was sent lately; dbt Cloud remembers about 7 days.",
    )


def event_as_data(event: SentEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "job_id": event.job_id,
        "run_id": event.run_id,
        "status": event.status,
        "at": event.at,
        "payload": event.payload,
    }


def receipts(found: Sequence[Receipt], now: datetime) -> None:
    if not found:
        output.say("dbt Cloud has no receipt of it (yet).", "dim")
    for position, receipt in enumerate(found, 1):
        if position > 1:
            output.say()
        if len(found) > 1:
            output.say(f"attempt {position}", "strong")
        output.facts(
            [
                ("sent", f"{output.when(receipt.at)} ({output.ago(receipt.at, now)})")
                if receipt.at
                else ("sent", ""),
                ("result", _result(receipt)),
                ("error", receipt.error),
                ("answer", _readable(receipt.response_body)),
                ("event", receipt.event_id),
                ("signature", _signature(receipt)),
                ("body", _readable(receipt.request_body)),
            ]
        )


def receipt_as_data(receipt: Receipt) -> dict[str, Any]:
    """Not the signature: with the body it could be sent again by whoever reads it."""
    headers = {k: v for k, v in receipt.headers.items() if k != "authorization"}
    return {
        "id": receipt.id,
        "event_id": receipt.event_id,
        "at": receipt.at,
        "status": receipt.status,
        "error": receipt.error,
        "is_signed": bool(receipt.signature),
        "request_headers": headers,
        "request_body": receipt.request_body,
        "response_body": receipt.response_body,
    }


def _result(receipt: Receipt) -> Cell:
    said = receiving.meaning(receipt.status, receipt.response_body)
    return Cell(said, "good" if receipt.was_taken else "bad")


def _readable(body: str) -> str:
    """A body for people: long JSON over several lines; what is very long is cut."""
    if len(body) <= SHORT:
        return body
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return body[:BODY_LIMIT]
    return json.dumps(content, indent=2, ensure_ascii=False)[:BODY_LIMIT]


def _signature(receipt: Receipt) -> str:
    shown = receipt.signature
    return f"{shown[:8]}… ({len(shown)} characters)" if shown else "none: it was not signed"


def _last(webhook: Subscription, now: datetime) -> str | Cell:
    if webhook.dispatched_at is None and webhook.http_status_code is None:
        return "nothing was sent yet"
    said = "no answer" if webhook.http_status_code is None else str(webhook.http_status_code)
    ago = f", {output.ago(webhook.dispatched_at, now)}" if webhook.dispatched_at else ""
    is_good = receiving.is_taken(webhook.http_status_code)
    return Cell(f"{said}{ago}", "good" if is_good else "bad")


def _status(status: int | None) -> Cell:
    if status is None:
        return Cell("none", "bad")
    return Cell(str(status), "good" if receiving.is_taken(status) else "bad")


def _roughly(at: datetime, now: datetime) -> str:
    """How long ago, to one unit, so that a row fits into 80 columns."""
    count, unit = output.length(now - at).split()[:2]
    return f"{count} {unit} ago"


def _short(event_type: str) -> str:
    return event_type.removeprefix("job.run.")


def test(result: Result, now: datetime) -> None:
    """What dbt Cloud says of a test, and what it sent if it says so."""
    if result.receipt is not None:
        receipts([result.receipt], now)
        return
    output.facts(
        [
            ("event", result.tested.event_id),
            ("result", _test_result(result)),
            ("error", result.tested.error),
        ]
    )


def test_as_data(result: Result) -> dict[str, Any]:
    return {
        "event_id": result.tested.event_id,
        "status": result.status,
        "error": result.tested.error,
        "receipt": receipt_as_data(result.receipt) if result.receipt else None,
    }


def _test_result(result: Result) -> Cell:
    if not result.is_known:
        return Cell(
            "sent; dbt Cloud has no receipt of it yet, and the receiver's log says more", "warn"
        )
    is_good = receiving.is_taken(result.status)
    return Cell(receiving.meaning(result.status), "good" if is_good else "bad")
