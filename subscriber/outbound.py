"""Outbound: the one door through which requests leave the subscriber.

It alone knows time-outs, which answers may be tried again, how large an answer may be, and how to
keep URLs, headers and bodies out of errors.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Literal
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import DecodeError, HTTPError, NewConnectionError, ReadTimeoutError

from shared.errors import Failure, PermanentFailure, TemporaryFailure
from subscriber import sessions
from subscriber.public_hosts import PublicHosts, PublicHostsAdapter
from subscriber.sessions import NoAuth
from subscriber.tokens import Tokens

CONNECT_TIMEOUT_S = 3.05
READ_TIMEOUT_S = 8.0
PUBLIC_READ_TIMEOUT_S = 15.0  # of receivers of webhooks: what their standard asks for at least
WHOLE_ANSWER_S = 10.0  # an answer that dribbles is given up after this
ANSWER_LIMIT_BYTES = 1_000_000
REFUSAL_LIMIT_BYTES = 64_000  # of what a refusal says, which is cut there
REDIRECTS = 3  # followed at the most, where any are
RETRY_AFTER_LIMIT_S = 3_600.0

TOO_MANY_S = 30.0  # PagerDuty's advice after a 429 that does not say when to come back

_LATER = frozenset({408, 425, 429, *range(500, 600)})


@dataclass(frozen=True)
class Reply:
    """What the other side answered. `content` is its body as JSON, None if it is no JSON.

    `body` is its text. Neither is shown in an error or a log, nor when this is printed.
    """

    status: int
    content: Any = field(default=None, repr=False)
    body: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name, in whichever case."""

    def text(self, *path: str) -> str:
        """The string found by following `path` through objects; empty if there is none."""
        found = self.content
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""


class Refused(PermanentFailure):
    """The other side answered, and said no. `status` is its HTTP status.

    `reply` is what it said, for a destination to tell one refusal from another by a code in it.
    """

    def __init__(self, message: str, status: int, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reply = reply or Reply(status)


class Busy(TemporaryFailure):
    """The other side did not answer, or said not now. `status` is its HTTP status, if any.

    `reply` is what it said, empty if it said nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.status = status
        self.reply = reply or Reply(status or 0)


class UnknownOutcome(Busy):
    """The request went out whole and no answer came: it may or may not have been carried out."""


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
    ends_at: float = math.inf
    """The monotonic time from which on no further request begins."""
    tokens: Tokens = field(default_factory=Tokens, repr=False)
    """What vendors gave us in exchange for credentials; kept as long as this is."""
    hosts: PublicHosts = field(default_factory=PublicHosts, repr=False)
    """How `to_public_hosts` finds and reaches them."""
    _sessions: Mapping[bool, requests.Session] = field(default_factory=sessions.made, repr=False)
    _guarded: dict[bool, Mapping[bool, requests.Session]] = field(default_factory=dict, repr=False)

    def until(self, seconds: float) -> "Outbound":
        """The same door, which opens for no request that begins later than in so many seconds."""
        return replace(self, ends_at=time.monotonic() + seconds)

    def to_public_hosts(self, *, allow_private: bool = False) -> "Outbound":
        """The same door for URLs that others choose: see `public_hosts`.

        Raises PermanentFailure for a host that it does not lead to.
        """
        made = self._guarded.get(allow_private)
        if made is None:
            hosts = replace(self.hosts, allow_private=allow_private)
            made = self._guarded[allow_private] = sessions.made(partial(PublicHostsAdapter, hosts))
        return replace(self, read_timeout_s=PUBLIC_READ_TIMEOUT_S, _sessions=made)

    def post_json(
        self,
        url: str,
        body: object,
        *,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        repeatable: bool = True,
        answer_limit_bytes: int = ANSWER_LIMIT_BYTES,
        to_the_letter: bool = False,
    ) -> Reply:
        """POST `body` as JSON (bytes are sent as they are). Redirects are refused.

        With `answer_limit_bytes=0` the status alone counts, and nothing behind it is read.
        `to_the_letter` leaves the URL's escapes as they are: a signature in it may be of them.
        """
        return self._json(
            "POST",
            url,
            body,
            headers=headers,
            auth=HTTPBasicAuth(basic[0].encode(), basic[1].encode()) if basic else NoAuth(),
            repeatable=repeatable,
            limit=answer_limit_bytes,
            to_the_letter=to_the_letter,
        )

    def patch_json(
        self, url: str, body: object, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """PATCH with `body` as JSON, which sets the same values if it is repeated."""
        return self._json(
            "PATCH",
            url,
            body,
            headers=headers,
            auth=NoAuth(),
            repeatable=True,
            limit=ANSWER_LIMIT_BYTES,
        )

    def put_json(
        self, url: str, body: object, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """PUT `body` as JSON in the place of what is there."""
        return self._json(
            "PUT",
            url,
            body,
            headers=headers,
            auth=NoAuth(),
            repeatable=True,
            limit=ANSWER_LIMIT_BYTES,
        )

    def delete(self, url: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        """DELETE `url`. Not repeated once it may have arrived: it would find nothing there."""
        return self._request(
            "DELETE",
            url,
            headers=headers or {},
            auth=NoAuth(),
            repeatable=False,
            limit=ANSWER_LIMIT_BYTES,
        )

    def post_form(
        self,
        url: str,
        fields: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Reply:
        """POST `fields` as a form. Redirects are refused."""
        return self._request(
            "POST",
            url,
            data=urlencode(fields, errors="replace").encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded", **(headers or {})},
            auth=NoAuth(),
            repeatable=repeatable,
            limit=ANSWER_LIMIT_BYTES,
        )

    def get_json(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
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
            auth=HTTPBasicAuth(basic[0].encode(), basic[1].encode()) if basic else NoAuth(),
            repeatable=True,
            limit=answer_limit_bytes,
            redirects=REDIRECTS if follow_redirects else 0,
        )

    def _json(
        self,
        method: Literal["POST", "PATCH", "PUT"],
        url: str,
        body: object,
        *,
        headers: Mapping[str, str] | None,
        auth: AuthBase,
        repeatable: bool,
        limit: int,
        to_the_letter: bool = False,
    ) -> Reply:
        sent = body if isinstance(body, bytes) else encode(body)
        return self._request(
            method,
            url,
            data=sent,
            headers={"Content-Type": "application/json", **(headers or {})},
            auth=auth,
            repeatable=repeatable,
            limit=limit,
            to_the_letter=to_the_letter,
        )

    def _request(
        self,
        method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"],
        url: str,
        *,
        headers: Mapping[str, str],
        auth: AuthBase,
        repeatable: bool,
        limit: int,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        redirects: int = 0,
        to_the_letter: bool = False,
    ) -> Reply:
        host = urlsplit(url).hostname or "?"
        if time.monotonic() >= self.ends_at:
            raise Busy(f"{host}: what went before took too long, so that this was not begun")
        session = self._sessions[repeatable]
        asked = requests.Request(method, url, params=params, data=data, headers=headers, auth=auth)
        with (
            self._failures(host),
            self._sent(session, asked, to_the_letter=to_the_letter) as response,
        ):
            if not (redirects and response.is_redirect):
                return self._judged(host, response, limit)
            onward = urljoin(url, response.headers["Location"])
        if not _is_same_origin(url, onward):
            headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
            auth = NoAuth()
        return self._request(
            method,
            onward,
            headers=headers,
            auth=auth,
            repeatable=repeatable,
            limit=limit,
            redirects=redirects - 1,
        )

    def _sent(
        self, session: requests.Session, asked: requests.Request, *, to_the_letter: bool
    ) -> requests.Response:
        prepared = session.prepare_request(asked)
        if to_the_letter and asked.url.isascii():
            prepared.url = asked.url
        settings = session.merge_environment_settings(
            prepared.url, {}, stream=True, verify=None, cert=None
        )
        timeout = (CONNECT_TIMEOUT_S, self.read_timeout_s)
        return session.send(prepared, timeout=timeout, allow_redirects=False, **settings)

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
            raise failure(
                f"{host} answered {status}",
                status=status,
                retry_after_s=wait_s,
                reply=self._refusal(host, response, limit),
            )
        if not 200 <= status < 300:
            redirect = ", a redirect: is its base URL right?" if 300 <= status < 400 else ""
            reply = self._refusal(host, response, limit)
            raise Refused(f"{host} answered {status}{redirect}", status, reply)
        try:
            return _reply(response, self._read(host, response, limit))
        except DecodeError:
            return Reply(status, headers=response.headers)
        except ReadTimeoutError:
            raise UnknownOutcome(f"{host} did not answer in {self.read_timeout_s:g} s") from None
        except HTTPError:
            raise UnknownOutcome(f"{host} broke the connection") from None

    def _refusal(self, host: str, response: requests.Response, limit: int) -> Reply:
        """What a refusal says, as far as it can be read; its status stands in any case."""
        try:
            return _reply(response, self._read(host, response, min(limit, REFUSAL_LIMIT_BYTES)))
        except (DecodeError, HTTPError, Failure):
            return Reply(response.status_code, headers=response.headers)

    def _read(self, host: str, response: requests.Response, limit: int) -> bytes:
        if limit == 0:
            return b""
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


def _reply(response: requests.Response, body: bytes) -> Reply:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    return Reply(response.status_code, content, body.decode("utf-8", "replace"), response.headers)


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
