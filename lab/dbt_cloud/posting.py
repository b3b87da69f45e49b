"""One request as dbt Cloud posts it: a signed body, no redirects, ten seconds for the answer.

Source: https://docs.getdbt.com/docs/deploy/webhooks
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import requests

TIMEOUT_S = 10.0
KEPT_BYTES = 4_096  # of an answer


@dataclass(frozen=True)
class Posted:
    """What was sent and what came back; `status` is None without an answer, and `error` says why.

    `headers` are those of the request.
    """

    status: int | None
    headers: Mapping[str, str]
    body: str = ""
    error: str = ""

    @property
    def was_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def sign(body: bytes, secret: str) -> str:
    """The value of the header `Authorization`: hex HMAC-SHA256 of the raw body, no prefix."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(url: str, body: bytes, signature: str | None, timeout_s: float = TIMEOUT_S) -> Posted:
    """Post `body` once; without a signature the header is left out."""
    headers = {"Content-Type": "application/json"}
    if signature is not None:
        headers["Authorization"] = signature
    try:
        with requests.Session() as session:
            # a login from a netrc file would replace the signature
            session.trust_env = False
            answer = session.post(
                url, data=body, headers=headers, timeout=timeout_s, allow_redirects=False
            )
        return Posted(answer.status_code, headers, answer.text[:KEPT_BYTES])
    except requests.Timeout:
        return Posted(None, headers, error="context deadline exceeded")
    except requests.RequestException as error:
        return Posted(None, headers, error=type(error).__name__)
