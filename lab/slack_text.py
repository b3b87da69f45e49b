"""What people get of a message's text and blocks: whom it pings, and how it reads.

Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Part = Mapping[str, Any]

_MENTION = re.compile(
    r"<(?:!(?P<all>channel|here|everyone)|!subteam\^(?P<group>[A-Z0-9]+)|@(?P<user>[UW][A-Z0-9]+))"
    r"(?:\|[^<>]*)?>"
)
_LINK = re.compile(r"<(?P<url>(?:https?://|mailto:)[^<>|]*)(?:\|(?P<label>[^<>]*))?>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def mentions(text: str, blocks: Sequence[Part]) -> tuple[str, ...]:
    """Whom `text` and `blocks` mention: `channel`, `here`, `everyone`, ids of users and groups.

    Each once. Whether a mention in the text pings where blocks are shown is not documented: it is
    taken to.
    """
    return tuple(dict.fromkeys(who for part in _parts(text, blocks) for who in _mentioned(part)))


def shown(text: str, blocks: Sequence[Part]) -> str:
    """What people read, as plain text: the blocks, or `text` where there are none."""
    if not blocks:
        return _read(text)
    return "\n".join(_line(block) for block in blocks)


def _parts(text: str, blocks: Sequence[Part]) -> Iterator[str]:
    """Each text in which Slack looks for mentions."""
    yield text
    for block in blocks:
        if block.get("type") == "markdown":
            yield str(block["text"])
        yield from (part["text"] for part in _objects(block) if part.get("type") == "mrkdwn")
        if block.get("type") == "rich_text":
            yield from (f"<@{part['user_id']}>" for part in _objects(block) if "user_id" in part)
            yield from (f"<!{part['range']}>" for part in _objects(block) if "range" in part)


def _objects(part: object) -> Iterator[Part]:
    """`part` and all objects within it."""
    if isinstance(part, Mapping):
        yield part
    inner = part.values() if isinstance(part, Mapping) else part
    for each in inner if isinstance(part, Mapping | list) else ():  # type: ignore[attr-defined]
        yield from _objects(each)


def _mentioned(text: str) -> Iterator[str]:
    for found in _MENTION.finditer(text):
        yield found["all"] or found["group"] or found["user"]


def _line(block: Part) -> str:
    if block["type"] == "divider":
        return "---"
    if block["type"] in ("section", "header"):
        own = [block["text"]] if "text" in block else []
        return "\n".join(_object(text) for text in [*own, *block.get("fields", [])])
    if block["type"] == "context":
        return " · ".join(_object(each) for each in block["elements"])
    if block["type"] == "actions":
        return " ".join(f"[{_object(each['text'])}]" for each in block["elements"])
    if block["type"] == "markdown":
        return str(block["text"])
    return f"({block['type']})"


def _object(text: Part) -> str:
    if text["type"] == "image":
        return f"({text['alt_text']})"
    return _read(text["text"]) if text["type"] == "mrkdwn" else str(text["text"])


def _read(mrkdwn: str) -> str:
    """`mrkdwn` with its links and mentions as they are shown, and its entities read."""
    named = _MENTION.sub(lambda found: "@" + next(_mentioned(found[0])), mrkdwn)
    read = _LINK.sub(lambda found: found["label"] or found["url"], named)
    for entity, character in _ENTITIES:
        read = read.replace(entity, character)
    return read
