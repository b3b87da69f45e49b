"""Standard Webhooks as a receiver checks it: who signed a body, and when.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(minutes=5)
KEY_BYTES = range(24, 65)
PREFIX = "whsec_"


class NotAuthentic(Exception):
    """The request is not from who it claims to be from, or not of now."""


def key(secret: str) -> bytes:
    """What a secret written as `whsec_BASE64` signs with. Raises ValueError if it is none."""
    if not secret.startswith(PREFIX):
        raise ValueError("the secret does not begin with whsec_")
    found = _decoded(secret.removeprefix(PREFIX))
    if len(found) not in KEY_BYTES:
        raise ValueError("the secret has less than 24 or more than 64 bytes")
    return found


def verify(headers: Mapping[str, str], body: bytes, secrets: Collection[str], now: datetime) -> str:
    """The id of an authentic request; raises NotAuthentic for any other.

    `headers` have names in lower case. One signature by one of `secrets` suffices: while a secret
    is rotated, a sender signs with both.
    """
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "").split(" ")
    if not webhook_id or not timestamp or signatures == [""]:
        raise NotAuthentic("webhook-id, webhook-timestamp or webhook-signature is missing")
    if "." in webhook_id or not (timestamp.isascii() and timestamp.isdigit()):
        raise NotAuthentic("the id holds a dot, or the timestamp is no whole number of seconds")
    if abs(_at(timestamp) - now) > TOLERANCE:
        raise NotAuthentic("the timestamp is too old or too new")
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    expected = [hmac.new(key(secret), signed, hashlib.sha256).digest() for secret in secrets]
    for signature in signatures:
        version, _, written = signature.partition(",")
        found = _decoded(written) if version == "v1" else b""
        if any(hmac.compare_digest(found, each) for each in expected):
            return webhook_id
    raise NotAuthentic("no signature matches")


def _at(timestamp: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(timestamp[:15]), UTC)
    except (ValueError, OverflowError, OSError):
        raise NotAuthentic("the timestamp is no time") from None


def _decoded(written: str) -> bytes:
    try:
        return base64.b64decode(written, validate=True)
    except binascii.Error:
        return b""
