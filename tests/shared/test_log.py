import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared import log


class Lines:
    """What has been logged, a record a line."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def records(self) -> list[dict[str, Any]]:
        """Those since the last time."""
        out, err = self._capsys.readouterr()
        assert err == ""
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    root, ours = logging.getLogger(), logging.getLogger("afterrun")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield Lines(capsys)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def test_a_record_is_one_line_of_json_with_its_fields(lines: Lines) -> None:
    log.start("INFO")

    log.info("event published", event="wev_1", duration_ms=1.5)

    (record,) = lines.records()
    time = datetime.fromisoformat(record.pop("time"))
    assert time.utcoffset() == timedelta(0)
    assert record == {
        "severity": "INFO",
        "message": "event published",
        "event": "wev_1",
        "duration_ms": 1.5,
    }


@pytest.mark.parametrize(
    ("write", "severity"),
    [(log.info, "INFO"), (log.warning, "WARNING"), (log.error, "ERROR")],
)
def test_the_severity_is_one_that_cloud_logging_knows(
    lines: Lines, write: Any, severity: str
) -> None:
    log.start("INFO")

    write("something happened")

    assert lines.records()[0]["severity"] == severity


def test_what_is_below_the_level_is_left_out(lines: Lines) -> None:
    log.start("INFO")
    log.debug("left out")
    log.start("DEBUG")
    log.debug("told")

    assert [record["message"] for record in lines.records()] == ["told"]


def test_libraries_are_heard_from_warnings_up(lines: Lines) -> None:
    log.start("DEBUG")

    logging.getLogger("library").info("chatter")
    logging.getLogger("library").warning("pool is %s", "full")

    assert [record["message"] for record in lines.records()] == ["pool is full"]


def test_to_start_again_does_not_write_twice(lines: Lines) -> None:
    log.start("INFO")
    log.start("INFO")

    log.info("once")

    assert len(lines.records()) == 1


def test_a_field_without_a_value_is_left_out(lines: Lines) -> None:
    log.start("INFO")

    log.info("event published", run=None, attempt=0)

    (record,) = lines.records()
    assert "run" not in record
    assert record["attempt"] == 0


def test_a_line_break_does_not_make_a_second_line(lines: Lines) -> None:
    log.start("INFO")

    log.info("refused", reason="first\nsecond")

    assert [record["reason"] for record in lines.records()] == ["first\nsecond"]


def test_text_beyond_ascii_stays_readable(lines: Lines) -> None:
    log.start("INFO")

    log.info("refused", reason="Prüfung fehlgeschlagen 🚨")

    assert lines.records()[0]["reason"] == "Prüfung fehlgeschlagen 🚨"


def test_text_that_cannot_be_encoded_does_not_lose_the_record(lines: Lines) -> None:
    log.start("INFO")

    log.info("refused", reason="half a pair: \ud83d")

    assert lines.records()[0]["reason"] == "half a pair: ?"


def test_a_value_that_is_not_json_becomes_text(lines: Lines) -> None:
    log.start("INFO")

    log.info("waiting", for_=timedelta(seconds=5))

    assert lines.records()[0]["for_"] == "0:00:05"


def test_an_exception_is_told_with_its_traceback(lines: Lines) -> None:
    log.start("INFO")

    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("library").exception("crashed")

    (record,) = lines.records()
    assert record["message"] == "crashed"
    assert record["stack_trace"].startswith("Traceback")
    assert record["stack_trace"].endswith("ValueError: boom\n")
