"""Signing, as dbt Cloud does.

Source: https://docs.getdbt.com/docs/deploy/webhooks#validate-a-webhook
"""

import hashlib
import hmac


def sign(body: bytes, secret: str) -> str:
    """What the header `Authorization` holds: the hex HMAC-SHA256 of the body, and nothing else."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
