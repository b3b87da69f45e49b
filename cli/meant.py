"""Meant: which event somebody means by a file, a sample's name, a run's id or an event's id."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from cli import event_text, sample
from cli.events.newest import newest
from cli.events.search import find
from cli.history import Entry
from shared.errors import Mistake, PermanentFailure
from shared.event import RunEvent
from subscriber.hints import did_you_mean
from subscriber.ledger.contract import Kind, Ledger, Work
from subscriber.run import Answer

FILE_LIMIT_BYTES = 200_000_000
RUNS_LIMIT = 600  # of the newest records that are searched for a run: dbt Cloud has it as well
_EVENT_IDS = ("wev_", "run-", "sha256-")


class Source(StrEnum):
    """Where an event comes from."""

    STDIN = "stdin"
    FILE = "file"
    SAMPLE = "sample"
    RUN = "run"
    RECORD = "record"


@dataclass(frozen=True)
class Meant:
    """The last of `story` is meant; what is before it happens first. `said` names it for people.

    With `is_to_ask`, dbt Cloud has yet to be asked about it. `record` is its work in the ledger.
    """

    source: Source
    said: str
    story: tuple[Entry, ...]
    is_to_ask: bool = False
    record: Work | None = None
    notice: str = ""
    """What to know of it before anything else, for people."""

    @property
    def event(self) -> RunEvent:
        return self.story[-1].event


def source(name: str) -> Source:
    """What `name` is the name of; raises Mistake if it is nobody's.

    What looks like a path is one, though a sample may have the same name.
    """
    if name == "-":
        return Source.STDIN
    if name in sample.names():
        return Source.SAMPLE
    if name.isascii() and name.isdigit():
        return Source.RUN
    if name.startswith(_EVENT_IDS) or "/event/" in name:
        return Source.RECORD
    # a pipe is a file too: what a shell gives for <(...)
    if Path(name).exists() and not Path(name).is_dir():
        return Source.FILE
    if "/" in name or Path(name).suffix:
        raise Mistake(f"there is no file {name}")
    raise Mistake(
        f"`{name}` is no sample and no file{did_you_mean(name, sample.names())}\n"
        "Name a file, a sample, a run's id (digits) or an event's id (wev_...)."
    )


def in_a_file(name: str) -> Meant:
    """The event in the file `name`, or `-`: what is typed or piped in. Raises Mistake."""
    place = "stdin" if name == "-" else name
    try:
        if name == "-":
            text = sys.stdin.buffer.read(FILE_LIMIT_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                text = file.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise Mistake(f"{place} cannot be read: {error.strerror}") from None
    if len(text) > FILE_LIMIT_BYTES:
        raise Mistake(f"{place}: larger than {FILE_LIMIT_BYTES // 1_000_000} MB")
    found = event_text.read(text, place)
    which = Source.STDIN if name == "-" else Source.FILE
    if isinstance(found, bytes):
        return Meant(which, place, (Entry(found, Answer()),), is_to_ask=True)
    return Meant(which, place, tuple(found))


def of_a_sample(name: str) -> Meant:
    return Meant(Source.SAMPLE, f"the sample {name}", tuple(sample.story(name)))


def recorded(name: str, ledger: Ledger | None, accounts: Sequence[str]) -> Meant:
    """The event that the ledger keeps under the key, or with the id, `name`.

    Raises PermanentFailure if it is not there.
    """
    if ledger is None:
        raise Mistake(f"{name} is an event's id, and there is no ledger to look in: see --ledger")
    work = next((work for key in _keys(name, accounts) if (work := ledger.work(key))), None)
    searched = 0
    if work is None and "/event/" not in name:
        search = find(ledger, name, datetime.now(UTC))
        searched, work = search.looked, next(iter(search.found), None)
    if work is None or work.kind is not Kind.EVENT:
        raise PermanentFailure(
            f"the ledger has no event {name}; what was settled is kept for 30 days"
            + (f", and the newest {searched:,} were searched" if searched else "")
        )
    if "event" not in work.body:
        raise PermanentFailure(f"{name} was unreadable when it came: nothing of it was kept")
    return _as_recorded(work)


def recorded_run(run_id: str, ledger: Ledger | None) -> Meant | None:
    """The latest event of that run that came to the ledger, among the newest; None if none did."""
    if ledger is None:
        return None
    found = (
        work
        for work in islice(newest(ledger, Kind.EVENT, datetime.now(UTC)), RUNS_LIMIT)
        if run_id in str(work.body.get("event", ""))
    )
    return next((each for each in map(_as_recorded, found) if each.event.run_id == run_id), None)


def _as_recorded(work: Work) -> Meant:
    story = (Entry(str(work.body["event"]).encode(), Answer()),)
    said = f"the record {work.key}"
    return Meant(Source.RECORD, said, story, is_to_ask=True, record=work)


def _keys(name: str, accounts: Sequence[str]) -> list[str]:
    return [name] if "/event/" in name else [f"{each}/event/{name}" for each in accounts]
