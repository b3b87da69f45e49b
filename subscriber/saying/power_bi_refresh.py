"""A refresh of Power BI that was started: what is kept of it, and which one of a history it is.

A standard refresh has no address of its own, so that it has to be found among all the others.

Source: https://learn.microsoft.com/rest/api/power-bi/datasets/get-refresh-history-in-group
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from shared.errors import PermanentFailure
from subscriber.actions import Handle
from subscriber.outbound import Reply

How = Literal["standard", "enhanced"]

SLACK = timedelta(seconds=30)
"""For the time between a refresh's start and the answer that tells of it."""

_ID = re.compile(r"[0-9A-Za-z-]{1,100}")
_TYPES = {"standard": "ViaApi", "enhanced": "ViaEnhancedApi"}


@dataclass(frozen=True)
class Started:
    """`id` is empty if Power BI did not name the refresh; it did not begin before `since`."""

    how: str
    workspace: str
    dataset: str
    since: datetime
    id: str

    @property
    def key(self) -> str:
        return f"{self.how}/{self.workspace}/{self.dataset}/{self.since.isoformat()}/{self.id}"

    def ours(self, history: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The entry of `history`, the newest first, that is of this refresh, if there is one.

        Where none has its id, the first that began since: one refresh runs at a time.
        """
        entries = list(history)
        for entry in entries:
            if self.id and str(entry.get("requestId")).lower() == self.id.lower():
                return entry
        return next((entry for entry in reversed(entries) if self._may_be(entry)), None)

    def _may_be(self, entry: Mapping[str, Any]) -> bool:
        began_at = _time(entry.get("startTime"))
        is_such = entry.get("refreshType") == _TYPES.get(self.how)
        return is_such and began_at is not None and began_at >= self.since


def started(how: How, workspace: str, dataset: str, reply: Reply, asked_at: datetime) -> Started:
    """What to keep of the refresh that `reply` says has begun, `asked_at` by our clock. Pure."""
    theirs = _date(reply.headers.get("Date"))
    # by either clock: to miss our own refresh would be to wait for it until it is given up
    since = min(asked_at, theirs or asked_at) - SLACK
    return Started(how, workspace, dataset, since.astimezone(UTC), _id(how, reply.headers))


def kept(handle: Handle) -> Started:
    """What `started` was made a handle of. Raises PermanentFailure if it is none."""
    parts = handle.key.split("/")
    since = _time(parts[3]) if len(parts) == 5 else None
    if since is None:
        raise PermanentFailure("what was kept of the refresh is not known here")
    return Started(parts[0], parts[1], parts[2], since, parts[4])


def _id(how: How, headers: Mapping[str, str]) -> str:
    """Of a Location only the id in it is used, so that it leads to no other host."""
    location = headers.get("Location", "").partition("?")[0].rpartition("/")[2]
    named = headers.get("x-ms-request-id", ""), headers.get("RequestId", "")
    places = (location, *named) if how == "enhanced" else named
    return next((place for place in places if _ID.fullmatch(place)), "")


def _date(header: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(header or "")
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _time(told: object) -> datetime | None:
    """Power BI's times are UTC, with a zone and without."""
    try:
        at = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)
