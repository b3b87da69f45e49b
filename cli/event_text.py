"""Event text: what a file holds that tells of an event, in each form that people have. Pure.

A webhook's body, a Pub/Sub push or message with that inside, what `gcloud pubsub subscriptions
pull --format=json` prints, or lines of a history.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from cli import history
from cli.history import Entry
from shared import event as events
from shared.errors import Mistake
from shared.event import UnreadableEvent
from subscriber import push
from subscriber.push import NotAPush

TICK = b"tick"
_WANTED = "a webhook's body, a Pub/Sub push or message, or lines of a history"


def read(text: bytes, place: str) -> Sequence[Entry] | bytes:
    """The entries of a history, or the webhook's body that `text` holds in whichever form.

    `place` is where it stands, for people. Raises Mistake, which says what is wrong with it.
    """
    if not text.strip():
        raise Mistake(f"{place}: it is empty; give it {_WANTED}")
    if _is_of_a_history(text.strip().partition(b"\n")[0]):
        return [
            history.parsed(line, f"{place}:{number}")
            for number, line in enumerate(text.split(b"\n"), 1)
            if line.strip()
        ]
    body = _body(_json(text, place), text, place)
    try:
        events.read(body)
    except UnreadableEvent as reason:
        raise Mistake(f"{place}: no event of a run: {reason}; give it {_WANTED}") from None
    return body


def _is_of_a_history(line: bytes) -> bool:
    try:
        kept = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(kept, dict) and {"event", "answer"} <= kept.keys()


def _json(text: bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        at = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Mistake(f"{place}: not JSON{at}; give it {_WANTED}") from None


def _body(told: Any, text: bytes, place: str) -> bytes:
    if isinstance(told, list) and len(told) == 1:
        return _body(told[0], json.dumps(told[0]).encode(), place)
    if isinstance(told, list):
        raise Mistake(f"{place}: a list of {len(told)}; give it one event, or a line for each")
    if not isinstance(told, dict):
        return text
    if isinstance(told.get("message"), dict):
        return _of_message(_of_push(text, "application/json", place), place)
    if isinstance(told.get("data"), dict) and "message" in told["data"]:
        return _of_message(_of_push(text, "application/cloudevents+json", place), place)
    if isinstance(told.get("data"), str) and "eventType" not in told:
        try:
            return _of_message(base64.b64decode(told["data"], validate=True), place)
        except (binascii.Error, ValueError):
            raise Mistake(f"{place}: the message's `data` is not base64") from None
    return text


def _of_push(text: bytes, content_type: str, place: str) -> bytes:
    try:
        return push.read(text, content_type).data
    except NotAPush as reason:
        raise Mistake(f"{place}: {reason}") from None


def _of_message(data: bytes, place: str) -> bytes:
    if data == TICK:
        raise Mistake(f"{place}: the message is a tick, which tells of no run")
    return data
