import logging
from collections.abc import Iterator

import pytest

from cli.work.log_lines import Lines
from shared import log


@pytest.fixture(autouse=True)
def _started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLUMNS", "80")
    root, ours = logging.getLogger(), logging.getLogger("afterrun")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    log.start("INFO", Lines())
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines, each without its time."""
    out, err = capsys.readouterr()
    assert err == ""
    return [line[len("2026-11-29 16:20:06 ") :] for line in out.splitlines()]


def test_a_record_is_a_line_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("event recorded", event="wev_1", run="17", attempt=2, nothing=None)

    assert said(capsys) == ["event recorded  event=wev_1 run=17 attempt=2"]


def test_what_a_person_should_look_at_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    log.warning("not pulling", reason="no answer")
    log.error("unreadable message")

    assert said(capsys) == [
        'warning: not pulling  reason="no answer"',
        "error: unreadable message",
    ]


def test_lists_and_objects_stay_readable(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("working", destinations=["oncall", "später"])

    assert said(capsys) == ['working  destinations=["oncall", "später"]']


def test_a_long_record_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("decided", reasons="x" * 500)

    assert len(said(capsys)) == 1


def test_what_others_wrote_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("failed", reason="a\x1b[2Jb\nc")

    (line,) = said(capsys)
    assert "\x1b" not in line


def test_an_exception_of_a_library_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logging.getLogger("a library").exception("went wrong")

    assert said(capsys) == ["error: went wrong  error=ZeroDivisionError"]
