"""Which event is meant is found among many, and what is nobody's name is not guessed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli import meant
from cli.events.newest import PAGE
from cli.meant import Source, source
from shared.errors import Mistake, PermanentFailure
from subscriber.ledger.contract import Kind, Work
from subscriber.ledger.memory import MemoryLedger
from tests.builders import a_body


def a_ledger(count: int) -> MemoryLedger:
    """Events that came one after the other: wev_0 of run 0 first."""
    ledger = MemoryLedger()
    begins = datetime.now(UTC) - timedelta(hours=1)
    for n in range(count):
        body = {"event": a_body(event_id=f"wev_{n}", run_id=n).decode()}
        at = begins + timedelta(seconds=n)
        ledger.record(Work(f"1/event/wev_{n}", Kind.EVENT, body, recorded_at=at, due_at=None))
    return ledger


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("-", Source.STDIN),
        ("failed-model", Source.SAMPLE),
        ("70437497968255", Source.RUN),
        ("wev_2L6ZDoilyiWzKkSA59Gmc2d7FDD", Source.RECORD),
        ("sha256-00", Source.RECORD),
        ("1/event/wev_1", Source.RECORD),
    ],
)
def test_a_name_says_what_it_is_the_name_of(name: str, found: Source) -> None:
    assert source(name) is found


def test_a_path_is_a_file_though_a_sample_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("warned").touch()
    Path("77").touch()

    assert source("warned") is Source.SAMPLE
    assert source("./warned") is Source.FILE
    assert source("./77") is Source.FILE


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="there is no file"):
        source(str(tmp_path))


def test_the_oldest_of_many_is_found_by_its_id() -> None:
    ledger = a_ledger(PAGE + 50)

    assert meant.recorded("wev_0", ledger, []).event.run_id == "0"


def test_with_accounts_an_id_is_looked_up_at_once() -> None:
    ledger = a_ledger(1)

    assert meant.recorded("wev_0", ledger, ["2", "1"]).said == "the record 1/event/wev_0"


def test_what_is_not_an_event_is_not_explained() -> None:
    ledger = MemoryLedger()
    now = datetime.now(UTC)
    ledger.record(Work("1/event/x", Kind.ACTION, {}, recorded_at=now, due_at=now))

    with pytest.raises(PermanentFailure, match="has no event 1/event/x"):
        meant.recorded("1/event/x", ledger, [])


def test_what_was_unreadable_cannot_be_explained() -> None:
    ledger = MemoryLedger()
    now = datetime.now(UTC)
    body = {"message_id": "1", "size_bytes": 3}
    ledger.record(Work("1/event/x", Kind.EVENT, body, recorded_at=now, due_at=None))

    with pytest.raises(PermanentFailure, match="unreadable when it came"):
        meant.recorded("1/event/x", ledger, [])


def test_the_latest_event_of_a_run_is_the_one() -> None:
    ledger = a_ledger(9)
    body = {"event": a_body(event_id="wev_later", run_id=5).decode()}
    ledger.record(
        Work("1/event/wev_later", Kind.EVENT, body, recorded_at=datetime.now(UTC), due_at=None)
    )

    found = meant.recorded_run("5", ledger)

    assert found is not None
    assert found.event.id == "wev_later"
    assert meant.recorded_run("99", ledger) is None
    assert meant.recorded_run("5", None) is None
