"""A dead letter: of which sort it is, what it names, and why it is one. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.attributes import VALUE_LIMIT_BYTES

_FORWARDED = "CloudPubSubDeadLetterSource"
_LONGEST_CHARACTER_BYTES = 4


class Sort(StrEnum):
    ACTION = "action"
    """An action that its destination refused for good; `key` is the action's."""
    EVENT = "event"
    """An event that could not be decided on; `key` is the event's."""
    UNREADABLE = "unreadable"
    """A message that tells of no event: marked so by the receiver, or not ours."""
    UNDELIVERED = "undelivered"
    """A message that Pub/Sub forwarded by itself: no subscriber took it."""


_NAMES_WORK = (Sort.ACTION, Sort.EVENT)


@dataclass(frozen=True)
class Message:
    """A message as the dead-letter subscription holds it; `lease` gives it back, or takes it away.

    `published_at` is when it became a dead letter.
    """

    id: str
    published_at: datetime
    data: bytes
    attributes: Mapping[str, str]
    lease: str = ""


@dataclass(frozen=True)
class DeadLetter:
    """What a list shows. Not the data: it may hold what nobody would print in a list.

    `key` names what is due again after a replay; for a message that is published again, it is the
    id of its event, or empty.
    """

    id: str
    published_at: datetime
    sort: Sort
    key: str
    reason: str
    attributes: Mapping[str, str]
    size_bytes: int

    @property
    def names_work(self) -> bool:
        """Whether it names work of the ledger, which can be reopened."""
        return self.sort in _NAMES_WORK


def read(message: Message) -> DeadLetter:
    """What `message` is. Anything at all is a dead letter: what names no work is unreadable."""
    sort = _sort(message.attributes)
    return DeadLetter(
        id=message.id,
        published_at=message.published_at,
        sort=sort,
        key=_key(sort, message),
        reason=_reason(sort, message.attributes),
        attributes=message.attributes,
        size_bytes=len(message.data),
    )


def _sort(attributes: Mapping[str, str]) -> Sort:
    # this is looked at first: whatever the message says of itself, nobody has dealt with it
    if f"{_FORWARDED}Subscription" in attributes:
        return Sort.UNDELIVERED
    for sort in _NAMES_WORK:
        # an event as the receiver publishes it has `content=event` too, but no key of ours
        if attributes.get("content") == sort and attributes.get(sort):
            return sort
    return Sort.UNREADABLE


def _key(sort: Sort, message: Message) -> str:
    if sort not in _NAMES_WORK:
        return message.attributes.get("event_id", "")
    named = message.attributes[sort]
    if sort is Sort.ACTION and len(named.encode()) > VALUE_LIMIT_BYTES - _LONGEST_CHARACTER_BYTES:
        return _uncut(named, message.data)
    return named


def _uncut(cut_key: str, data: bytes) -> str:
    """The whole key of an action, from its body: an attribute holds its beginning only."""
    try:
        key = json.loads(data)["key"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return cut_key
    return key if isinstance(key, str) and key.startswith(cut_key) else cut_key


def _reason(sort: Sort, attributes: Mapping[str, str]) -> str:
    if sort is not Sort.UNDELIVERED:
        return attributes.get("reason", "")
    source = attributes[f"{_FORWARDED}Subscription"]
    times = attributes.get(f"{_FORWARDED}DeliveryCount", "many")
    return f"{source} gave up after {times} deliveries: no subscriber took it"
