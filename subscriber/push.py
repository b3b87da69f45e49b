"""Push: what Pub/Sub delivers over HTTP, directly or through Eventarc.

Sources: https://cloud.google.com/pubsub/docs/push,
https://cloud.google.com/eventarc/docs/cloudevents
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import PermanentFailure

SIZE_LIMIT_BYTES = 15_000_000  # 10 MB of data, which base64 makes a third larger


class NotAPush(PermanentFailure):
    """The request is none that Pub/Sub sends."""


@dataclass(frozen=True)
class Delivered:
    """A Pub/Sub message as it was delivered. `attempt` is 0 where no dead letters are counted."""

    id: str
    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 0


def read(body: bytes, content_type: str) -> Delivered:
    """The message in a push request's body.

    Takes a raw push, a binary CloudEvent (the body is the same) and a structured one (the push is
    its `data`). A message without data is a message. Raises NotAPush for anything else.
    """
    if len(body) > SIZE_LIMIT_BYTES:
        raise NotAPush("the body is larger than any push")
    push = _object(body)
    if content_type.partition(";")[0].strip().lower() == "application/cloudevents+json":
        data = push.get("data")
        push = data if isinstance(data, dict) else {}
    message = push.get("message")
    if not isinstance(message, dict):
        raise NotAPush("the body is no Pub/Sub push: it holds no `message`")
    attributes = message.get("attributes")
    attempt = push.get("deliveryAttempt")
    return Delivered(
        id=_text(message, "messageId") or _text(message, "message_id"),
        data=_data(message.get("data")),
        attributes={
            str(name): value
            for name, value in (attributes if isinstance(attributes, dict) else {}).items()
            if isinstance(value, str)
        },
        attempt=attempt if type(attempt) is int else 0,
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise NotAPush("the body is not JSON") from None
    if not isinstance(content, dict):
        raise NotAPush("the body is not a JSON object")
    return content


def _data(data: Any) -> bytes:
    if data is None:
        return b""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise NotAPush("`message.data` is not base64") from None


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""
