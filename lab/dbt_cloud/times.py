"""Times as each part of dbt Cloud writes them.

Source: https://docs.getdbt.com/docs/deploy/webhooks and https://docs.getdbt.com/dbt-cloud/api-v2
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_DBT_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)(Z|\+00:00)?"')


def admin(time: datetime | None) -> str | None:
    """As the Admin API writes it: 2024-08-30 12:43:34.602258+00:00."""
    return None if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00:00"


def webhook(time: datetime) -> str:
    """As the `data` of a webhook has it, to the second: 2023-01-31T19:28:07Z."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def webhook_precise(time: datetime) -> str:
    """As a webhook's `timestamp`, nine digits of a second: 2023-01-31T19:29:35.789265936Z."""
    nanoseconds = time.microsecond * 1000 + time.microsecond % 999
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"


@lru_cache(maxsize=4096)  # most nodes of a run share most of their times
def discovery(time: str | None) -> str | None:
    """As Discovery writes a time of dbt's, to the millisecond: 2022-12-15T06:37:24.186Z."""
    if time is None:
        return None
    read = datetime.fromisoformat(time)
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    return f"{read.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{read.microsecond // 1000:03}Z"


def duration(length: timedelta | None) -> str:
    """Hours, minutes and seconds: 00:01:23."""
    seconds = int(length.total_seconds()) if length else 0
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def duration_in_words(length: timedelta | None) -> str:
    """For people: "1 minute, 23 seconds"."""
    seconds = int(length.total_seconds()) if length else 0
    parts = ((seconds // 3600, "hour"), (seconds // 60 % 60, "minute"), (seconds % 60, "second"))
    said = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count]
    return ", ".join(said) or "0 seconds"


def shifted(artifact: str, by: timedelta) -> str:
    """The text of an artifact, with every time in it moved: as if dbt had run at another time."""

    def moved(match: re.Match[str]) -> str:
        time = datetime.fromisoformat(match[1]) + by
        return f'"{time:%Y-%m-%dT%H:%M:%S.%f}{match[2] or ""}"'

    return _DBT_TIME.sub(moved, artifact)
