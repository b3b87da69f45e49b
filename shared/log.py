"""Logs: one JSON line a record on standard output, in the fields Cloud Logging knows.

The text of a record is constant; what varies goes into its fields. No secret, header or body.

Source: https://cloud.google.com/logging/docs/structured-logging
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

_OURS = logging.getLogger("afterrun")


def start(level: str, handler: logging.Handler | None = None) -> None:
    """Send all records of this process to `handler`; to standard output, a line of JSON each,
    unless there is one. Safe to repeat.

    Ours go out from `level` up, those of libraries from WARNING up.
    """
    if handler is None:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonLine())
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(logging.WARNING)
    _OURS.setLevel(level)


def debug(text: str, **fields: object) -> None:
    _OURS.debug(text, extra={"fields": fields})


def info(text: str, **fields: object) -> None:
    _OURS.info(text, extra={"fields": fields})


def warning(text: str, **fields: object) -> None:
    """Something failed that will be tried again, or looks wrong but does no harm."""
    _OURS.warning(text, extra={"fields": fields})


def error(text: str, **fields: object) -> None:
    """A person should look."""
    _OURS.error(text, extra={"fields": fields})


def bug(text: str, error: Exception, **fields: object) -> None:
    """A mistake of ours. What `error` says is left out: it may quote anything."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    _OURS.error(text, extra={"fields": {"error": type(error).__name__, "where": where, **fields}})


class JsonLine(logging.Formatter):
    """A record as one line of JSON; values that are not JSON become text."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        line |= {
            key: value for key, value in getattr(record, "fields", {}).items() if value is not None
        }
        if record.exc_info:
            line["stack_trace"] = "".join(traceback.format_exception(*record.exc_info))
        text = json.dumps(line, ensure_ascii=False, default=str)
        # half a surrogate pair cannot be written, and its record would be lost
        return text.encode("utf-8", "replace").decode("utf-8")
