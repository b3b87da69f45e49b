"""What a push says: its body and headers.

Source: https://cloud.google.com/pubsub/docs/push#receive_push
"""

import base64
import json
from datetime import UTC
from typing import Any

from lab.pubsub.backlog import Lease
from lab.pubsub.settings import Push
from lab.pubsub.tokens import Signer


def body(lease: Lease, subscription: str) -> bytes:
    """The wrapped message: ids and times in both spellings, nothing that would be empty."""
    message = lease.message
    data, attributes, ordering_key = message.content
    published_at = message.published_at.astimezone(UTC).isoformat(timespec="milliseconds")
    time = published_at.replace("+00:00", "Z")
    told: dict[str, Any] = {}
    if attributes:
        told["attributes"] = dict(attributes)
    if data:
        told["data"] = base64.b64encode(data).decode()
    told |= {"messageId": message.id, "message_id": message.id}
    told |= {"publishTime": time, "publish_time": time}
    if ordering_key:
        told["orderingKey"] = ordering_key
    wrapped: dict[str, Any] = {"message": told, "subscription": subscription}
    if lease.attempt:
        wrapped["deliveryAttempt"] = lease.attempt
    return json.dumps(wrapped).encode()


def headers(push: Push, signer: Signer) -> dict[str, str]:
    """With a bearer token if the subscription asks for one."""
    told = {"Content-Type": "application/json", "User-Agent": "CloudPubSub-Google"}
    if push.token is not None:
        audience = push.token.audience or push.endpoint
        told["Authorization"] = f"Bearer {signer.token(push.token.account, audience)}"
    return told
