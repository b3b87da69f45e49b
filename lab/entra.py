"""Microsoft Entra's token endpoint, for an app that signs in with a secret.

Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs

LASTS = timedelta(seconds=3_599)
SCOPE = "https://analysis.windows.net/powerbi/api/.default"
FORM = "application/x-www-form-urlencoded"


class SignInRefused(Exception):
    """`code` is the number after AADSTS."""

    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.error = error
        self.code = code

    def told(self, now: datetime) -> dict[str, Any]:
        trace_id, correlation_id = str(uuid.uuid4()), str(uuid.uuid4())
        time = f"{now:%Y-%m-%d %H:%M:%SZ}"
        description = (
            f"AADSTS{self.code}: {self} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {time}"
        )
        return {
            "error": self.error,
            "error_description": description,
            "error_codes": [self.code],
            "timestamp": time,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }


@dataclass
class Entra:
    """Gives the app `client_id` of `tenant` tokens that last for `LASTS`."""

    tenant: str
    client_id: str
    client_secret: str
    clock: Callable[[], datetime]
    secret_has_expired: bool = False
    tokens: list[str] = field(default_factory=list, repr=False)
    _until: dict[str, datetime] = field(default_factory=dict, init=False, repr=False)

    def give(self, tenant: str, content_type: str, body: bytes) -> dict[str, Any]:
        """A token, as it is answered. Raises SignInRefused."""
        if tenant != self.tenant:
            raise SignInRefused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        form = _form(content_type, body)
        if form["grant_type"] != "client_credentials":
            raise SignInRefused(
                400, "unsupported_grant_type", 70003, "This grant type is not supported."
            )
        if form["client_id"] != self.client_id:
            text = f"Application with identifier '{form['client_id']}' was not found."
            raise SignInRefused(400, "unauthorized_client", 700016, text)
        if form["scope"] != SCOPE:
            text = f"The scope '{form['scope']}' is not valid."
            raise SignInRefused(400, "invalid_scope", 70011, text)
        if not compare_digest(form["client_secret"].encode(), self.client_secret.encode()):
            raise SignInRefused(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if self.secret_has_expired:
            text = f"The provided client secret keys for app '{self.client_id}' are expired."
            raise SignInRefused(401, "invalid_client", 7000222, text)
        return self._token()

    def knows(self, authorization: str) -> bool:
        """Whether this header shows a token that is valid now."""
        scheme, _, token = authorization.partition(" ")
        until = self._until.get(token)
        return scheme.lower() == "bearer" and until is not None and self.clock() < until

    def revoke(self) -> None:
        """No token that was given is valid any longer."""
        self._until.clear()

    def _token(self) -> dict[str, Any]:
        token = f"eyJ0.{secrets.token_urlsafe(48)}"
        self.tokens.append(token)
        self._until[token] = self.clock() + LASTS
        lasts_s = int(LASTS.total_seconds())
        return {
            "token_type": "Bearer",
            "expires_in": lasts_s,
            "ext_expires_in": lasts_s,
            "access_token": token,
        }


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The four fields of the form. Raises SignInRefused if one is missing."""
    is_form = content_type.partition(";")[0].strip().lower() == FORM
    fields = parse_qs(body.decode("utf-8", "replace")) if is_form else {}
    form = {name: values[0] for name, values in fields.items()}
    for name in ("grant_type", "client_id", "scope", "client_secret"):
        if name not in form:
            # a missing secret has a number of its own
            code = 7000218 if name == "client_secret" else 900144
            text = f"The request body must contain the following parameter: '{name}'."
            status, error = (401, "invalid_client") if code == 7000218 else (400, "invalid_request")
            raise SignInRefused(status, error, code, text)
    return form
