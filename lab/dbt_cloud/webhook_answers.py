"""What the webhooks API says of a webhook, its events and their receipts.

As published; fields that only the documentation's samples have are said where they come.

Source: https://docs.getdbt.com/dbt-cloud/api-v3 (Webhooks)
"""

import json
from datetime import datetime
from typing import Any

from lab.dbt_cloud.events import Event
from lab.dbt_cloud.subscriptions import Receipt, Subscription


def envelope(data: Any, code: int = 200) -> dict[str, Any]:
    return {"data": data, "status": {"code": code}}


def paging(count: int, total: int, filters: dict[str, Any]) -> dict[str, Any]:
    return {
        "extra": {"pagination": {"count": count, "total_count": total}, "filters": filters},
    }


def subscription(told: Subscription, account_id: int) -> dict[str, Any]:
    """Never its secret. What was not sent yet has no time."""
    wanted, last = told.wanted, told.receipts[-1] if told.receipts else None
    fields: dict[str, Any] = {
        "id": told.id,
        "account_identifier": f"act_{account_id:x}",
        "account_id": account_id,
        "name": wanted.name,
        "description": wanted.description,
        "job_ids": list(wanted.job_ids),
        "event_types": list(wanted.event_types),
        "client_url": wanted.client_url,
        "active": told.active,
        "http_status_code": _status(last),
        # in the documentation's samples
        "created_at": _microseconds(told.created_at),
        "updated_at": _microseconds(told.updated_at),
    }
    if last is not None:
        fields["dispatched_at"] = _microseconds(last.at)
    if told.deactivate_reason:
        fields["deactivate_reason"] = told.deactivate_reason
    return fields


def verification(receipt: Receipt) -> dict[str, Any]:
    """What a test answers in the documentation's samples."""
    error = receipt.posted.error or (None if receipt.posted.was_taken else "unexpected status code")
    return {"verification_error": error, "verification_status_code": _status(receipt)}


def event(of: Subscription, told: Event, account_id: int) -> dict[str, Any]:
    receipts = of.of_event(told.id)
    body = json.loads(told.body)
    return {
        "id": told.id,
        "subscription_id": of.id,
        "account_identifier": f"act_{account_id:x}",
        "account_id": str(account_id),
        "job_id": body["data"]["jobId"],
        "trigger_event_type": told.type,
        "payload": told.body.decode(),
        "http_status_code": _status(receipts[-1] if receipts else None),
    }


def receipt(of: Subscription, told: Receipt) -> dict[str, Any]:
    return {
        "id": told.id,
        "event_id": told.event.id,
        "subscription_id": of.id,
        "dispatched_at": _microseconds(told.at),
        "http_status_code": _status(told),
        "error_info": told.posted.error,
        "request_body": told.event.body.decode(),
        "request_headers": json.dumps(dict(told.posted.headers)),
        "response_body": told.posted.body,
    }


def _status(receipt: Receipt | None) -> str:
    return "0" if receipt is None or receipt.posted.status is None else str(receipt.posted.status)


def _microseconds(at: datetime) -> str:
    return str(round(at.timestamp() * 1_000_000))
