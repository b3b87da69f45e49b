"""What a request tells Slack: read as JSON, and checked."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lab import slack_blocks
from lab.slack_message import TEXT_LIMIT, Said
from lab.slack_refusal import Refusal, because


def read(content_type: str, body: bytes) -> dict[str, Any]:
    """The arguments in `body`; null is taken for absent. Raises Refusal if there are none."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal("invalid_post_type")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal("invalid_json") from None
    if not isinstance(told, dict):
        raise Refusal("json_not_object")
    return {key: value for key, value in told.items() if value is not None}


def named(told: Mapping[str, Any], name: str) -> str:
    """The argument `name`. Raises Refusal if it is not there, or is no text."""
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise because("invalid_arguments", f"missing required field: {name}")
    return value


def said(told: Mapping[str, Any], at: datetime, before: Said | None = None) -> Said:
    """What a message is to say. An edit of what was `before` leaves blocks it does not name.

    Raises Refusal if it is not as Slack wants it.
    """
    text, blocks = told.get("text", ""), told.get("blocks")
    if blocks is None:
        blocks = list(before.blocks) if before else []
    if not isinstance(text, str):
        raise because("invalid_arguments", "must be a string [json-pointer:/text]")
    if not slack_blocks.are_blocks(blocks):
        raise Refusal("invalid_blocks_format")
    if not text and not blocks:
        raise Refusal("no_text")
    if errors := list(slack_blocks.errors(blocks)):
        raise because("invalid_blocks", *errors)
    if slack_blocks.size_bytes(blocks) > slack_blocks.SIZE_LIMIT_BYTES:
        raise Refusal("msg_blocks_too_long")
    return Said(at, text[:TEXT_LIMIT], tuple(blocks))
