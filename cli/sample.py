"""Samples: what dbt Cloud tells of runs that went in each way that matters, to try things with.

Each is a history of its own in `samples/`, made from what real dbt wrote once; see
`tests/cli/samples.py`. No network and no account is needed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

from cli import history
from cli.history import Entry
from shared.errors import Mistake
from subscriber.hints import did_you_mean

SUFFIX = ".jsonl"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_TIMES = ("runStartedAt", "runFinishedAt", "runErroredAt")

ABOUT: Mapping[str, str] = {
    "failed-model": "a model has a database error; 11 nodes after it are skipped",
    "failed-test": "a test finds two rows; 3 nodes after it are skipped",
    "failed-seed": "a seed cannot be loaded; 16 nodes after it are skipped",
    "failed-many": "45 models fail with the same error",
    "failed-ci": "the model fails in a run that tests a pull request",
    "compile-error": "the project does not compile; no node ran",
    "clone-failure": "the repository cannot be cloned; only `errored` is sent",
    "freshness": "a source is too old, and the run ends there",
    "freshness-warned": "a source is too old, and the run goes on and ends well",
    "changed": "the job fails again a night later, at other nodes",
    "warned": "a test with `severity: warn` finds two rows; the run ends well",
    "succeeded": "all is well",
    "recovered": "all is well, a night after a model failed",
    "started": "a run begins",
    "cancelled": "somebody cancelled the run",
    "test-endpoint": 'dbt Cloud\'s button "Test endpoint": an account that does not exist',
}
"""What happens in each, for people, in the order in which they are listed."""


def names() -> list[str]:
    return list(ABOUT)


def load(name: str) -> Entry:
    """The event of that name, with dbt Cloud's answer. Raises Mistake for another name."""
    return story(name)[-1]


def story(name: str) -> Sequence[Entry]:
    """The same, after the events that came before it, if it is about what follows from them."""
    if name not in ABOUT:
        raise Mistake(f"there is no sample `{name}`{did_you_mean(name, names())}")
    file = files("cli") / "samples" / f"{name}{SUFFIX}"
    return [history.parsed(text, f"sample {name}") for text in file.read_bytes().splitlines()]


def time_of(entry: Entry) -> datetime:
    """When the event was told; long ago if it does not say."""
    return entry.told_at or LONG_AGO


def changed(
    entry: Entry,
    by: timedelta = timedelta(0),
    *,
    account: str = "",
    data: Mapping[str, str | int] | None = None,
) -> Entry:
    """`entry` at another time, of another account, with other fields of `data`, as a webhook has
    them; what dbt Cloud answers of it stays.
    """
    told = json.loads(entry.body)
    told["data"] |= data or {}
    if account:
        told["accountId"] = int(account)
    for fields, name in [(told, "timestamp"), *((told["data"], name) for name in _TIMES)]:
        if name in fields:
            time = datetime.fromisoformat(fields[name]) + by
            fields[name] = time.isoformat().replace("+00:00", "Z")
    return replace(entry, body=json.dumps(told).encode())
