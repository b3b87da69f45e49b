"""Standard Webhooks: how a receiver knows that a webhook is ours, of now, and not a second one.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.errors import PermanentFailure

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
ID_LIMIT = 200  # characters; the standard names no limit, whoever stores the id has one

_OTHER = re.compile(r"[^A-Za-z0-9/_-]")


def signing_key(secret: str, name: str) -> bytes:
    """The bytes that `secret`, kept for the field `name`, signs with.

    Raises PermanentFailure, which shows nothing of it, unless it is `whsec_` and base64 of 24 to 64
    bytes. Padding may be missing.
    """
    encoded = secret.strip().removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.strip().startswith(PREFIX) or len(key) not in KEY_BYTES:
        raise PermanentFailure(
            f"{name}: what is kept there is no signing secret, which is {PREFIX} and the base64 of "
            "24 to 64 bytes; copy it from the receiver, or make one for both sides with "
            '`echo "whsec_$(openssl rand -base64 32)"`'
        )
    return key


def signed(body: bytes, message_id: str, at: datetime, keys: Sequence[bytes]) -> Mapping[str, str]:
    """The headers that go with exactly these bytes, sent at `at`: a signature for each of `keys`.

    A receiver takes it if one of them matches, so a secret is rotated by signing with both.
    """
    timestamp = str(int(at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in digests),
    }


def message_id(key: str) -> str:
    """The id of what is told under `key`: the same at every try, another for any other key.

    ASCII without a dot: letters, digits, `/`, `_` and `-` stay, anything else is `~` and its bytes
    in hex; hashed where that is longer than ID_LIMIT.
    """
    safe = _OTHER.sub(lambda found: _hex(found[0]), key)
    if len(safe) <= ID_LIMIT:
        return safe
    return "sha256/" + hashlib.sha256(safe.encode()).hexdigest()


def _hex(letter: str) -> str:
    return "".join(f"~{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
