"""What Slack is told: a page as blocks, within all that Slack takes, or as plain text. Pure.

Source: https://docs.slack.dev/reference/block-kit/blocks
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from subscriber.actions import Action, Message
from subscriber.cutting import cut
from subscriber.page import Item, Page, Pair, Tone, page
from subscriber.saying.slack_text import bold, code, inline, link, mentions
from subscriber.shortening import fitting

BLOCKS_LIMIT = 50
SECTION_LIMIT = 3_000  # characters
CONTEXT_LIMIT = 2_000
SIZE_LIMIT_BYTES = 12_000  # of the whole; Slack refuses blocks somewhere above 13,000
NOTICE_LIMIT = 300  # of the text that notifications show
PLAIN_LIMIT = 3_900  # of a message without blocks: an edit is refused above 4,000
LINK_LIMIT = 1_800  # of what a link takes; a longer one is left out

_EMOJIS = {Tone.FAILURE: "🔴", Tone.WARNING: "⚠️", Tone.GOOD: "✅", Tone.NEUTRAL: "ℹ️"}  # noqa: RUF001 - an emoji, no letter

Body = dict[str, Any]


def told(action: Action, called: Sequence[str] = ()) -> Body:
    """`text` and `blocks` that say `action`, in as much detail as Slack takes.

    `called` are ids of members to mention, which only a problem does.
    """

    def formed(message: Message) -> Body:
        shown = page(action, message)
        return {"text": _notice(shown), "blocks": list(_blocks(shown, _mentioned(shown, called)))}

    return fitting(action.message, formed, _fits)


def told_plainly(action: Action, called: Sequence[str] = ()) -> str:
    """The same without blocks, for when Slack does not take those."""

    def formed(message: Message) -> str:
        shown = page(action, message)
        return "\n".join(filter(None, _lines(shown, _mentioned(shown, called))))

    return fitting(action.message, formed, lambda text: _length(text) <= PLAIN_LIMIT)


def _mentioned(shown: Page, called: Sequence[str]) -> str:
    return mentions(called) if shown.tone in (Tone.FAILURE, Tone.WARNING) else ""


def _notice(shown: Page) -> str:
    headline = cut(shown.headline, NOTICE_LIMIT, lambda text: len(inline(text)))
    return f"{_title(shown)}: {inline(headline)}"


def _title(shown: Page) -> str:
    return f"{_EMOJIS[shown.tone]} {shown.label}"


def _blocks(shown: Page, mentioned: str) -> Iterator[Body]:
    yield {"type": "header", "text": _plain(_title(shown))}
    yield _section(_marked(bold(shown.headline)))
    if mentioned:
        yield _section(_marked(mentioned))
    if shown.note:
        yield _section(_marked(inline(shown.note)))
    if shown.changes:
        yield _section(_marked("\n".join(map(_pair, shown.changes))))
    yield from _details(shown)
    if shown.facts:
        yield _context(_marked(" · ".join(map(_pair, shown.facts))))
    for links in _links(shown):
        yield _section(_marked(links))
    if shown.left_out:
        yield _context(_plain(shown.left_out))


def _details(shown: Page) -> Iterator[Body]:
    for item in shown.items:
        yield _section(_marked(_item(item)))
    if shown.more:
        yield _context(_plain(shown.more))
    for title, lines in shown.lists:
        yield _section(_marked("\n".join([bold(title), *(f"• {inline(line)}" for line in lines)])))
    if shown.text:
        yield _section(_marked(code(shown.text)))


def _item(item: Item) -> str:
    lines = [f"{bold(item.title)} {inline(item.status)}".rstrip()]
    if item.error:
        lines.append(code(item.error))
    if item.facts:
        lines.append(" · ".join(f"{label}: {inline(value)}" for label, value in item.facts))
    return "\n".join(lines)


def _pair(pair: Pair) -> str:
    label, value = pair
    return f"{bold(label + ':')} {inline(value)}"


def _links(shown: Page) -> Sequence[str]:
    """The links, all in one text where they fit."""
    links = (link(each.title, each.url) for each in shown.links)
    short = [each for each in links if len(each) <= LINK_LIMIT]
    whole = " · ".join(short)
    return [whole] if short and len(whole) <= SECTION_LIMIT else short


def _lines(shown: Page, mentioned: str) -> Iterator[str]:
    """What a message without blocks says."""
    yield f"{_title(shown)}: {inline(shown.headline)}"
    yield mentioned
    yield inline(shown.note)
    yield from (f"{label}: {inline(value)}" for label, value in shown.changes)
    for item in shown.items:
        yield f"• {inline(item.title)} {inline(item.status)}".rstrip()
        yield inline(item.error)
    yield shown.more
    yield inline(shown.text)
    yield from _links(shown)[:1]
    yield inline(shown.left_out)


def _section(text: Body) -> Body:
    return {"type": "section", "text": text}


def _context(text: Body) -> Body:
    return {"type": "context", "elements": [text]}


def _plain(text: str) -> Body:
    """For words of our own; what comes from outside is escaped, in markup."""
    return {"type": "plain_text", "text": text, "emoji": False}


def _marked(text: str) -> Body:
    """With markup of ours; nothing else in it is made a link or a mention."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _fits(body: Mapping[str, Any]) -> bool:
    blocks = body["blocks"]
    # escaped as it is here is as long as it can get
    is_small = len(json.dumps(body)) <= SIZE_LIMIT_BYTES
    return is_small and len(blocks) <= BLOCKS_LIMIT and all(map(_is_short, blocks))


def _is_short(block: Mapping[str, Any]) -> bool:
    if block["type"] == "context":
        return all(_length(each["text"]) <= CONTEXT_LIMIT for each in block["elements"])
    return _length(block["text"]["text"]) <= SECTION_LIMIT


def _length(text: str) -> int:
    """As Slack may count: an emoji can be two."""
    return len(text) + sum(character > "\uffff" for character in text)
