"""The card: a page in the part of the Adaptive Card language that Teams shows. Pure.

Teams answers before it looks at a card, and tells nobody if it cannot show it. So the models here
have no more of the language than we use, and a card that is no valid one cannot be made.

Sources: https://adaptivecards.io/explorer/AdaptiveCard.html,
https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from subscriber.page import Item, Page, Tone

CONTENT_TYPE = "application/vnd.microsoft.card.adaptive"
INDENT_LIMIT = 40  # spaces at the beginning of a line that are kept

# what stands for itself after a backslash, wherever it is
_MARKS = re.compile(r"[\\`*_\[\]~]")
_MARKS_IN_FACTS = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")
# up to what makes a heading, a quotation or a list, but at the beginning of a line only
_TO_MARK_AT_BEGINNING = re.compile(r"\d{1,9}(?=[.)])|(?=[#>+-])")

_COLOURS: dict[Tone, Literal["Default", "Good", "Warning", "Attention"]] = {
    Tone.FAILURE: "Attention",
    Tone.WARNING: "Warning",
    Tone.GOOD: "Good",
    Tone.NEUTRAL: "Default",
}


def is_https(url: str) -> bool:
    """Whether `url` is an absolute https URL: a link of another sort breaks the whole card."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_plain = url.isascii() and url.isprintable() and " " not in url
    return is_plain and parts.scheme == "https" and bool(parts.hostname)


def _https(url: str) -> str:
    if not is_https(url):
        raise ValueError("not an absolute https URL")
    return url


class _Part(BaseModel, frozen=True, extra="forbid", populate_by_name=True):
    """A part of a card; what is None is left out of it."""


class TextBlock(_Part, frozen=True):
    """`text` is Markdown: see `escaped`."""

    type: Literal["TextBlock"] = "TextBlock"
    text: Annotated[str, Field(min_length=1)]
    wrap: Literal[True] = True
    size: Literal["Small", "Medium"] | None = None
    weight: Literal["Bolder"] | None = None
    color: Literal["Default", "Good", "Warning", "Attention"] | None = None
    font_type: Annotated[Literal["Monospace"] | None, Field(alias="fontType")] = None
    is_subtle: Annotated[Literal[True] | None, Field(alias="isSubtle")] = None
    separator: Literal[True] | None = None
    spacing: Literal["None", "Small", "Medium"] | None = None


class Fact(_Part, frozen=True):
    title: str
    value: str


class FactSet(_Part, frozen=True):
    type: Literal["FactSet"] = "FactSet"
    facts: Annotated[tuple[Fact, ...], Field(min_length=1)]
    separator: Literal[True] | None = None


class OpenUrl(_Part, frozen=True):
    type: Literal["Action.OpenUrl"] = "Action.OpenUrl"
    title: Annotated[str, Field(min_length=1)]
    url: Annotated[str, AfterValidator(_https)]


class InTeams(_Part, frozen=True):
    """Microsoft's extension of the language."""

    width: Literal["Full"] = "Full"


class Card(_Part, frozen=True):
    schema_url: Annotated[
        Literal["http://adaptivecards.io/schemas/adaptive-card.json"], Field(alias="$schema")
    ] = "http://adaptivecards.io/schemas/adaptive-card.json"
    type: Literal["AdaptiveCard"] = "AdaptiveCard"
    version: Literal["1.4"] = "1.4"
    msteams: InTeams = InTeams()
    body: Annotated[tuple[TextBlock | FactSet, ...], Field(min_length=1)]
    actions: tuple[OpenUrl, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def card(page: Page) -> Card:
    """`page` as Teams shows it. A link that is no absolute https URL is left out."""
    links = tuple(
        OpenUrl(title=link.title, url=link.url) for link in page.links if is_https(link.url)
    )
    return Card(body=tuple(_body(page)), actions=links or None)


def message(shown: Card) -> dict[str, Any]:
    """The envelope that the template's flow takes: it posts each attachment."""
    attachment = {"contentType": CONTENT_TYPE, "contentUrl": None, "content": shown.as_json()}
    return {"type": "message", "attachments": [attachment]}


def _body(page: Page) -> Iterator[TextBlock | FactSet]:
    colour = _COLOURS[page.tone]
    yield TextBlock(text=escaped(page.label), size="Small", weight="Bolder", color=colour)
    yield TextBlock(
        text=escaped(page.headline), size="Medium", weight="Bolder", color=colour, spacing="None"
    )
    if page.note:
        yield TextBlock(text=escaped(page.note))
    if page.changes:
        yield _facts(page.changes)
    for item in page.items:
        yield from _item(item)
    if page.more:
        yield TextBlock(text=escaped(page.more), is_subtle=True)
    for title, lines in page.lists:
        yield TextBlock(text=escaped(title), weight="Bolder", separator=True)
        yield TextBlock(text=escaped("\n".join(lines)), spacing="Small")
    if page.text:
        yield TextBlock(text=escaped(page.text), separator=True)
    if page.facts:
        yield _facts(page.facts, separator=True)
    if page.left_out:
        yield TextBlock(text=escaped(page.left_out), is_subtle=True, size="Small")


def _item(item: Item) -> Iterator[TextBlock | FactSet]:
    """A node: its name among the facts, which show names as they are, and its error below."""
    named = (item.status.capitalize() or "Node", item.title)
    yield _facts((named, *item.facts), separator=True)
    if item.error:
        yield TextBlock(text=escaped(item.error), font_type="Monospace", size="Small")


def _facts(pairs: tuple[tuple[str, str], ...], *, separator: bool = False) -> FactSet:
    facts = tuple(Fact(title=_in_fact(title), value=_in_fact(value)) for title, value in pairs)
    return FactSet(facts=facts, separator=True if separator else None)


def escaped(text: str) -> str:
    """`text` as Markdown that shows it as it is, a paragraph for each line.

    A single line break would be none, and what a line is indented by would be dropped.
    """
    return "\n\n".join(_line(line) for line in text.split("\n") if line.strip())


def _line(line: str) -> str:
    indent = min(len(line) - len(line.lstrip()), INDENT_LIMIT)
    return "\N{NO-BREAK SPACE}" * indent + _plain(line.strip(), _MARKS)


def _in_fact(text: str) -> str:
    """`text`, of one line, as a fact has it: Markdown too, but `_` within a word means nothing.

    So a name like stg_orders stands there as it is.
    """
    return _plain(text, _MARKS_IN_FACTS)


def _plain(line: str, marks: re.Pattern[str]) -> str:
    marked = marks.sub(r"\\\g<0>", line)
    begins = _TO_MARK_AT_BEGINNING.match(marked)
    return f"{begins[0]}\\{marked[begins.end() :]}" if begins else marked
