"""Teams: a flow that begins "when a Teams webhook request is received" and posts its cards.

The flow says 202 to whatever comes by its URL, before it looks at it. What came of it stands in
the flow's run history, which whoever posted never sees: here it is `posted` and `failed_runs`.

Source: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lab import teams_card
from lab.faults import Faults, WithFaults
from lab.limits import Window
from lab.timeline import Timeline

SIDE = "Teams"
PATH = "/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke"
QUERY = "api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=s1gn-_ature0123456789"
REQUEST_LIMIT_BYTES = 1_000_000  # which size the trigger itself refuses is not documented
PACE = ((4, 1), (60, 30), (100, 3_600), (150, 7_200), (1_800, 86_400))
"""Requests in so many seconds: what a channel took from its connectors, a guide for flows too."""


@dataclass(frozen=True)
class Received:
    """A request as it came in: the URL's bytes from the path on, the body, and the answer."""

    url: str
    body: bytes
    status: int


@dataclass(frozen=True)
class FailedRun:
    """A run of the flow that posted nothing, though its request had been answered with 202."""

    body: bytes
    reason: str


class _Refusal(Exception):
    """The trigger does not begin a run."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Teams:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at.

    `path` and `query` are the URL's, as they stand in it. The rest can be changed at any time:
    `is_on`; `anyone`, whether the trigger is for anyone who has the URL, not only for users of the
    tenant; `takes`, what the flow makes of a body, the template's way or one that somebody built
    by hand; `wanted`, the keys that a schema in the trigger demands; `action_fails`, why nothing
    can be posted (a deleted channel, a connection that expired), if so.
    """

    def __init__(
        self,
        *,
        path: str = PATH,
        query: str = QUERY,
        timeline: Timeline | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.faults = Faults()
        self.is_on = True
        self.anyone = True
        self.takes: Literal["envelope", "bare card"] = "envelope"
        self.wanted: frozenset[str] = frozenset()
        self.action_fails = ""
        self._path, self._query = path, query
        self._timeline = timeline or Timeline()
        self._windows = [Window(limit, timedelta(seconds=s), clock) for limit, s in PACE]
        self._requests: list[Received] = []
        self._posted: list[Mapping[str, Any]] = []
        self._failed: list[FailedRun] = []
        routes = [Route("/{path:path}", self._trigger, methods=["POST"])]
        self.app: ASGIApp = WithFaults(Starlette(routes=routes), self.faults)

    @property
    def url(self) -> str:
        """What is to be added to the address at which `app` is served."""
        return f"{self._path}?{self._query}"

    @property
    def requests(self) -> list[Received]:
        return list(self._requests)

    @property
    def posted(self) -> list[Mapping[str, Any]]:
        """The cards that people see in the channel, the oldest first."""
        return list(self._posted)

    @property
    def failed_runs(self) -> list[FailedRun]:
        return list(self._failed)

    async def _trigger(self, request: Request) -> Response:
        raw_path, raw_query = request.scope["raw_path"], request.scope["query_string"]
        path, query = raw_path.decode("latin-1"), raw_query.decode("latin-1")
        body = await request.body()
        try:
            self._check_url(path, query, has_authorization="authorization" in request.headers)
            told = self._read(request.headers.get("content-type", ""), body)
            answer = Response(status_code=202)
        except _Refusal as refusal:
            error = {"code": refusal.code, "message": refusal.message}
            answer = JSONResponse({"error": error}, refusal.status)
            self._timeline.saw(SIDE, f"request refused: {refusal.code}")
        self._requests.append(Received(f"{path}?{query}", body, answer.status_code))
        if answer.status_code == 202:
            self._run(told, body)
        return answer

    def _check_url(self, path: str, query: str, *, has_authorization: bool) -> None:
        names = parse_qs(query, keep_blank_values=True)
        if path != self._path:
            raise _Refusal(404, "WorkflowNotFound", "The workflow could not be found.")
        if "api-version" not in names:
            raise _Refusal(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        if has_authorization:
            raise _Refusal(
                401,
                "DirectApiInvalidAuthorizationScheme",
                "The request has both SAS authentication scheme and an Authorization header.",
            )
        # the signature covers what the other parameters say, in the order that the URL has
        is_signed = query == self._query
        if not self.anyone or not is_signed:
            raise _Refusal(
                401,
                "DirectApiAuthorizationRequired",
                "The request must be authenticated only by Shared Access scheme.",
            )
        if not self.is_on:
            raise _Refusal(
                400, "WorkflowTriggerIsNotEnabled", "The workflow's trigger is not enabled."
            )

    def _read(self, content_type: str, body: bytes) -> Any:
        """What the run begins with; None for a body that is not said to be JSON."""
        if len(body) > REQUEST_LIMIT_BYTES:
            raise _Refusal(413, "RequestEntityTooLarge", "The request body is too large.")
        if any(window.room_in() is not None for window in self._windows):
            raise _Refusal(429, "TooManyRequests", "The rate limit is exceeded. Try again later.")
        for window in self._windows:
            window.take()
        if content_type.partition(";")[0].strip().lower() != "application/json":
            return None
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            message = "The request content is not valid and could not be deserialized."
            raise _Refusal(400, "InvalidRequestContent", message) from None
        missing = self.wanted - (told.keys() if isinstance(told, dict) else set())
        if missing:
            message = f"The input body does not match the schema: {', '.join(sorted(missing))}."
            raise _Refusal(400, "TriggerInputSchemaMismatch", message)
        return told

    def _run(self, told: Any, body: bytes) -> None:
        """The flow's run, of which nobody outside hears."""
        reason = self._why_not(told, body)
        if reason:
            self._failed.append(FailedRun(body, reason))
            self._timeline.saw(SIDE, f"flow failed: {reason}")
            return
        cards = (
            [each["content"] for each in told["attachments"]] if self._is_by_template else [told]
        )
        for card in cards:
            self._posted.append(card)
            self._timeline.saw(SIDE, f"card posted: {teams_card.title(card)}")

    @property
    def _is_by_template(self) -> bool:
        return self.takes == "envelope"

    def _why_not(self, told: Any, body: bytes) -> str:
        """Why the flow posts nothing; empty if it does."""
        if self.action_fails:
            return self.action_fails
        check = teams_card.errors_in_message if self._is_by_template else teams_card.errors_in_card
        try:
            errors = list(check(told))
        except RecursionError:
            errors = ["The card is nested too deeply"]
        if not errors and len(body) > teams_card.MESSAGE_LIMIT_BYTES:
            errors = ["Request Entity too large"]
        return "; ".join(errors)
