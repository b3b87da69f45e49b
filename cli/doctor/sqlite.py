"""A ledger's SQLite file: looked at before it is opened, since that would make or change it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from shlex import quote

from cli.doctor.finding import About, Finding

ELSEWHERE = "name the subscriber's ledger: --ledger firestore:PROJECT/DATABASE, or sqlite:PATH"


def why_not(about: About, path: Path, *, is_named: bool) -> Finding | None:
    """What keeps it from being opened as a ledger; None if nothing does.

    `is_named` says that somebody said that it is there.
    """
    if not path.parent.is_dir():
        made = f"mkdir -p {quote(str(path.parent))}"
        return about.fails(f"the folder of {path} does not exist", made)
    if not path.is_file() or not path.stat().st_size:
        said = f"there is no ledger in {path}: no subscriber has run with it"
        return about.fails(said, ELSEWHERE) if is_named else about.skipped(said, ELSEWHERE)
    for place in (path, path.parent):
        if not os.access(place, os.R_OK | os.W_OK):
            may = f"chmod u+rw {quote(str(place))}"
            return about.fails(f"{place} may not be written by this user", may)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as opened:
            (mode,) = opened.execute("PRAGMA journal_mode").fetchone()
    except sqlite3.Error as error:
        return about.fails(f"{path} cannot be read ({error.sqlite_errorname})", ELSEWHERE)
    if mode != "wal":
        return about.fails(f"the journal of {path} is in the mode {mode}, not WAL", ELSEWHERE)
    return None
