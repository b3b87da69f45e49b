"""The ledger: whether it is there and ours to use, and whether what is due in it gets done."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cli import output
from cli.deployed import TICK_JOB
from cli.doctor import firestore, left_open, sqlite
from cli.doctor.finding import About, Finding, Group
from cli.doctor.patient import Patient
from cli.doctor.running import Check
from shared.errors import Failure, Mistake
from shared.settings import text
from subscriber.ledger.contract import Kind, Ledger, Work
from subscriber.settings import LedgerSettings, Places
from subscriber.tried import is_refused

OVERDUE = timedelta(minutes=10)
"""Ticks come each minute, and take up what is due: what is older than this tells of none."""
DUE_LIMIT = 200  # pieces of work that are read to count them
ACTIONS_LIMIT = 200


def checks(patient: Patient) -> list[Check]:
    """None for a Firestore that cannot be asked from here."""
    places = patient.places
    if places is None:
        return []
    kept = places.ledger
    if kept.kind == "memory":
        return [_check(kept, lambda: iter([_about(kept).skipped("it is gone with its process")]))]
    if kept.kind == "sqlite":
        return [_check(kept, lambda: _of_sqlite(patient, kept))]
    if is_out_of_reach(patient, places):
        return []
    found = [_check(kept, lambda: _of_firestore(patient, kept))]
    google = patient.google_beside(places.firestore_host)
    if google is not None:
        act = partial(firestore.checked, google, places)
        found.append(Check(Group.LEDGER, "database", act))
    return found


def is_out_of_reach(patient: Patient, places: Places) -> bool:
    """Whether it takes Google credentials to look at it, and there are none."""
    is_google = places.ledger.kind == "firestore" and places.firestore_host is None
    return is_google and patient.google is None


def _check(kept: LedgerSettings, act: Callable[[], Iterator[Finding]]) -> Check:
    return Check(Group.LEDGER, _about(kept).name, act)


def _about(kept: LedgerSettings) -> About:
    return About(Group.LEDGER, kept.kind)


def _of_sqlite(patient: Patient, kept: LedgerSettings) -> Iterator[Finding]:
    about = _about(kept)
    is_named = bool(text(patient.environ, "LEDGER"))
    why = sqlite.why_not(about, Path(kept.where), is_named=is_named)
    if why is not None:
        yield why
    else:
        yield from _within(patient, about, kept)


def _of_firestore(patient: Patient, kept: LedgerSettings) -> Iterator[Finding]:
    yield from _within(patient, _about(kept), kept)


def _within(patient: Patient, about: About, kept: LedgerSettings) -> Iterator[Finding]:
    ledger, now = patient.ledger(), patient.now()
    try:
        ledger.check()
    except (Mistake, Failure) as failure:
        yield about.fails(str(failure).removeprefix("LEDGER: "), "")
        return
    yield about.ok(f"{kept.where}: of the right version, and may be read and written")
    due = About(Group.LEDGER, "what is due")
    yield judged_due(due, ledger.due(now, DUE_LIMIT), now, patient.region, patient.project)
    yield given_up(About(Group.LEDGER, "dead letters"), _actions(ledger, now))
    if patient.configuration is not None:
        yield left_open.found(ledger, set(patient.configuration.destinations), now)


def _actions(ledger: Ledger, now: datetime) -> Sequence[Work]:
    return ledger.recorded(Kind.ACTION, before=now, limit=ACTIONS_LIMIT)


def judged_due(
    about: About, due: Sequence[Work], now: datetime, region: str, project: str
) -> Finding:
    """Whether work is taken up in time, by what is due `now`, the longest due first. Pure."""
    late = [each for each in due if each.due_at is not None and now - each.due_at > OVERDUE]
    if not late:
        return about.ok(f"{_counted(due)} due, none of it for long" if due else "nothing waits")
    longest = late[0].due_at
    since = output.length(now - longest) if longest else "?"
    said = f"{_counted(late)} overdue, the oldest for {since}: ticks do not come, or all fail"
    job = f"gcloud scheduler jobs describe {TICK_JOB} --location={region or 'REGION'}"
    return about.fails(said, f"{job} --project={project}; on a machine of your own: afterrun work")


def given_up(about: About, actions: Sequence[Work]) -> Finding:
    """How much of what was to be done lately was given up for good. Pure."""
    count = sum(is_refused(each) for each in actions)
    of = f"of the last {len(actions)} actions"
    if not count:
        return about.ok(f"none {of}" if actions else "no action has been recorded yet")
    return about.warns(f"{count} {of} were given up for good", "afterrun dead-letters list")


def _counted(work: Sequence[Work]) -> str:
    return f"{len(work)} or more" if len(work) >= DUE_LIMIT else str(len(work))
