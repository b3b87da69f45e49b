"""Looker's API for datagroups: what is triggered is triggered, there is nothing to follow.

Source: https://docs.cloud.google.com/looker/docs/api-getting-started
"""

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, cast
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lab import looker_datagroup
from lab.faults import Faults, WithFaults
from lab.limits import Window
from lab.looker_datagroup import Datagroup
from lab.timeline import Timeline

SIDE = "Looker"
FORM = "application/x-www-form-urlencoded"
TOKEN_LASTS = timedelta(seconds=3600)
REQUESTS_A_MINUTE = 600  # Looker publishes no number
DOCUMENTATION = "https://cloud.google.com/looker/docs/"


class Looker:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        datagroups: Iterable[Datagroup],
        timeline: Timeline | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.faults = Faults()
        self.window = Window(REQUESTS_A_MINUTE, timedelta(minutes=1), clock)
        self.logins = 0
        self.updates: list[tuple[str, dict[str, int]]] = []
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._datagroups = {each.id: each for each in datagroups}
        self._tokens: dict[str, datetime] = {}
        self._timeline = timeline or Timeline()
        self._clock = clock
        api, one = "/api/4.0", "/api/4.0/datagroups/{id}"
        app = Starlette(
            routes=[
                Route(f"{api}/login", self._login, methods=["POST"]),
                Route(f"{api}/logout", self._logout, methods=["DELETE"]),
                Route(f"{api}/datagroups", self._list, methods=["GET"]),
                Route(one, self._show, methods=["GET"]),
                Route(one, self._update, methods=["PATCH"]),
            ],
            exception_handlers={HTTPException: _refusal},
        )
        self.app: ASGIApp = WithFaults(app, self.faults)

    @property
    def datagroups(self) -> list[Datagroup]:
        """All datagroups as they are now."""
        return list(self._datagroups.values())

    async def _login(self, request: Request) -> Response:
        self._have_room()
        if self._client.keys() & request.query_params.keys():
            raise HTTPException(400, "Credentials are to be in the body")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != FORM:
            raise HTTPException(400, "The body is no form")
        given = parse_qs((await request.body()).decode("utf-8", "replace"))
        same = [
            compare_digest("".join(given.get(name, [])).encode(), ours.encode())
            for name, ours in self._client.items()
        ]
        if not all(same):
            # the published description has no 401 here
            raise HTTPException(404, "Not found")
        self.logins += 1
        token = secrets.token_hex(20)
        self._tokens[token] = self._clock() + TOKEN_LASTS
        lasts_s = int(TOKEN_LASTS.total_seconds())
        told = {"access_token": token, "token_type": "Bearer", "expires_in": lasts_s}
        return JSONResponse(told | {"refresh_token": None})

    async def _logout(self, request: Request) -> Response:
        del self._tokens[self._authentic(request)]
        return Response(status_code=204)

    async def _list(self, request: Request) -> Response:
        self._authentic(request)
        return JSONResponse([each.told() for each in self.datagroups])

    async def _show(self, request: Request) -> Response:
        self._authentic(request)
        return JSONResponse(self._datagroup(request).told())

    async def _update(self, request: Request) -> Response:
        self._authentic(request)
        datagroup = self._datagroup(request)
        if not datagroup.may_update:
            raise HTTPException(404, "Not found")
        asked = _object(await request.body())
        wrong = list(looker_datagroup.errors(asked, self._clock().timestamp()))
        if wrong:
            return _invalid(wrong)
        datagroup = replace(datagroup, **asked)
        self._datagroups[datagroup.id] = datagroup
        self.updates.append((datagroup.id, asked))
        for field in asked:
            what = "triggered" if field == "triggered_at" else "cache dropped"
            name = f"{datagroup.model_name}::{datagroup.name}"
            self._timeline.saw(SIDE, f"datagroup {what}: {name}", datagroup=datagroup.id)
        return JSONResponse(datagroup.told())

    def _have_room(self) -> None:
        if self.window.take() is not None:
            raise HTTPException(429, "Too many requests")

    def _authentic(self, request: Request) -> str:
        """The token of a request that may be carried out."""
        self._have_room()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        until = self._tokens.get(token.strip())
        if scheme.lower() not in ("token", "bearer") or until is None or until <= self._clock():
            raise HTTPException(401, "Requires authentication.")
        return token.strip()

    def _datagroup(self, request: Request) -> Datagroup:
        datagroup = self._datagroups.get(request.path_params["id"])
        if datagroup is None:
            raise HTTPException(404, "Not found")
        return datagroup


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise HTTPException(400, "The body is no object")
    return asked


def _invalid(wrong: list[tuple[str, str, str]]) -> Response:
    errors = [
        {"field": field, "code": code, "message": message, "documentation_url": DOCUMENTATION}
        for field, code, message in wrong
    ]
    told = {"message": "Validation Failed", "errors": errors, "documentation_url": DOCUMENTATION}
    return JSONResponse(told, 422)


async def _refusal(_: Request, refusal: Exception) -> Response:
    status = cast(HTTPException, refusal).status_code
    detail = cast(HTTPException, refusal).detail
    return JSONResponse({"message": detail, "documentation_url": DOCUMENTATION}, status)
