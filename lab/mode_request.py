"""What a request to run one of Mode's reports asks for, and what is wrong with one.

Source: https://mode.com/developer/api-reference/analytics/report-runs/
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """`datasets` are those, by their tokens, whose latest run the report is to pull in."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()


def read(content_type: str, body: bytes) -> Asked:
    """What is asked for; without a body, nothing: the report's defaults.

    Raises ValueError, which says what is wrong.
    """
    if not body:
        return Asked()
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise ValueError("The body is not said to be JSON")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON") from None
    parameters = asked.get("parameters", {}) if isinstance(asked, dict) else None
    if not isinstance(parameters, dict):
        raise ValueError("The body and its `parameters` are to be objects")
    return Asked(parameters, _datasets(asked.get("report", {})))


def _datasets(report: Any) -> tuple[str, ...]:
    named = report.get("dataset_tokens", []) if isinstance(report, dict) else None
    if not isinstance(named, list) or not all(map(_is_dataset, named)):
        raise ValueError("`report` is to have `dataset_tokens`, a list of objects with a `token`")
    return tuple(each["token"] for each in named)


def _is_dataset(named: Any) -> bool:
    return isinstance(named, dict) and named.keys() == {"token"} and isinstance(named["token"], str)
