"""A call to Tableau's REST API as it was read, and how Tableau refuses one.

Source: https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_errors.htm
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lab import tableau_dialect
from lab.tableau_dialect import Unreadable

Answer = tuple[int, Mapping[str, Any] | None]
"""A status, and what is told; None where there is nothing to tell."""


class Refusal(Exception):
    """`code` begins with the HTTP status."""

    def __init__(self, code: str, summary: str, detail: str) -> None:
        super().__init__(detail)
        self.status = int(code[:3])
        self.told = {"error": {"summary": summary, "detail": detail, "code": code}}


@dataclass(frozen=True)
class Call:
    """A request; `version` is the API's that its path names, (0, 0) if that is none."""

    version: tuple[int, int]
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Mapping[str, Any]:
        """What the body holds, in either dialect. Raises Refusal."""
        try:
            return tableau_dialect.read(self.headers.get("content-type", ""), self.body)
        except Unreadable as why:
            raise Refusal("400000", "Bad Request", str(why)) from None


def route(method: str, path: str, act: Callable[[Call], Answer]) -> Route:
    """Have `act` answer, or refuse, what comes to `path`; the caller's dialect is kept."""

    async def endpoint(request: Request) -> Response:
        version = _version(request.path_params["version"])
        asked = (request.path_params, request.query_params, request.headers)
        try:
            status, told = act(Call(version, *asked, await request.body()))
        except Refusal as refusal:
            status, told = refusal.status, refusal.told
        if told is None:
            return Response(status_code=status)
        return tableau_dialect.answer(request.headers.get("accept", ""), status, told)

    return Route(f"/api/{{version}}/{path}", endpoint, methods=[method])


async def no_such_path(request: Request, error: Exception) -> Response:
    """Answer what no route takes."""
    is_method = getattr(error, "status_code", 404) == 405
    code, summary = ("405000", "Method Not Allowed") if is_method else ("404003", "Not Found")
    refusal = Refusal(code, summary, "There is nothing here")
    accept = request.headers.get("accept", "")
    return tableau_dialect.answer(accept, refusal.status, refusal.told)


def _version(written: str) -> tuple[int, int]:
    major, _, minor = written.partition(".")
    is_one = all(part.isascii() and part.isdigit() and len(part) < 4 for part in (major, minor))
    return (int(major), int(minor)) if is_one else (0, 0)
