"""What Power BI can be asked when a dataset is to be refreshed, and how it says no.

Source: https://learn.microsoft.com/rest/api/power-bi/datasets/refresh-dataset-in-group
"""

import json
from collections.abc import Mapping
from typing import Any

from lab.power_bi_refresh import Dataset

TYPES = ("Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment")
COMMIT_MODES = ("Transactional", "PartialBatch")
NOTIFY_OPTIONS = ("NoNotification", "MailOnFailure", "MailOnCompletion")


class Refusal(Exception):
    """`code` and the text are what the body says; `retry_after_s` a header, if there is one."""

    def __init__(self, status: int, code: str, text: str, retry_after_s: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


def invalid(text: str) -> Refusal:
    return Refusal(400, "InvalidRequest", f"Invalid dataset refresh request. {text}")


def read(content_type: str, body: bytes) -> dict[str, Any]:
    """What the body asks for, if anything; enumerated words as they are published."""
    if not body:
        return {}
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "UnsupportedMediaType", "The body is not said to be JSON")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "BadRequest", "The body is not JSON") from None
    if not isinstance(asked, dict):
        raise Refusal(400, "BadRequest", "The body is not an object")
    return {key: _value(key, value) for key, value in asked.items()}


def check(asked: Mapping[str, Any], dataset: Dataset) -> None:
    """Raise Refusal unless an app may ask for this of `dataset`."""
    option = asked.get("notifyOption", "NoNotification")
    if option != "NoNotification":
        text = f"Invalid NotifyOption value '{option}' for app only owner requests"
        raise Refusal(400, "InvalidRequest", text)
    if dataset.is_direct_query:
        raise invalid(
            "A model in DirectQuery mode or with a live connection has no data of its own"
        )
    if not is_enhanced(asked):
        return
    if dataset.capacity == "shared":
        raise invalid("Enhanced refresh is not supported on shared capacity")
    if "notifyOption" in asked:
        raise invalid("notifyOption is not supported for enhanced refresh")
    if asked.get("commitMode") == "PartialBatch" and asked.get("applyRefreshPolicy") is not False:
        raise invalid("commitMode PartialBatch needs applyRefreshPolicy false")


def is_enhanced(asked: Mapping[str, Any]) -> bool:
    return bool(asked.keys() - {"notifyOption"})


def _value(key: str, value: Any) -> Any:
    enumerated = {"notifyOption": NOTIFY_OPTIONS, "type": TYPES, "commitMode": COMMIT_MODES}
    if key in enumerated:
        # the published examples write them small, too
        words = {word.lower(): word for word in enumerated[key]}
        if str(value).lower() in words:
            return words[str(value).lower()]
    elif key in ("maxParallelism", "retryCount"):
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    elif key == "applyRefreshPolicy":
        # a published example has it as text
        if isinstance(value, bool) or value in ("true", "false"):
            return value in (True, "true")
    elif key == "objects":
        if isinstance(value, list) and value and all(map(_is_object, value)):
            return value
    elif key in ("effectiveDate", "timeout") and isinstance(value, str):
        return value
    raise invalid(f"The value of {key} is not valid")


def _is_object(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and "table" in value
        and not value.keys() - {"table", "partition"}
        and all(isinstance(name, str) for name in value.values())
    )
