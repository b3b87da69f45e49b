"""Outbound: the one door through which requests leave the subscriber.

It alone knows time-outs, which answers may be tried again, how large an answer may be, and how to
keep URLs, headers and bodies out of errors.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import DecodeError, HTTPError, NewConnectionError, ReadTimeoutError

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber import sessions
from subscriber.sessions import NoAuth

CONNECT_TIMEOUT_S = 3.05
READ_TIMEOUT_S = 8.0
WHOLE_ANSWER_S = 10.0  # an answer that dribbles is given up after this
ANSWER_LIMIT_BYTES = 1_000_000
REDIRECTS = 3  # followed at the most, where any are
RETRY_AFTER_LIMIT_S = 3_600.0

TOO_MANY_S = 30.0  # PagerDuty's advice after a 429 that does not say when to come back

_LATER = frozenset({408, 425, 429, *range(500, 600)})


class Refused(PermanentFailure):
    """The other side answered, and said no. `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Busy(TemporaryFailure):
    """The other side did not answer, or said not now. `status` is its HTTP status, if any."""

    def __init__(
        self, message: str, *, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.status = status


class UnknownOutcome(Busy):
    """The request went out whole and no answer came: it may or may not have been carried out."""


@dataclass(frozen=True)
class Reply:
    """A 2xx answer. `content` is what its body holds as JSON, None if it is no JSON."""

    status: int
    content: Any

    def text(self, *path: str) -> str:
        """The string found by following `path` through objects; empty if there is none."""
        found = self.content
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""


@dataclass(frozen=True)
class Outbound:
    """Sends one request and says what came of it. Safe to share between threads.

    Refused for an answer that another try cannot change; Busy for time-outs, broken connections,
    408, 425, 429 and 5xx; UnknownOutcome where the request may have been carried out unanswered.
    `repeatable` requests are tried twice more within some seconds, the others only if they
    certainly never arrived.
    """

    read_timeout_s: float = READ_TIMEOUT_S
    whole_answer_s: float = WHOLE_ANSWER_S
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _sessions: Mapping[bool, requests.Session] = field(default_factory=sessions.made, repr=False)

    def post_json(
        self,
        url: str,
        body: object,
        *,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        repeatable: bool = True,
        answer_limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Reply:
        """POST `body` as JSON (bytes are sent as they are). Redirects are refused."""
        sent = body if isinstance(body, bytes) else encode(body)
        return self._request(
            "POST",
            url,
            data=sent,
            headers={"Content-Type": "application/json", **(headers or {})},
            auth=HTTPBasicAuth(basic[0].encode(), basic[1].encode()) if basic else NoAuth(),
            repeatable=repeatable,
            limit=answer_limit_bytes,
        )

    def get_json(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        follow_redirects: bool = False,
        answer_limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Reply:
        """GET `url`. A redirect, if followed, takes no Authorization to another host."""
        return self._request(
            "GET",
            url,
            params=params,
            headers=headers or {},
            auth=NoAuth(),
            repeatable=True,
            limit=answer_limit_bytes,
            redirects=REDIRECTS if follow_redirects else 0,
        )

    def _request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        headers: Mapping[str, str],
        auth: AuthBase,
        repeatable: bool,
        limit: int,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        redirects: int = 0,
    ) -> Reply:
        host = urlsplit(url).hostname or "?"
        with (
            self._failures(host),
            self._sessions[repeatable].request(
                method,
                url,
                params=params,
                data=data,
                headers=headers,
                auth=auth,
                timeout=(CONNECT_TIMEOUT_S, self.read_timeout_s),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            if not (redirects and response.is_redirect):
                return self._judged(host, response, limit)
            onward = urljoin(url, response.headers["Location"])
        if not _is_same_origin(url, onward):
            headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
        return self._request(
            method,
            onward,
            headers=headers,
            auth=auth,
            repeatable=repeatable,
            limit=limit,
            redirects=redirects - 1,
        )

    @contextmanager
    def _failures(self, host: str) -> Iterator[None]:
        """Raise what requests raises within as a failure of ours, that names nothing but `host`."""
        try:
            yield
        except requests.exceptions.ProxyError:
            raise Busy(f"{host} could not be reached through the proxy") from None
        except requests.ConnectTimeout:
            raise Busy(f"{host} could not be reached in {CONNECT_TIMEOUT_S:.0f} s") from None
        except requests.Timeout:
            raise UnknownOutcome(f"{host} did not answer in {self.read_timeout_s:g} s") from None
        except requests.exceptions.SSLError:
            raise Busy(f"{host}: no trusted TLS connection could be made") from None
        except requests.ConnectionError as error:
            reason = getattr(error.args[0] if error.args else None, "reason", None)
            if isinstance(reason, NewConnectionError):
                raise Busy(f"{host} could not be reached") from None
            if isinstance(reason, ReadTimeoutError):
                raise UnknownOutcome(
                    f"{host} did not answer in {self.read_timeout_s:g} s"
                ) from None
            raise UnknownOutcome(f"{host} broke the connection") from None
        except (requests.RequestException, UnicodeError, ValueError) as error:
            # not the error's text: it may hold the URL, and that a credential
            raise PermanentFailure(f"{host}: {type(error).__name__}, nothing was sent") from None

    def _judged(self, host: str, response: requests.Response, limit: int) -> Reply:
        status = response.status_code
        if status in _LATER:
            wait_s = retry_after_s(response.headers.get("Retry-After"), self.clock())
            if wait_s is None and status == 429:
                wait_s = TOO_MANY_S
            retries = response.raw.retries
            failure = UnknownOutcome if retries and sessions.unanswered(retries.history) else Busy
            raise failure(f"{host} answered {status}", status=status, retry_after_s=wait_s)
        if 300 <= status < 400:
            raise Refused(f"{host} answered {status}, a redirect: is its base URL right?", status)
        if not 200 <= status < 300:
            raise Refused(f"{host} answered {status}", status)
        try:
            return Reply(status, _json(self._read(host, response, limit)))
        except DecodeError:
            return Reply(status, None)
        except ReadTimeoutError:
            raise UnknownOutcome(f"{host} did not answer in {self.read_timeout_s:g} s") from None
        except HTTPError:
            raise UnknownOutcome(f"{host} broke the connection") from None

    def _read(self, host: str, response: requests.Response, limit: int) -> bytes:
        until = time.monotonic() + self.whole_answer_s
        body = bytearray()
        # read1: what has come, where read would wait for all of it
        while chunk := response.raw.read1(65_536, decode_content=True):
            body += chunk
            if len(body) > limit:
                raise PermanentFailure(f"{host} answered with more than {limit:,} bytes")
            if time.monotonic() > until:
                raise UnknownOutcome(f"{host} took more than {self.whole_answer_s:g} s to answer")
        return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _is_same_origin(url: str, other: str) -> bool:
    one, two = urlsplit(url), urlsplit(other)
    return (one.scheme, one.hostname, one.port) == (two.scheme, two.hostname, two.port)


def encode(body: object) -> bytes:
    """`body` as compact JSON in UTF-8; text that is no valid Unicode is replaced by `?`."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, at most an hour; None if it says nothing usable.

    Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if header is None:
        return None
    value = header.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), RETRY_AFTER_LIMIT_S)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_S)
