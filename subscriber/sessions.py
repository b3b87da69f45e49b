"""Sessions: what is tried again at once, and what is not taken along from request to request."""

import logging
from collections.abc import Callable, Iterable, Mapping
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Self

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import RequestHistory, Retry

from subscriber.connections import BoundedAdapter

AT_ONCE = frozenset({500, 502, 503, 504})
"""Statuses worth another try at once, unless the answer says when."""


def unanswered(tries: Iterable[RequestHistory]) -> Exception | None:
    """The first error among `tries` that leaves open whether the request has arrived."""
    never_arrived = (ConnectTimeoutError, NewConnectionError, ProxyError)
    errors = (tried.error for tried in tries)
    return next((error for error in errors if error and not isinstance(error, never_arrived)), None)


class _NotWhenToldToWait(Retry):
    """urllib3's retries, but a server that says when to come back is not asked before that.

    When the last try fails because it never arrived, an earlier one that may have is the reason.
    """

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        try:
            return super().increment(method, url, response, error, _pool, _stacktrace)
        except MaxRetryError as last:
            earlier = unanswered(self.history)
            if earlier is None:
                raise
            raise MaxRetryError(last.pool, last.url or "", earlier) from None

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:  # noqa: FBT001, FBT002 - urllib3's signature
        return not has_retry_after and super().is_retry(method, status_code, has_retry_after)


class NoAuth(AuthBase):
    """Keeps credentials of a .netrc file out of our requests."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _again(*, repeatable: bool) -> Retry:
    return _NotWhenToldToWait(
        total=2,
        connect=2,
        read=2 if repeatable else 0,
        status=2 if repeatable else 0,
        other=0,
        redirect=False,
        backoff_factor=0.5,
        status_forcelist=AT_ONCE if repeatable else (),
        allowed_methods=None,
        raise_on_status=False,
        respect_retry_after_header=False,
    )


def to_anywhere(retries: Retry) -> HTTPAdapter:
    """What carries requests to whatever host they are for."""
    return BoundedAdapter(retries)


def made(
    adapter: Callable[[Retry], HTTPAdapter] = to_anywhere,
) -> Mapping[bool, requests.Session]:
    """A session for requests that may be repeated (True), and one for those that may not.

    `adapter` makes what carries them, given what is tried again.
    """
    return {again: _session(adapter(_again(repeatable=again))) for again in (True, False)}


def _session(adapter: HTTPAdapter) -> requests.Session:
    # what urllib3 warns of when it tries again holds the URL's path, and that may be a secret
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    session = requests.Session()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["User-Agent"] = "afterrun"
    # cookies are all that threads would share
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return session
