"""Reading what dbt Cloud's webhooks API writes now one way, now another.

Ids are texts or numbers, times are microseconds in a text, what is not there is empty, null or 0.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from subscriber.dbt_cloud.fields import object_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STATUS_DIGITS = 3

_FRACTION = re.compile(r"(\.\d{6})\d+")
_HEADER = re.compile(r"^\s*([A-Za-z0-9-]+)\s*:\s*(.*?)\s*$", re.MULTILINE)


def text(fields: Mapping[str, Any], key: str) -> str:
    """A text, or a number as its digits; empty for null and Python's `None` in words."""
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return "" if value == "None" else str(value).strip()


def texts(fields: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of texts or numbers, as texts."""
    values = fields.get(key)
    listed = values if isinstance(values, list) else []
    return tuple(found for value in listed if (found := text({"": value}, "")))


def status(fields: Mapping[str, Any], key: str) -> int | None:
    """An HTTP status; None where nothing was sent, or nobody answered: "0"."""
    found = text(fields, key)
    is_one = found.isascii() and found.isdigit() and len(found) <= STATUS_DIGITS
    return int(found) or None if is_one else None


def is_on(fields: Mapping[str, Any], key: str) -> bool:
    """A switch, which is on unless it is said to be off."""
    return str(fields.get(key)).lower() not in ("false", "0")


def time(fields: Mapping[str, Any], key: str) -> datetime | None:
    """A time, in UTC: microseconds since 1970, or RFC 3339 with any number of digits; None for
    neither.
    """
    found = text(fields, key)
    try:
        if found.isascii() and found.isdigit():
            return EPOCH + timedelta(microseconds=int(found[:18])) if int(found[:18]) else None
        read = datetime.fromisoformat(_FRACTION.sub(r"\1", found))
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def headers(written: str) -> dict[str, str]:
    """Headers by name in lower case, from an object of texts or of lists, or from lines."""
    try:
        content = json.loads(written)
    except (ValueError, RecursionError):
        return {name.lower(): value for name, value in _HEADER.findall(written)}
    return {
        name.lower(): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in object_of(content).items()
    }
