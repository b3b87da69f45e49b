"""What PagerDuty accepts as an event, and its words for what it does not.

Texts that end in `characters)`, `Invalid routing key` and the one about severity have been seen;
the others are in their manner.

Source: https://developer.pagerduty.com/docs/send-alert-event,
https://developer.pagerduty.com/docs/send-change-event
"""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

BODY_LIMIT_BYTES = 512_000  # "512 KB", in the smaller of its two readings
KEY_LENGTH = 32
RULESET = "R"
"""A key that begins so belongs to a ruleset or an orchestration: they take no change events."""
DEDUP_KEY_LIMIT = 255
SUMMARY_LIMIT = 1024
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "warning", "error", "info")


def read(content_type: str, body: bytes) -> dict[str, Any] | None:
    """The JSON object that `body` is, or None; forms and the like are not understood."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def errors(event: Mapping[str, Any], routing_keys: Collection[str]) -> Iterator[str]:
    """What is wrong with `event`, in PagerDuty's words; `routing_keys` are those it has given out.

    To acknowledge or resolve takes the keys and the action only: what comes with them is ignored.
    """
    yield from _errors_in_routing_key(event.get("routing_key"), routing_keys)
    action, dedup_key = event.get("event_action"), event.get("dedup_key", "")
    if action not in ACTIONS:
        yield _not_one_of("event_action", ACTIONS)
    if not isinstance(dedup_key, str):
        yield "'dedup_key' is invalid (must be a string)"
    elif len(dedup_key) > DEDUP_KEY_LIMIT:
        yield f"'dedup_key' is too long (maiximum is {DEDUP_KEY_LIMIT} characters)"
    elif not dedup_key and action in ("acknowledge", "resolve"):
        yield "'dedup_key' is missing or blank"
    if action == "trigger":
        yield from _errors_in_payload(event.get("payload"))
        yield from _errors_in_extras(event)


def errors_in_change(event: Mapping[str, Any], routing_keys: Collection[str]) -> Iterator[str]:
    """What is wrong with `event` as a change event, which has no action, key or severity."""
    key = event.get("routing_key")
    found = list(_errors_in_routing_key(key, routing_keys))
    yield from found
    if not found and str(key).startswith(RULESET):
        yield "Invalid routing key"
    payload = event.get("payload")
    if not payload or not isinstance(payload, dict):
        yield "'payload' is missing or blank"
    else:
        yield from _errors_in_summary(payload)
        if not isinstance(payload.get("source", ""), str):
            yield "'payload.source' is invalid (must be a string)"
        yield from _errors_in_time_and_details(payload)
    yield from _errors_in_list(event, "links", ("href", "text"))
    yield from _errors_in_list(event, "images", ("src", "href", "alt"))


def _errors_in_routing_key(key: object, known: Collection[str]) -> Iterator[str]:
    if not isinstance(key, str) or not key.strip():
        yield "'routing_key' is missing or blank"
    elif len(key) != KEY_LENGTH:
        yield f"Length of 'routing_key' is incorrect (should be {KEY_LENGTH} characters)"
    elif key not in known:
        yield "Invalid routing key"


def _errors_in_payload(payload: object) -> Iterator[str]:
    if not payload or not isinstance(payload, dict):
        yield "'payload' is missing or blank"
        return
    yield from _errors_in_summary(payload)
    if _is_blank(payload.get("source")):
        yield "'payload.source' is missing or blank"
    if payload.get("severity") not in SEVERITIES:
        yield _not_one_of("payload.severity", SEVERITIES)
    for name in ("component", "group", "class"):
        if not isinstance(payload.get(name, ""), str):
            yield f"'payload.{name}' is invalid (must be a string)"
    yield from _errors_in_time_and_details(payload)


def _errors_in_summary(payload: Mapping[str, Any]) -> Iterator[str]:
    if _is_blank(payload.get("summary")):
        yield "'payload.summary' is missing or blank"
    if len(str(payload.get("summary"))) > SUMMARY_LIMIT:
        yield f"'summary' is too long (maiximum is {SUMMARY_LIMIT} characters)"  # sic


def _errors_in_time_and_details(payload: Mapping[str, Any]) -> Iterator[str]:
    if "timestamp" in payload and not _is_time(payload["timestamp"]):
        yield "'payload.timestamp' is invalid (must be an ISO 8601 time)"
    if not isinstance(payload.get("custom_details", {}), dict):
        yield "'payload.custom_details' is invalid (must be an object)"


def _errors_in_extras(event: Mapping[str, Any]) -> Iterator[str]:
    for name in ("client", "client_url"):
        if not isinstance(event.get(name, ""), str):
            yield f"'{name}' is invalid (must be a string)"
    yield from _errors_in_list(event, "links", ("href", "text"))
    yield from _errors_in_list(event, "images", ("src", "href", "alt"))


def _errors_in_list(event: Mapping[str, Any], name: str, keys: tuple[str, ...]) -> Iterator[str]:
    """The first of `keys` is needed, and of an image it is to be served over https."""
    found = event.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        yield f"'{name}' is invalid (must be an array of objects)"
        return
    for each in found:
        for key in keys:
            if not isinstance(each.get(key, ""), str):
                yield f"'{name}.{key}' is invalid (must be a string)"
        if not each.get(keys[0]):
            yield f"'{name}.{keys[0]}' is missing or blank"
        elif name == "images" and not str(each["src"]).startswith("https://"):
            yield "'images.src' is invalid (must be served over https)"


def _is_blank(value: object) -> bool:
    return not isinstance(value, str) or not value.strip()


def _not_one_of(name: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values[:-1]) + f" or '{values[-1]}'"
    return f"'{name}' is invalid (must be one of the following: {listed})"


def _is_time(value: object) -> bool:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True
