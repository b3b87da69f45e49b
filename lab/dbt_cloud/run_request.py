"""What a request to run a job asks for, and what is wrong with one.

Source: https://docs.getdbt.com/dbt-cloud/api-v2 (Trigger Job Run)
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

CAUSE_LIMIT = 255  # characters


@dataclass(frozen=True)
class Asked:
    """`overrides` are what the run is to do otherwise than the job says, by the API's names."""

    cause: str
    overrides: Mapping[str, Any]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_commands(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_OVERRIDES: Mapping[str, Callable[[object], bool]] = {
    "git_sha": _is_text,
    "git_branch": _is_text,
    "schema_override": _is_text,
    "dbt_version_override": _is_text,
    "target_name_override": _is_text,
    "threads_override": _is_number,
    "timeout_seconds_override": _is_number,
    "generate_docs_override": lambda value: isinstance(value, bool),
    "steps_override": _is_commands,
    "azure_pull_request_id": _is_number,
    "github_pull_request_id": _is_number,
    "gitlab_merge_request_id": _is_number,
    "non_native_pull_request_id": _is_number,
}


def read(content_type: str, body: bytes) -> Asked:
    """What is asked for. Raises ValueError, which says what is wrong, as `user_message` does."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise ValueError("The body is not said to be JSON.")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    if not isinstance(asked, dict):
        raise ValueError("The body is not an object.")
    cause = asked.pop("cause", None)
    if not isinstance(cause, str) or not cause.strip():
        raise ValueError("cause: this field is required and may not be blank.")
    if len(cause) > CAUSE_LIMIT:
        raise ValueError(f"cause: this field has more than {CAUSE_LIMIT} characters.")
    for name, value in asked.items():
        if name not in _OVERRIDES:
            raise ValueError(f"{name}: there is no such field.")
        if not _OVERRIDES[name](value):
            raise ValueError(f"{name}: not a valid value.")
    return Asked(cause, asked)
