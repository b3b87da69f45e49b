"""What Slack accepts as the blocks of a message, and its words for what it does not.

The words about lengths, numbers of items and additional properties have been seen; the others are
in their manner. Blocks that need more than a message to work (input, video, file, call) are taken
for unknown here, and what is in a rich text is not looked at.

Source: https://docs.slack.dev/reference/block-kit/blocks
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

BLOCKS_LIMIT = 50
SIZE_LIMIT_BYTES = 13_000  # of all blocks; nowhere documented, seen by several
TEXT_LIMIT = 3_000
FIELDS_LIMIT = 10
FIELD_LIMIT = 2_000
HEADER_LIMIT = 150
CONTEXT_LIMIT = 10
ACTIONS_LIMIT = 25
BUTTON_LIMIT = 75
URL_LIMIT = 3_000
ALT_LIMIT = 2_000
ID_LIMIT = 255
MARKDOWN_LIMIT = 12_000  # of all markdown blocks together

Part = Mapping[str, Any]
Errors = Iterator[str]


def are_blocks(value: object) -> bool:
    """Whether `value` has the shape of blocks, whatever is in them."""
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def size_bytes(blocks: list[Part]) -> int:
    """What counts towards SIZE_LIMIT_BYTES."""
    return len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")).encode())


def errors(blocks: list[Part]) -> Errors:
    """What is wrong with `blocks`, in Slack's words, each with the place where it is."""
    if len(blocks) > BLOCKS_LIMIT:
        yield _at("/blocks", f"no more than {BLOCKS_LIMIT} items allowed")
    for number, block in enumerate(blocks):
        yield from _block(block, f"/blocks/{number}")
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if any(ids.count(each) > 1 for each in ids):
        yield _at("/blocks", "`block_id` must be unique")
    markdown = [str(block.get("text")) for block in blocks if block.get("type") == "markdown"]
    if sum(map(len, markdown)) > MARKDOWN_LIMIT:
        yield _at("/blocks", f"markdown must be less than {MARKDOWN_LIMIT + 1} characters in all")


def _block(block: Part, place: str) -> Errors:
    kind = block.get("type")
    if kind not in _BLOCKS:
        yield _at(f"{place}/type", f"unsupported type: {kind}")
        return
    keys, check = _BLOCKS[str(kind)]
    yield from _keys(block, place, "type", "block_id", *keys)
    if "block_id" in block:
        yield from _string(block["block_id"], f"{place}/block_id", ID_LIMIT)
    yield from check(block, place)


def _section(block: Part, place: str) -> Errors:
    if "text" not in block and "fields" not in block:
        yield _at(place, "missing required field: text")
    if "text" in block:
        yield from _text(block["text"], f"{place}/text", TEXT_LIMIT)
    if "fields" in block:
        yield from _items(block["fields"], f"{place}/fields", FIELDS_LIMIT, _field)
    if "accessory" in block:
        yield from _accessory(block["accessory"], f"{place}/accessory")


def _header(block: Part, place: str) -> Errors:
    yield from _text(block.get("text"), f"{place}/text", HEADER_LIMIT, is_plain=True)


def _divider(block: Part, place: str) -> Errors:
    yield from ()


def _context(block: Part, place: str) -> Errors:
    yield from _items(block.get("elements"), f"{place}/elements", CONTEXT_LIMIT, _of_context)


def _actions(block: Part, place: str) -> Errors:
    yield from _items(block.get("elements"), f"{place}/elements", ACTIONS_LIMIT, _button)


def _image(image: Part, place: str) -> Errors:
    yield from _url(image.get("image_url"), f"{place}/image_url")
    yield from _string(image.get("alt_text"), f"{place}/alt_text", ALT_LIMIT)
    if "title" in image:
        yield from _text(image["title"], f"{place}/title", ALT_LIMIT, is_plain=True)


def _markdown(block: Part, place: str) -> Errors:
    yield from _string(block.get("text"), f"{place}/text", MARKDOWN_LIMIT)


def _rich_text(block: Part, place: str) -> Errors:
    if not are_blocks(block.get("elements")):
        yield _at(f"{place}/elements", "must be an array of objects")


_BLOCKS: Mapping[str, tuple[tuple[str, ...], Callable[[Part, str], Errors]]] = {
    "section": (("text", "fields", "accessory", "expand"), _section),
    "header": (("text",), _header),
    "divider": ((), _divider),
    "context": (("elements",), _context),
    "actions": (("elements",), _actions),
    "image": (("image_url", "alt_text", "title"), _image),
    "markdown": (("text",), _markdown),
    "rich_text": (("elements",), _rich_text),
}


def _field(field: Part, place: str) -> Errors:
    yield from _text(field, place, FIELD_LIMIT)


def _of_context(element: Part, place: str) -> Errors:
    if element.get("type") == "image":
        yield from _keys(element, place, "type", "image_url", "alt_text")
        yield from _image(element, place)
    else:
        yield from _text(element, place, TEXT_LIMIT)


def _accessory(element: object, place: str) -> Errors:
    if isinstance(element, dict) and element.get("type") == "image":
        yield from _of_context(element, place)
    elif isinstance(element, dict):
        yield from _button(element, place)
    else:
        yield _at(place, "must be an object")


def _button(button: Part, place: str) -> Errors:
    if button.get("type") != "button":
        yield _at(f"{place}/type", f"unsupported type: {button.get('type')}")
        return
    keys = ("text", "action_id", "url", "value", "style", "confirm", "accessibility_label")
    yield from _keys(button, place, "type", *keys)
    yield from _text(button.get("text"), f"{place}/text", BUTTON_LIMIT, is_plain=True)
    if "action_id" in button:
        yield from _string(button["action_id"], f"{place}/action_id", ID_LIMIT)
    if "url" in button:
        yield from _url(button["url"], f"{place}/url")
    if button.get("style", "primary") not in ("primary", "danger"):
        yield _at(f"{place}/style", "must be one of: primary, danger")


def _text(text: object, place: str, limit: int, *, is_plain: bool = False) -> Errors:
    if not isinstance(text, dict):
        yield _at(place, "missing required field: text" if text is None else "must be an object")
        return
    kind = text.get("type")
    if kind not in (("plain_text",) if is_plain else ("plain_text", "mrkdwn")):
        yield _at(f"{place}/type", f"unsupported type: {kind}")
        return
    flag = "emoji" if kind == "plain_text" else "verbatim"
    yield from _keys(text, place, "type", "text", flag)
    yield from _string(text.get("text"), f"{place}/text", limit)
    if not isinstance(text.get(flag, False), bool):
        yield _at(f"{place}/{flag}", "must be a boolean")


def _items(
    items: object, place: str, limit: int, check: Callable[[dict[str, Any], str], Errors]
) -> Errors:
    if not isinstance(items, list) or not are_blocks(items):
        yield _at(place, "must be an array of objects")
        return
    if not items:
        yield _at(place, "no fewer than 1 items allowed")
    if len(items) > limit:
        yield _at(place, f"no more than {limit} items allowed")
    for number, item in enumerate(items):
        yield from check(item, f"{place}/{number}")


def _url(url: object, place: str) -> Errors:
    yield from _string(url, place, URL_LIMIT)
    if isinstance(url, str) and urlsplit(url).scheme not in ("http", "https"):
        yield _at(place, "must be a valid URL")


def _string(value: object, place: str, limit: int) -> Errors:
    if not isinstance(value, str):
        yield _at(place, "must be a string")
    elif not value:
        yield _at(place, "must be more than 0 characters")
    elif len(value) > limit:
        yield _at(place, f"must be less than {limit + 1} characters")


def _keys(part: Part, place: str, *known: str) -> Errors:
    for key in sorted(part.keys() - set(known)):
        yield _at(place, f"invalid additional property: {key}")


def _at(place: str, what: str) -> str:
    return f"{what} [json-pointer:{place}]"
