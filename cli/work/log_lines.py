"""Log records as lines that people read on a terminal."""

import json
import logging
from datetime import UTC, datetime

from rich.text import Text

from cli import output

_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


class Lines(logging.Handler):
    """Prints each record: its time in UTC, its text, its fields; coloured on a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            console = output.console()
            # a terminal breaks it at words; for other programs a record stays one line
            console.print(_line(record), soft_wrap=not console.is_terminal)
        except Exception:  # noqa: BLE001 - as every handler: a log never stops what it is about
            self.handleError(record)


def _line(record: logging.LogRecord) -> Text:
    at = output.when(datetime.fromtimestamp(record.created, UTC))
    fields = {key: value for key, value in _fields(record).items() if value is not None}
    said = " ".join(f"{key}={_value(value)}" for key, value in fields.items())
    line = Text(f"{at} ", style="dim")
    if record.levelname in _STYLES:
        line.append(f"{record.levelname.lower()}: ", style=_STYLES[record.levelname])
    line.append(output.shown(record.getMessage()), style="not dim")
    if said:
        line.append(f"  {output.shown(said)}")
    return line


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = dict(getattr(record, "fields", {}))
    if record.exc_info and record.exc_info[0]:
        fields["error"] = record.exc_info[0].__name__
    return fields


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if value and value.isprintable() and " " not in value else json.dumps(value)
    return json.dumps(value, ensure_ascii=False, default=str)
