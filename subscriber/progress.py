"""Progress: how far a refresh is that was started, as its vendor says."""

from dataclasses import dataclass
from datetime import timedelta

from subscriber.actions import Handle


@dataclass(frozen=True)
class Running:
    """It is not over. `handle` is to be asked with from now on, if another step has begun."""

    handle: Handle | None = None


@dataclass(frozen=True)
class Done:
    """It ended well: what it shows is new."""


@dataclass(frozen=True)
class Failed:
    """It ended otherwise; `reason` says how in a sentence for people, with no secret in it."""

    reason: str


Progress = Running | Done | Failed


@dataclass(frozen=True)
class Looks:
    """How soon a refresh is looked at first, and how far apart the looks come to be."""

    first: timedelta
    most: timedelta
