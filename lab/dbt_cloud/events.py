"""Events: the bodies of dbt Cloud's webhooks, byte for byte as they are signed and sent.

Source: https://docs.getdbt.com/docs/deploy/webhooks
"""

import json
import secrets
import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from lab.dbt_cloud import statuses, times
from lab.dbt_cloud.state import Run

EventType = Literal["job.run.started", "job.run.completed", "job.run.errored"]

# seen in dbt's own examples: how long after the end of a run its event is made
COMPLETED_LAG = timedelta(seconds=1.5)
ERRORED_LAG = timedelta(seconds=0.4)


@dataclass(frozen=True)
class Event:
    """One event. Its retries, and duplicates sent on purpose, are the same event."""

    id: str
    type: str
    body: bytes


def of(run: Run, event_type: EventType, *, webhook_id: str, webhook_name: str) -> Event:
    """A new event of that type about `run`, as the run is now."""
    environment = run.job.environment
    started = event_type == "job.run.started"
    status = statuses.RUNNING if started else run.status
    data: dict[str, Any] = {
        "jobId": str(run.job.id),
        "jobName": run.job.name,
        "runId": str(run.id),
        "environmentId": str(environment.id),
        "environmentName": environment.name,
        "dbtVersion": environment.dbt_version,
        "projectName": environment.project.name,
        "projectId": str(environment.project.id),
        "runStatus": statuses.IN_WEBHOOKS[status],
        "runStatusCode": status,
        # what is empty reads so, since somebody printed Python's None
        "runStatusMessage": str(None if started else run.status_message),
        "runReason": run.trigger.cause,
        "runStartedAt": times.webhook(run.started_at),
    }
    at = run.started_at
    if not started and run.finished_at is not None:
        errored = event_type == "job.run.errored"
        at = run.finished_at + (ERRORED_LAG if errored else COMPLETED_LAG)
        ended = "runErroredAt" if errored else "runFinishedAt"
        data[ended] = times.webhook(run.finished_at)
    return _event(run.account_id, event_type, at, data, webhook_id, webhook_name)


def endpoint_test(at: datetime, *, webhook_id: str, webhook_name: str) -> Event:
    """What "Test endpoint" sends: rightly shaped, about an account and a run that do not exist."""
    data = {
        "jobId": "123",
        "jobName": "Daily Job (dbt build)",
        "runId": "12345",
        "environmentId": "1234",
        "environmentName": "Production",
        "dbtVersion": "1.0.0",
        "projectName": "Snowflake Github Demo",
        "projectId": "167194",
        "runStatus": "Success",
        "runStatusCode": statuses.SUCCESS,
        "runStatusMessage": "None",
        "runReason": "Kicked off from UI by test@test.com",
        "runStartedAt": "2023-01-31T19:28:07Z",
        "runFinishedAt": "2023-01-31T19:29:32Z",
    }
    return _event(1, "job.run.completed", at, data, webhook_id, webhook_name)


def new_id(prefix: str) -> str:
    """An id as dbt Cloud makes them: `wev_2L6ZDoilyiWzKkSA59Gmc2d7FDD`."""
    letters = string.ascii_letters + string.digits
    return f"{prefix}_{''.join(secrets.choice(letters) for _ in range(27))}"


def _event(
    account_id: int,
    event_type: str,
    at: datetime,
    data: dict[str, Any],
    webhook_id: str,
    webhook_name: str,
) -> Event:
    event_id = new_id("wev")
    body = {
        "accountId": account_id,
        "webhookId": webhook_id,
        "eventId": event_id,
        "timestamp": times.webhook_precise(at),
        "eventType": event_type,
        "webhookName": webhook_name,
        "data": data,
    }
    # compact, and text as it is: a receiver that writes it anew gets other bytes
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Event(event_id, event_type, text.encode())
