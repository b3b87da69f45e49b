"""Fields of what dbt Cloud answers: what is not there, or of another type, is empty. Pure."""

from typing import Any


def object_of(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def text_of(fields: object, key: str) -> str:
    value = fields.get(key) if isinstance(fields, dict) else None
    return value if isinstance(value, str) else ""
