"""What Teams can show of a message, and what stands in the flow's run history of what it cannot.

Of the card language this is the part that messages use: texts, facts, containers, columns, images
and the actions that work in a message that a flow has posted. Whatever else a card holds is an
error here.

Sources: https://adaptivecards.io/explorer/AdaptiveCard.html,
https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MESSAGE_LIMIT_BYTES = 28_000  # "about 28 KB" with the card, in the smaller of its two readings
CONTENT_TYPE = "application/vnd.microsoft.card.adaptive"
VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")

Check = Callable[[Any], Iterator[str]]
"""Yields what is wrong with a value, each with the path below it where it is."""


@dataclass(frozen=True)
class _Kind:
    """What an object of one type may hold, and what it must."""

    allowed: Mapping[str, Check]
    required: frozenset[str] = frozenset()

    def errors(self, value: Mapping[str, Any]) -> Iterator[str]:
        for name in sorted(self.required - value.keys()):
            yield f".{name}: is missing"
        for name, part in value.items():
            if name not in self.allowed:
                yield f".{name}: is unknown here"
            else:
                yield from (f".{name}{error}" for error in self.allowed[name](part))


def errors_in_message(message: object) -> Iterator[str]:
    """What keeps the template's flow, which posts each of the attachments, from posting them."""
    if not isinstance(message, dict) or not isinstance(message.get("attachments"), list):
        yield (
            "The execution of template action 'Send_each_adaptive_card' failed: "
            "'attachments' is of type 'Null'. The result must be a valid array."
        )
        return
    if message.get("type") != "message":
        yield "message.type: must be 'message'"
    if not message["attachments"]:
        yield "message.attachments: is empty, nothing is posted"
    for index, attachment in enumerate(message["attachments"]):
        place = f"attachments[{index}]"
        if not isinstance(attachment, dict):
            yield f"{place}: is no object"
            continue
        if attachment.get("contentType") != CONTENT_TYPE:
            yield f"{place}.contentType: must be '{CONTENT_TYPE}'"
        if attachment.get("contentUrl") is not None:
            yield f"{place}.contentUrl: must be null"
        if odd := sorted(attachment.keys() - {"contentType", "contentUrl", "content"}):
            yield f"{place}: {', '.join(odd)} is unknown here"
        yield from (f"{place}.content{e}" for e in errors_in_card(attachment.get("content")))


def errors_in_card(card: object) -> Iterator[str]:
    """What keeps Teams from showing `card`; each error begins with its place in it."""
    if not isinstance(card, dict) or card.get("type") != "AdaptiveCard":
        yield ": Property 'type' must be 'AdaptiveCard'"
        return
    if card.get("version") not in VERSIONS:
        yield f".version: must be one of {', '.join(VERSIONS)}"
    yield from _CARD.errors(card)


def title(card: Mapping[str, Any]) -> str:
    """The first text of a valid card: what people read first."""
    return next((str(part["text"]) for part in card.get("body", []) if "text" in part), "")


def _text(value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield ": must be a string"


def _flag(value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield ": must be true or false, and no string"


def _count(value: Any) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        yield ": must be a whole number above 0"


def _url(value: Any) -> Iterator[str]:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        is_good = parts is not None and parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        is_good = False
    if not is_good:
        yield ": must be an absolute https URL"


def _one_of(*values: str) -> Check:
    """One of some words, in whatever case."""
    known = {value.lower() for value in values}

    def check(value: Any) -> Iterator[str]:
        if not isinstance(value, str) or value.lower() not in known:
            yield f": must be one of {', '.join(values)}"

    return check


def _list_of(check: Check) -> Check:
    def each(value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            yield ": must be an array"
            return
        for index, part in enumerate(value):
            yield from (f"[{index}]{error}" for error in check(part))

    return each


def _typed(kinds: Callable[[], Mapping[str, _Kind]]) -> Check:
    """An object whose `type` is one of `kinds`, which are asked for late: they hold each other."""

    def check(value: Any) -> Iterator[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in kinds():
            yield f": must be an object of type {', '.join(kinds())}"
        else:
            yield from kinds()[kind].errors(value)

    return check


def _object(kind: _Kind) -> Check:
    def check(value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield ": must be an object"
        else:
            yield from kind.errors(value)

    return check


def _inner_card(value: Any) -> Iterator[str]:
    """A card that an action shows: the version of the whole is its own."""
    if not isinstance(value, dict) or value.get("type") != "AdaptiveCard":
        yield ": Property 'type' must be 'AdaptiveCard'"
    else:
        yield from _CARD.errors(value)


_elements = _list_of(_typed(lambda: _ELEMENTS))
_actions = _list_of(_typed(lambda: _ACTIONS))
_side = _one_of("left", "center", "right")
_style = _one_of("default", "emphasis", "good", "attention", "warning", "accent")
_FACT = _Kind(
    {"type": _one_of("Fact"), "title": _text, "value": _text}, frozenset({"title", "value"})
)
_TYPE = {"type": _text}  # looked at when the kind was chosen
_EVERY = {
    "id": _text,
    "isVisible": _flag,
    "separator": _flag,
    "spacing": _one_of("default", "none", "small", "medium", "large", "extraLarge", "padding"),
}
_WITH_HEIGHT = _TYPE | _EVERY | {"height": _one_of("auto", "stretch")}
_LOOK = {
    "color": _one_of("default", "dark", "light", "accent", "good", "warning", "attention"),
    "fontType": _one_of("default", "monospace"),
    "isSubtle": _flag,
    "size": _one_of("default", "small", "medium", "large", "extraLarge"),
    "weight": _one_of("default", "lighter", "bolder"),
}
_COLUMN = _Kind(_TYPE | _EVERY | {"items": _elements, "style": _style, "width": _text})
_ELEMENTS: Mapping[str, _Kind] = {
    "TextBlock": _Kind(
        _WITH_HEIGHT
        | _LOOK
        | {"text": _text, "wrap": _flag, "maxLines": _count, "horizontalAlignment": _side},
        frozenset({"text"}),
    ),
    "FactSet": _Kind(_WITH_HEIGHT | {"facts": _list_of(_object(_FACT))}, frozenset({"facts"})),
    "Container": _Kind(
        _WITH_HEIGHT | {"items": _elements, "style": _style, "bleed": _flag}, frozenset({"items"})
    ),
    "ColumnSet": _Kind(
        _WITH_HEIGHT | {"columns": _list_of(_typed(lambda: {"Column": _COLUMN})), "style": _style}
    ),
    "Image": _Kind(
        _TYPE
        | _EVERY
        | {
            "url": _url,
            "altText": _text,
            "horizontalAlignment": _side,
            "size": _one_of("auto", "stretch", "small", "medium", "large"),
        },
        frozenset({"url"}),
    ),
    "ActionSet": _Kind(_WITH_HEIGHT | {"actions": _actions}, frozenset({"actions"})),
}
_ACTION = _TYPE | {"title": _text, "style": _one_of("default", "positive", "destructive")}
_ACTIONS: Mapping[str, _Kind] = {
    "Action.OpenUrl": _Kind(_ACTION | {"url": _url, "iconUrl": _url}, frozenset({"url"})),
    "Action.ShowCard": _Kind(_ACTION | {"card": _inner_card}, frozenset({"card"})),
    "Action.ToggleVisibility": _Kind(
        _ACTION | {"targetElements": _list_of(_text)}, frozenset({"targetElements"})
    ),
}
_WIDTH = _Kind({"width": _one_of("Full")})
_CARD = _Kind(
    _TYPE
    | {
        "$schema": _text,
        "version": _text,
        "msteams": _object(_WIDTH),
        "body": _elements,
        "actions": _actions,
        "fallbackText": _text,
        "speak": _text,
        "lang": _text,
    }
)
