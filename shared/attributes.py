"""Attributes of a Pub/Sub message: how long a value may be.

Source: https://cloud.google.com/pubsub/quotas#resource_limits
"""

VALUE_LIMIT_BYTES = 1_024  # of UTF-8; one that is longer fails every message of its request


def cut(text: str, limit_bytes: int = VALUE_LIMIT_BYTES) -> str:
    """`text`, or as many of its first characters as take at most `limit_bytes` of UTF-8."""
    if text.isascii():
        return text[:limit_bytes]
    # half a surrogate pair is no character, and cannot be sent
    return text.encode("utf-8", "replace")[:limit_bytes].decode("utf-8", "ignore")
