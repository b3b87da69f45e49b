"""Somebody's endpoint for our webhooks: verifies them, and takes each id once.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lab import webhook_signature
from lab.faults import Faults, WithFaults
from lab.timeline import Timeline
from lab.webhook_signature import NotAuthentic

SIDE = "webhook"
CLOUDEVENTS = "application/cloudevents+json"
SIZE_LIMIT_BYTES = 20_000  # what the standard advises to keep below

# of ISO 8601 what RFC 3339 has too
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_TYPE = re.compile(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*")


@dataclass(frozen=True)
class Received:
    """A request as it came in, and how it was answered. `headers` have names in lower case."""

    headers: Mapping[str, str]
    body: bytes
    status: int
    why: str = ""


class Receiver:
    """`app` is to be served, under any path; `faults` happen to its requests.

    `secrets` (`whsec_…`) are those that it verifies with; they can be changed at any time.
    """

    def __init__(
        self,
        *secrets: str,
        timeline: Timeline | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.secrets = set(secrets)
        self.faults = Faults()
        self._clock = clock
        self._timeline = timeline or Timeline()
        self._requests: list[Received] = []
        self._events: dict[str, Mapping[str, Any]] = {}
        self._duplicates: list[str] = []
        routes = [Route("/{path:path}", self._take, methods=["POST"])]
        self.app: ASGIApp = WithFaults(Starlette(routes=routes), self.faults)

    @property
    def requests(self) -> list[Received]:
        return list(self._requests)

    @property
    def events(self) -> dict[str, Mapping[str, Any]]:
        """What was taken, by its id, the oldest first."""
        return dict(self._events)

    @property
    def duplicates(self) -> list[str]:
        """The ids that came again, once for each time."""
        return list(self._duplicates)

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, why = 204, ""
        try:
            key = webhook_signature.verify(headers, body, self.secrets, self._clock())
            status, why = judged(headers.get("content-type", ""), body)
        except NotAuthentic as reason:
            status, why = 401, str(reason)
        self._requests.append(Received(headers, body, status, why))
        if status != 204:
            self._timeline.saw(SIDE, f"request refused: {why}")
            return JSONResponse({"error": why}, status)
        if key in self._events:
            self._duplicates.append(key)
            self._timeline.saw(SIDE, "event received again, and passed over", id=key)
        else:
            self._events[key] = event = json.loads(body)
            self._timeline.saw(SIDE, f"event received: {event['type']}", id=key)
        return Response(status_code=204)


def judged(content_type: str, body: bytes) -> tuple[int, str]:
    """The status for an authentic body, and what is wrong with it."""
    if len(body) > SIZE_LIMIT_BYTES:
        return 413, "the body has more than 20 kB"
    media = content_type.partition(";")[0].strip().lower()
    if media not in ("application/json", CLOUDEVENTS):
        return 415, "the body is not said to be JSON"
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        return 400, "the body is no JSON object"
    errors = _errors_in_cloud_event(event) if media == CLOUDEVENTS else _errors_in_event(event)
    return (400, errors) if errors else (204, "")


def _errors_in_event(event: Mapping[str, Any]) -> str:
    if not _TYPE.fullmatch(str(event.get("type", ""))):
        return "`type` is to be dotted words"
    if not _is_time(event.get("timestamp")):
        return "`timestamp` is to be a time with its zone, in ISO 8601"
    return "" if isinstance(event.get("data"), dict) else "`data` is to be an object"


def _errors_in_cloud_event(event: Mapping[str, Any]) -> str:
    if event.get("specversion") != "1.0":
        return "`specversion` is to be 1.0"
    for name in ("id", "source", "type"):
        if not event.get(name):
            return f"`{name}` is missing"
    for name in ("id", "source", "type", "subject", "datacontenttype", "dataschema"):
        if name in event and (not isinstance(event[name], str) or not event[name]):
            return f"`{name}` is to be text"
    if "time" in event and not _is_time(event["time"]):
        return "`time` is to be a time as in RFC 3339"
    odd = [name for name in event if not re.fullmatch("[a-z0-9]+|data_base64", name)]
    return f"{', '.join(odd)}: names are lower-case letters and digits" if odd else ""


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
