"""A subscription as callers describe it: filled with the defaults of the real service, and updated.

Source: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#subscription
"""

from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1.types import pubsub

from lab.pubsub.refusals import invalid

Described = Any
"""A google.pubsub.v1.Subscription, the bare protobuf message."""

ACK_DEADLINE_S = 10
RETENTION_S = 7 * 86_400
EXPIRATION_S = 31 * 86_400
SHORTEST_RETRY_DELAY_S = 10
LONGEST_RETRY_DELAY_S = 600
DELIVERY_ATTEMPTS = 5

MUTABLE = frozenset(
    {
        "ack_deadline_seconds",
        "dead_letter_policy",
        "enable_exactly_once_delivery",
        "expiration_policy",
        "labels",
        "message_retention_duration",
        "push_config",
        "retain_acked_messages",
        "retry_policy",
    }
)

_ACTIVE = 1


def complete(described: Described) -> None:
    """Fill in the defaults of the real service, in place."""
    described.ack_deadline_seconds = described.ack_deadline_seconds or ACK_DEADLINE_S
    _default(described, "message_retention_duration", RETENTION_S)
    if not described.HasField("expiration_policy"):
        described.expiration_policy.ttl.CopyFrom(Duration(seconds=EXPIRATION_S))
    if described.HasField("retry_policy"):
        _default(described.retry_policy, "minimum_backoff", SHORTEST_RETRY_DELAY_S)
        _default(described.retry_policy, "maximum_backoff", LONGEST_RETRY_DELAY_S)
    if described.HasField("dead_letter_policy"):
        policy = described.dead_letter_policy
        policy.max_delivery_attempts = policy.max_delivery_attempts or DELIVERY_ATTEMPTS
    described.push_config.SetInParent()
    described.state = _ACTIVE


def updated(before: Described, wanted: Described, mask: FieldMask) -> Described:
    """A copy of `before` with the fields that `mask` names as they are in `wanted`.

    Raises Refused for a mask that is empty or names what cannot be changed.
    """
    if not mask.paths:
        raise invalid("The update_mask must be set, and must contain a non-empty paths list.")
    for path in mask.paths:
        if path.partition(".")[0] not in MUTABLE:
            raise invalid(f"Invalid update_mask: the '{path}' field is not mutable.")
    after = pubsub.Subscription.pb()()
    after.CopyFrom(before)
    try:
        mask.MergeMessage(wanted, after, True, True)  # noqa: FBT003 (messages and lists are replaced)
    except ValueError as error:
        raise invalid(f"Invalid update_mask: {error}") from None
    complete(after)
    return after


def _default(message: Described, field: str, seconds: int) -> None:
    if not message.HasField(field):
        getattr(message, field).CopyFrom(Duration(seconds=seconds))
