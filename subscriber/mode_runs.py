"""Runs of Mode's reports and datasets: where each is, and how it ended, as Mode tells it. Pure.

Source: https://mode.com/developer/api-reference/analytics/report-runs/
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from shared.errors import PermanentFailure
from subscriber.outbound import Reply

_PATH = re.compile(r"/api/[!-~]{1,500}")
_BAD = ("failed", "cancelled")


class State(Enum):
    ON_ITS_WAY = "on its way"
    GOOD = "good"
    TO_BE_LOOKED_INTO = "to be looked into"
    """It ended, and only its parts can say whether well."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Stage:
    """A run of a refresh: of the report, or of one of the datasets that come before it.

    `path` is where it is found, below the base URL. `ran` are the datasets, by their tokens, that
    were run up to now, the one of this run included; `left` are those still to be run. Both are
    empty for a run of the report: that is the last stage.
    """

    path: str
    ran: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def dataset(self) -> str:
        """The dataset that is run; empty where it is the report."""
        return self.ran[-1] if self.ran else ""

    def key(self) -> str:
        """As a handle keeps it; see `stage`."""
        if not self.ran:
            return self.path
        return json.dumps([self.path, self.ran, self.left], separators=(",", ":"))


def stage(key: str) -> Stage:
    """The stage that a handle keeps as `key`. Raises PermanentFailure if it keeps none."""
    path, ran, left = _read(key) if key.startswith("[") else (key, [], [])
    if not _is_path(path):
        raise PermanentFailure("Mode did not say which run it began: look for it in Mode")
    return Stage(path, tuple(ran), tuple(left))


def path(told: Reply, link: str, base_url: str, otherwise: str) -> str:
    """Where `told` says in `link` that something is, below `base_url`.

    `otherwise` if it leads to another host, which gets no credentials, or nowhere.
    """
    href = told.text("_links", link, "href")
    try:
        parts, base = urlsplit(href), urlsplit(base_url)
    except ValueError:
        return otherwise
    if not parts.scheme and not parts.netloc:
        return parts.path if _is_path(parts.path) else otherwise
    if (parts.scheme, parts.netloc) != (base.scheme, base.netloc):
        return otherwise
    below = parts.path.removeprefix(base.path)
    return below if _is_path(below) else otherwise


def state(run: Any) -> State:
    """How far a run of a report or a dataset is, without a look at its queries."""
    said, python = _text(run, "state"), _text(run, "python_state")
    match said:
        case "pending" | "enqueued" | "running_notebook":
            return State.ON_ITS_WAY
        case "succeeded":
            return State.GOOD
        case "completed" if python == "failed":
            return State.FAILED
        case "completed" if python in ("pending", "submitted"):
            return State.ON_ITS_WAY
        # no page says what sets it apart from `succeeded`
        case "completed":
            return State.TO_BE_LOOKED_INTO
        case "failed":
            return State.FAILED
        case "cancelled":
            return State.CANCELLED
    return State.UNKNOWN if _text(run, "completed_at") else State.ON_ITS_WAY


def notebook_failed(run: Any) -> bool:
    return _text(run, "python_state") == "failed"


@dataclass(frozen=True)
class BadQuery:
    """A query of a run that did not end well, and what Mode says of it."""

    name: str
    error: str


def bad_queries(listed: Any) -> list[BadQuery]:
    """The queries of a run that failed or were cancelled, in Mode's order."""
    embedded = listed.get("_embedded") if isinstance(listed, dict) else None
    runs = embedded.get("query_runs") if isinstance(embedded, dict) else None
    found: Iterable[Any] = runs if isinstance(runs, list) else ()
    return [
        BadQuery(_text(each, "query_name"), _text(each, "error_message"))
        for each in found
        if _text(each, "state") in _BAD
    ]


def _read(key: str) -> tuple[str, list[str], list[str]]:
    try:
        where, ran, left = json.loads(key)
    except (ValueError, TypeError):
        return "", [], []
    lists = isinstance(ran, list) and isinstance(left, list) and bool(ran)
    if not isinstance(where, str) or not lists:
        return "", [], []
    return where, ran, left


def _is_path(value: str) -> bool:
    return _PATH.fullmatch(value) is not None and ".." not in value.split("/")


def _text(fields: Any, key: str) -> str:
    value = fields.get(key) if isinstance(fields, dict) else None
    return value if isinstance(value, str) else ""
