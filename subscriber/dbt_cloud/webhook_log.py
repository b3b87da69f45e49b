"""What dbt Cloud remembers of a webhook: the events that it sent, and how each was received.

It keeps them for some days. A retry, and a test, has a receipt of its own.

Source: https://docs.getdbt.com/dbt-cloud/api-v3 (Webhooks)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from subscriber.dbt_cloud import lenient
from subscriber.dbt_cloud.fields import object_of


@dataclass(frozen=True)
class SentEvent:
    """An event that was sent; `status` is what it was answered last, None without an answer."""

    id: str
    type: str
    job_id: str
    run_id: str
    status: int | None
    at: datetime | None
    payload: str = field(repr=False)


@dataclass(frozen=True)
class Receipt:
    """One attempt. `headers` are those of the request, by name in lower case."""

    id: str
    event_id: str
    status: int | None
    at: datetime | None
    error: str
    request_body: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    response_body: str = field(repr=False)

    @property
    def was_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def signature(self) -> str:
        return self.headers.get("authorization", "")


@dataclass(frozen=True)
class Tested:
    """What dbt Cloud says of a test. It may name the event only, or the answer only, or both."""

    event_id: str
    status: int | None
    error: str


def event(fields: Mapping[str, Any]) -> SentEvent:
    payload = lenient.text(fields, "payload")
    try:
        body = object_of(json.loads(payload))
    except (ValueError, RecursionError):
        body = {}
    return SentEvent(
        id=lenient.text(fields, "id") or lenient.text(body, "eventId"),
        type=lenient.text(fields, "trigger_event_type") or lenient.text(body, "eventType"),
        job_id=lenient.text(fields, "job_id"),
        run_id=lenient.text(object_of(body.get("data")), "runId"),
        status=lenient.status(fields, "http_status_code"),
        at=lenient.time(body, "timestamp"),
        payload=payload,
    )


def receipt(fields: Mapping[str, Any]) -> Receipt:
    written = fields.get("request_headers")
    return Receipt(
        id=lenient.text(fields, "id"),
        event_id=lenient.text(fields, "event_id"),
        status=lenient.status(fields, "http_status_code"),
        at=lenient.time(fields, "dispatched_at"),
        error=lenient.text(fields, "error_info"),
        # not stripped: it is what was signed
        request_body=str(fields.get("request_body") or ""),
        headers=lenient.headers(json.dumps(written) if isinstance(written, dict) else str(written)),
        response_body=lenient.text(fields, "response_body"),
    )


def tested(fields: Mapping[str, Any]) -> Tested:
    return Tested(
        event_id=lenient.text(fields, "event_id"),
        status=lenient.status(fields, "verification_status_code"),
        error=lenient.text(fields, "verification_error"),
    )
