"""Durations as people write them: 90s, 10m, 24h, 7d."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

_WRITTEN = re.compile(r"([0-9]{1,7})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse(value: Any) -> timedelta:
    """The duration that `value` writes down; raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    found = _WRITTEN.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        raise ValueError("write a duration, such as 90s, 10m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def said(duration: timedelta) -> str:
    """`duration` for people, in the one or two units that say most: `2 d 3 h`, `45 min`."""
    seconds = max(int(duration.total_seconds()), 0)
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((i for i, (count, _) in enumerate(parts) if count), 3)
    shown = [part for part in parts[first : first + 2] if part[0]] or [(0, "s")]
    return " ".join(f"{count} {unit}" for count, unit in shown)


_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*(?=0*[1-9])[0-9]{1,7}\s*[smhd]\s*$",
    "description": "a duration, such as 90s, 10m, 24h or 7d",
}

Duration = Annotated[timedelta, PlainValidator(parse), WithJsonSchema(_SCHEMA)]
