"""PagerDuty's Events API: refuses what the real one refuses, and keeps the alerts that follow.

Source: https://developer.pagerduty.com/docs/events-api-v2-overview
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from lab import pagerduty_event
from lab.faults import Faults, WithFaults
from lab.timeline import Timeline

SIDE = "PagerDuty"


@dataclass(frozen=True)
class Alert:
    """One alert with the events that it took, the first of which opened it."""

    routing_key: str
    dedup_key: str
    events: tuple[Mapping[str, Any], ...]

    @property
    def is_open(self) -> bool:
        return bool(self.events[-1]["event_action"] != "resolve")

    @property
    def summary(self) -> str:
        """What the last trigger said."""
        said = [e["payload"]["summary"] for e in self.events if e["event_action"] == "trigger"]
        return str(said[-1])


@dataclass(frozen=True)
class Received:
    """A request that was looked at, and how it was answered."""

    body: bytes
    status: int
    answer: Mapping[str, Any]


class PagerDuty:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at."""

    def __init__(self, *routing_keys: str, timeline: Timeline | None = None) -> None:
        self.routing_keys = set(routing_keys)
        self.faults = Faults()
        self._timeline = timeline or Timeline()
        self._alerts: list[Alert] = []
        self._open: dict[tuple[str, str], int] = {}
        self._requests: list[Received] = []
        routes = [Route("/v2/enqueue", self._enqueue, methods=["POST"])]
        self.app: ASGIApp = WithFaults(Starlette(routes=routes), self.faults)

    @property
    def alerts(self) -> list[Alert]:
        """All alerts as they are now, in the order in which they were opened."""
        return list(self._alerts)

    @property
    def open_alerts(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.is_open]

    @property
    def requests(self) -> list[Received]:
        return list(self._requests)

    async def _enqueue(self, request: Request) -> JSONResponse:
        body = await request.body()
        event = pagerduty_event.read(request.headers.get("content-type", ""), body)
        if len(body) > pagerduty_event.BODY_LIMIT_BYTES:
            errors = ["Event is too large"]
        elif event is None:
            errors = ["JSON parse error"]
        else:
            errors = list(pagerduty_event.errors(event, self.routing_keys))
        if event is None or errors:
            return self._refuse(body, errors, is_event=event is not None)
        dedup_key = event.get("dedup_key") or str(uuid.uuid4())
        what = self._take(event, dedup_key)
        answer = {"status": "success", "message": "Event processed", "dedup_key": dedup_key}
        self._requests.append(Received(body, 202, answer))
        self._timeline.saw(SIDE, what, action=event["event_action"], dedup_key=dedup_key)
        return JSONResponse(answer, 202)

    def _refuse(self, body: bytes, errors: list[str], *, is_event: bool) -> JSONResponse:
        status, message = "Unrecognized object", "Event object format is unrecognized"
        if is_event:
            status, message = "invalid event", "Event object is invalid"
        answer = {"status": status, "message": message, "errors": errors}
        self._requests.append(Received(body, 400, answer))
        self._timeline.saw(SIDE, f"event refused: {'; '.join(errors)}")
        return JSONResponse(answer, 400)

    def _take(self, event: Mapping[str, Any], dedup_key: str) -> str:
        """Let `event` open, join or close an alert; says what it did."""
        action, names = event["event_action"], (event["routing_key"], dedup_key)
        opened = self._open.get(names)
        if opened is None and action != "trigger":
            return f"event dropped: no such alert is open to {action}"
        if opened is None:
            self._open[names] = len(self._alerts)
            alert = Alert(*names, events=(event,))
            self._alerts.append(alert)
            return f"alert opened: {alert.summary}"
        alert = self._alerts[opened]
        self._alerts[opened] = alert = replace(alert, events=(*alert.events, event))
        if action == "resolve":
            del self._open[names]
        told = {"trigger": "updated", "acknowledge": "acknowledged", "resolve": "resolved"}
        return f"alert {told[action]}: {alert.summary}"
