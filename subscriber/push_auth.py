"""Push tokens: whether a request really comes from our subscription.

Sources: https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions,
https://cloud.google.com/run/docs/troubleshooting (signature removed)
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.errors import PermanentFailure, TemporaryFailure

GOOGLE_CERTS_URL = "https://www.googleapis.com/oauth2/v1/certs"
ISSUERS = ("https://accounts.google.com", "accounts.google.com")
SKEW_S = 10  # how far Google's clock may be from ours
REFETCH_S = 30.0  # an unknown key makes us look for new certificates at most this often
FAILED_S = 5.0  # after a failed fetch, pushes are refused without another for so long
_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
_MAX_AGE = re.compile(r"max-age=(\d{1,8})")


class NotOurs(PermanentFailure):
    """The request does not come from our subscription."""


class PushAuth(Protocol):
    """One of the modes of `PUSH_AUTH`."""

    def check(self, authorization: str, peer: str) -> None:
        """Raise NotOurs unless a request with this header, from this address, is ours.

        Raises TemporaryFailure when that cannot be told now.
        """


@dataclass(frozen=True)
class Off:
    """No token is asked for: only this machine may send, or whoever reaches us in an emulator's."""

    is_emulated: bool
    is_loopback: Callable[[str], bool]

    def check(self, authorization: str, peer: str) -> None:
        if not (self.is_emulated or self.is_loopback(peer)):
            raise NotOurs("with PUSH_AUTH=off only loopback addresses may push")


@dataclass(frozen=True)
class Platform:
    """Cloud Run has verified the token and removed its signature: what it says is compared.

    Only right for a private service: to a public one, anybody can send these claims.
    """

    audience: str
    service_account: str
    clock: Callable[[], float] = time.time

    def check(self, authorization: str, peer: str) -> None:
        claims = _part(_token(authorization), 1)
        _check_claims(claims, self.audience, self.service_account, self.clock())


@dataclass(frozen=True)
class Verify:
    """The whole token is verified here, its signature last: only that may need the network."""

    audience: str
    service_account: str
    certificates: "Certificates"
    clock: Callable[[], float] = time.time

    def check(self, authorization: str, peer: str) -> None:
        from google.auth import exceptions, jwt

        token = _token(authorization)
        if token.rpartition(".")[2] == _REMOVED:
            raise NotOurs(
                "the push token's signature was removed: behind Cloud Run's own check, "
                "PUSH_AUTH=platform is right"
            )
        header, claims = _part(token, 0), _part(token, 1)
        _check_claims(claims, self.audience, self.service_account, self.clock())
        certs = self.certificates.holding(str(header.get("kid", "")))
        try:
            jwt.decode(token, certs=certs, clock_skew_in_seconds=SKEW_S)  # type: ignore[no-untyped-call]
        except (ValueError, exceptions.GoogleAuthError, KeyError, TypeError):
            # what it says may quote the token
            raise NotOurs("the push token's signature is wrong") from None


@dataclass
class Certificates:
    """Google's certificates by key id, kept for as long as they say. Safe to share.

    `fetch` returns the answer's body and its Cache-Control header, or raises TemporaryFailure.
    """

    fetch: Callable[[], tuple[bytes, str]]
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _certs: Mapping[str, str] = field(default_factory=dict, repr=False)
    _fetched_at: float | None = None
    _failed_at: float | None = None
    _max_age_s: float = 0.0

    def holding(self, key_id: str) -> Mapping[str, str]:
        """The certificates, fetched anew if they are old or do not hold `key_id`."""
        with self._lock:
            age_s = None if self._fetched_at is None else self.clock() - self._fetched_at
            is_old = age_s is None or age_s > self._max_age_s
            is_lacking = key_id not in self._certs and (age_s is None or age_s > REFETCH_S)
            if is_old or is_lacking:
                self._renew()
            return self._certs

    def _renew(self) -> None:
        failed_at = self._failed_at
        if failed_at is not None and self.clock() - failed_at < FAILED_S:
            raise TemporaryFailure("the certificates of push tokens cannot be had now")
        try:
            body, cache_control = self.fetch()
            self._certs = _certificates(body)
        except TemporaryFailure:
            self._failed_at = self.clock()
            raise
        self._fetched_at = self.clock()
        max_age = _MAX_AGE.search(cache_control)
        self._max_age_s = float(max_age[1]) if max_age else REFETCH_S


def _certificates(body: bytes) -> Mapping[str, str]:
    try:
        certs = json.loads(body)
    except (ValueError, RecursionError):
        certs = None
    if not isinstance(certs, dict):
        raise TemporaryFailure("the certificates of push tokens are not what they should be")
    return {str(key): str(cert) for key, cert in certs.items()}


def _token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or token.count(".") != 2 or not token.isascii():
        raise NotOurs("there is no push token")
    return token.strip()


def _part(token: str, index: int) -> Mapping[str, Any]:
    """The header (0) or the claims (1) of a token, not verified."""
    part = token.split(".")[index]
    try:
        content = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise NotOurs("the push token cannot be read")
    return content


def _check_claims(
    claims: Mapping[str, Any], audience: str, service_account: str, now: float
) -> None:
    if not _number(claims, "iat") - SKEW_S <= now <= _number(claims, "exp") + SKEW_S:
        raise NotOurs("the push token is not valid now")
    if claims.get("aud") != audience:
        raise NotOurs("the push token is for another audience than PUSH_AUDIENCE")
    if claims.get("iss") not in ISSUERS:
        raise NotOurs("the push token is not Google's")
    if claims.get("email_verified") is not True or claims.get("email") != service_account:
        raise NotOurs("the push token is another account's than PUSH_SERVICE_ACCOUNT")


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotOurs(f"the push token has no `{name}`")
    return value
