"""Certificates of push tokens: fetched where PUSH_CERTS_URL says.

Source: https://cloud.google.com/docs/authentication/token-types#id
"""

import requests

from shared.errors import TemporaryFailure

TIMEOUT_S = 5.0


def fetch(url: str) -> tuple[bytes, str]:
    """The answer's body and its Cache-Control header. Raises TemporaryFailure. Safe to repeat."""
    try:
        with requests.get(url, timeout=TIMEOUT_S, allow_redirects=False) as answer:
            if answer.status_code != 200:
                raise TemporaryFailure(f"certificates of push tokens: {answer.status_code}")
            return answer.content, answer.headers.get("Cache-Control", "")
    except requests.RequestException as error:
        raise TemporaryFailure(f"certificates of push tokens: {type(error).__name__}") from None
