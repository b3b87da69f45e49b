"""PagerDuty's Events API: refuses what the real one refuses, and keeps what follows of the rest.

Source: https://developer.pagerduty.com/docs/events-api-v2-overview
"""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lab import pagerduty_event
from lab.faults import Faults, WithFaults
from lab.limits import Window
from lab.timeline import Timeline

SIDE = "PagerDuty"
EVENTS, PER = 120, timedelta(minutes=1)
"""So many events are taken through one routing key, whether alerts or changes."""

Wrong = Callable[[Mapping[str, Any], Collection[str]], Iterator[str]]
"""What is wrong with an event, where these routing keys are known."""
Take = Callable[[Mapping[str, Any]], Mapping[str, str]]
"""Keeps an event; returns what is answered beside the usual."""


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
class Change:
    """A change event: shown beside the service's incidents, and told to nobody."""

    routing_key: str
    event: Mapping[str, Any]

    @property
    def summary(self) -> str:
        return str(self.event["payload"]["summary"])


@dataclass(frozen=True)
class Received:
    """A request that was looked at, and how it was answered; a 429 has no body."""

    body: bytes
    status: int
    answer: Mapping[str, Any]


class PagerDuty:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at.

    `clock` is what events through one routing key are counted by.
    """

    def __init__(
        self,
        *routing_keys: str,
        timeline: Timeline | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.routing_keys = set(routing_keys)
        self.faults = Faults()
        self._timeline = timeline or Timeline()
        self._clock = clock
        self._windows: dict[str, Window] = {}
        self._alerts: list[Alert] = []
        self._open: dict[tuple[str, str], int] = {}
        self._changes: list[Change] = []
        self._requests: list[Received] = []
        routes = [
            Route("/v2/enqueue", self._enqueue, methods=["POST"]),
            Route("/v2/change/enqueue", self._enqueue_change, methods=["POST"]),
        ]
        self.app: ASGIApp = WithFaults(Starlette(routes=routes), self.faults)

    @property
    def alerts(self) -> list[Alert]:
        """All alerts as they are now, in the order in which they were opened."""
        return list(self._alerts)

    @property
    def open_alerts(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.is_open]

    @property
    def changes(self) -> list[Change]:
        """All change events, in the order in which they came."""
        return list(self._changes)

    @property
    def requests(self) -> list[Received]:
        return list(self._requests)

    async def _enqueue(self, request: Request) -> Response:
        return await self._answered(request, pagerduty_event.errors, self._alert)

    async def _enqueue_change(self, request: Request) -> Response:
        return await self._answered(request, pagerduty_event.errors_in_change, self._change)

    async def _answered(self, request: Request, wrong: Wrong, take: Take) -> Response:
        body = await request.body()
        event = pagerduty_event.read(request.headers.get("content-type", ""), body)
        if len(body) > pagerduty_event.BODY_LIMIT_BYTES:
            return self._refuse(body, ["Event is too large"], is_event=event is not None)
        if event is None:
            return self._refuse(body, ["JSON parse error"], is_event=False)
        if self._is_too_many(event.get("routing_key")):
            return self._put_off(body)
        if errors := list(wrong(event, self.routing_keys)):
            return self._refuse(body, errors, is_event=True)
        answer = {"status": "success", "message": "Event processed", **take(event)}
        self._requests.append(Received(body, 202, answer))
        return JSONResponse(answer, 202)

    def _is_too_many(self, routing_key: object) -> bool:
        """Whether the key's minute is full; what is not taken for that does not count."""
        if not isinstance(routing_key, str) or routing_key not in self.routing_keys:
            return False
        window = self._windows.setdefault(routing_key, Window(EVENTS, PER, self._clock))
        return window.take() is not None

    def _put_off(self, body: bytes) -> Response:
        self._requests.append(Received(body, 429, {}))
        self._timeline.saw(SIDE, f"event not taken: more than {EVENTS} in a minute")
        return Response(status_code=429)

    def _refuse(self, body: bytes, errors: list[str], *, is_event: bool) -> Response:
        status, message = "Unrecognized object", "Event object format is unrecognized"
        if is_event:
            status, message = "invalid event", "Event object is invalid"
        answer = {"status": status, "message": message, "errors": errors}
        self._requests.append(Received(body, 400, answer))
        self._timeline.saw(SIDE, f"event refused: {'; '.join(errors)}")
        return JSONResponse(answer, 400)

    def _alert(self, event: Mapping[str, Any]) -> Mapping[str, str]:
        dedup_key = event.get("dedup_key") or str(uuid.uuid4())
        what = self._joined(event, dedup_key)
        self._timeline.saw(SIDE, what, action=event["event_action"], dedup_key=dedup_key)
        return {"dedup_key": dedup_key}

    def _change(self, event: Mapping[str, Any]) -> Mapping[str, str]:
        change = Change(event["routing_key"], event)
        self._changes.append(change)
        self._timeline.saw(SIDE, f"change shown: {change.summary}")
        return {}

    def _joined(self, event: Mapping[str, Any], dedup_key: str) -> str:
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
