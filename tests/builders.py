"""Builders: what a test needs, of which it says only what matters to it."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.event import RunEvent, read
from subscriber.actions import Action, Message, Node, Verb
from subscriber.push import Delivered
from subscriber.run import Result, Status

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def a_body(
    *,
    event_id: str = "wev_1",
    event_type: str = "job.run.completed",
    run_id: int | str = 100,
    job_id: int | str = 7,
    account_id: int | str = 1,
    status: str = "Errored",
    code: int | None = 20,
    **data: Any,
) -> bytes:
    """A webhook's body as dbt Cloud writes it; a failed run unless told otherwise."""
    told = {
        "accountId": account_id,
        "webhookId": "wsu_1",
        "eventId": event_id,
        "timestamp": "2026-01-05T11:59:58.123456789Z",
        "eventType": event_type,
        "webhookName": "afterrun",
        "data": {
            "jobId": str(job_id),
            "jobName": "Daily build",
            "runId": str(run_id),
            "environmentId": "55",
            "environmentName": "Production",
            "dbtVersion": "1.10.0",
            "projectName": "Shop",
            "projectId": "9",
            "runStatus": status,
            "runStatusCode": code,
            "runStatusMessage": "None",
            "runReason": "scheduled",
            "runStartedAt": "2026-01-05T11:50:00Z",
            "runFinishedAt": "2026-01-05T11:59:55Z",
            **data,
        },
    }
    return json.dumps(told).encode()


def a_good_body(**told: Any) -> bytes:
    return a_body(**{"status": "Success", "code": 10, **told})


def an_event(**told: Any) -> RunEvent:
    return read(a_body(**told))


def signed(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def a_message(body: bytes, message_id: str = "1", **attributes: str) -> Delivered:
    """The Pub/Sub message in which the receiver publishes `body`."""
    return Delivered(message_id, body, {"content": "event", **attributes})


def a_tick() -> Delivered:
    return Delivered("tick", b"tick", {"content": "tick"})


def a_push(body: bytes, *, message_id: str = "1", **attributes: str) -> dict[str, Any]:
    """A push request's JSON, as Pub/Sub sends it."""
    return {
        "message": {
            "data": base64.b64encode(body).decode(),
            "attributes": attributes,
            "messageId": message_id,
            "message_id": message_id,
            "publishTime": "2026-01-05T12:00:00.123Z",
            "publish_time": "2026-01-05T12:00:00.123Z",
        },
        "subscription": "projects/p/subscriptions/s",
    }


def a_result(unique_id: str = "model.shop.orders", **fields: Any) -> Result:
    """What became of a node; it failed unless told otherwise."""
    return Result(**{"unique_id": unique_id, "status": Status.FAILED, "said": "error", **fields})


def an_action(verb: Verb = Verb.OPEN, **fields: Any) -> Action:
    return Action(
        **{
            "key": f"1/oncall/job/7/100/{verb}/1",
            "destination": "oncall",
            "verb": verb,
            "episode_key": "afterrun/1/job/7/100",
            "message": a_told(),
            "occurred_at": NOW,
            **fields,
        }
    )


def a_told(**fields: Any) -> Message:
    return Message(
        **{
            "headline": "Daily build failed in Production: model orders: no such column",
            "source": "Shop / Production / Daily build",
            "nodes": (a_node(),),
            "link": "https://cloud.getdbt.com/deploy/1/projects/9/runs/100",
            "facts": {"job": "Daily build", "run_id": "100"},
            **fields,
        }
    )


def a_node(**fields: Any) -> Node:
    return Node(
        **{
            "unique_id": "model.shop.orders",
            "name": "orders",
            "kind": "model",
            "status": "error",
            "message": "Database Error in model orders (models/orders.sql)\n  no such column",
            **fields,
        }
    )


class Clock:
    """A time of day that moves only when a test says so."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
