"""E-mail: a page as text and as HTML, readable on a phone, in light and in dark. Pure.

The HTML carries its style with it, inline, since mail programs drop much of what is in the head;
what is there is for those that know dark mode. Everything that is not ours is escaped. The links
stand before the nodes: a mail about a hundred of them is long.

Source: https://www.caniemail.com/features/css-at-media-prefers-color-scheme/
"""

from collections.abc import Iterable, Iterator
from html import escape

from subscriber.cutting import cut
from subscriber.page import Item, Page, Pair, Tone

SUBJECT_LIMIT = 150  # characters
ANSWER = "Re: "

_COLOURS = {
    Tone.FAILURE: "#c5221f",
    Tone.WARNING: "#b06000",
    Tone.GOOD: "#137333",
    Tone.NEUTRAL: "#5f6368",
}
_DARK_COLOURS = {
    Tone.FAILURE: "#f28b82",
    Tone.WARNING: "#fdd663",
    Tone.GOOD: "#81c995",
    Tone.NEUTRAL: "#bdc1c6",
}
_FONT = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_CODE_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
_BREAKS = "overflow-wrap:anywhere;word-break:break-word"
_LABEL = (
    "padding:0 16px 2px 0;vertical-align:top;max-width:105px;word-break:normal;overflow-wrap:normal"
)
_SOFT = "color:#5f6368"
_LINK = "color:#1a56b0"

FOOTER = "Sent by Afterrun."


def subject(page: Page, opened: str = "") -> str:
    """What the mail is about, in one line; `opened` is the subject of the mail that it follows.

    What follows keeps the subject: Gmail keeps a thread together only while it stays the same.
    """
    if opened:
        return f"{ANSWER}{opened}"
    return cut(page.headline, SUBJECT_LIMIT - len(ANSWER))


def text(page: Page) -> str:
    """`page` for who reads no HTML."""
    blocks = [
        f"{page.label.upper()}\n{page.headline}",
        page.note,
        _lines(page.changes),
        _lines((link.title, link.url) for link in page.links),
        *(_item(number, item) for number, item in enumerate(page.items, start=1)),
        page.more,
        *("\n".join([title, *(f"- {line}" for line in lines)]) for title, lines in page.lists),
        page.text,
        _lines(page.facts),
        page.left_out,
        f"-- \n{FOOTER}",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def html(page: Page) -> str:
    """`page` for everybody else."""
    return "\n".join(_document(page)) + "\n"


def _lines(pairs: Iterable[Pair]) -> str:
    return "\n".join(f"{label}: {value}" for label, value in pairs)


def _item(number: int, item: Item) -> str:
    lines = [*item.error.splitlines(), *(f"{label}: {value}" for label, value in item.facts)]
    status = f" ({item.status})" if item.status else ""
    return "\n".join([f"{number}. {item.title}{status}", *(f"   {line}" for line in lines)])


def _document(page: Page) -> Iterator[str]:
    colour = _COLOURS[page.tone]
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield '<meta name="supported-color-schemes" content="light dark">'
    yield f"<title>{escape(page.headline)}</title>"
    yield from _dark_style(_DARK_COLOURS[page.tone])
    yield "</head>"
    yield (
        '<body class="page" style="margin:0;padding:0;background:#ffffff;color:#202124;'
        f'font:15px/1.5 {_FONT}">'
    )
    yield f'<div style="max-width:640px;margin:0 auto;padding:20px 16px;{_BREAKS}">'
    yield (
        f'<p class="tone" style="margin:0 0 4px;color:{colour};font-weight:700;font-size:13px;'
        f'letter-spacing:.04em;text-transform:uppercase">{escape(page.label)}</p>'
    )
    yield (
        '<h1 dir="auto" style="margin:0 0 16px;font-size:19px;line-height:1.35">'
        f"{escape(page.headline)}</h1>"
    )
    if page.note:
        yield _paragraph(page.note)
    yield from _table(page.changes)
    yield from _links(page)
    for item in page.items:
        yield from _block(item, colour)
    if page.more:
        yield _paragraph(page.more)
    for title, lines in page.lists:
        yield from _list(title, lines)
    if page.text:
        yield _code(page.text)
    yield from _table(page.facts)
    if page.left_out:
        yield _small(page.left_out)
    yield _small(FOOTER)
    yield "</div>"
    yield "</body>"
    yield "</html>"


def _dark_style(tone: str) -> Iterator[str]:
    """For programs that know dark mode; the others keep the light colours, or change them."""
    yield "<style>"
    yield ":root{color-scheme:light dark;supported-color-schemes:light dark}"
    yield "@media (prefers-color-scheme:dark){"
    yield ".page{background:#1b1c1f!important;color:#e8eaed!important}"
    yield ".soft{color:#a8adb4!important}"
    yield ".code{background:#2a2c31!important;color:#e8eaed!important}"
    yield ".link{color:#8ab4f8!important}"
    yield f".tone{{color:{tone}!important;border-color:{tone}!important}}"
    yield "}"
    yield "</style>"


def _block(item: Item, colour: str) -> Iterator[str]:
    status = f' <span class="soft" style="{_SOFT}">{escape(item.status)}</span>'
    yield (
        f'<div class="tone" style="margin:0 0 16px;padding:0 0 0 12px;'
        f'border-left:3px solid {colour}">'
    )
    yield '<div class="page" style="color:#202124">'
    yield (
        f'<p dir="auto" style="margin:0 0 6px"><strong>{escape(item.title)}</strong>'
        f"{status if item.status else ''}</p>"
    )
    if item.error:
        yield _code(item.error)
    yield from _table(item.facts)
    yield "</div>"
    yield "</div>"


def _code(said: str) -> str:
    return (
        '<pre class="code" dir="auto" style="margin:0 0 12px;padding:10px 12px;background:#f1f3f4;'
        f'border-radius:4px;font:13px/1.45 {_CODE_FONT};white-space:pre-wrap">'
        f"{escape(said)}</pre>"
    )


def _paragraph(said: str) -> str:
    return f'<p dir="auto" style="margin:0 0 16px;white-space:pre-wrap">{escape(said)}</p>'


def _small(said: str) -> str:
    return f'<p class="soft" style="margin:16px 0 0;{_SOFT};font-size:13px">{escape(said)}</p>'


def _table(pairs: Iterable[Pair]) -> Iterator[str]:
    rows = [
        f'<tr><td class="soft" style="{_LABEL};{_SOFT}">{escape(label)}</td>'
        '<td style="padding:0 0 2px;vertical-align:top">'
        f"<bdi>{escape(value)}</bdi></td></tr>"
        for label, value in pairs
    ]
    if rows:
        yield (
            '<table role="presentation" style="margin:0 0 16px;border-collapse:collapse;'
            'font-size:14px">'
        )
        yield from rows
        yield "</table>"


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f'<p style="margin:0 0 4px"><strong>{escape(title)}</strong></p>'
    yield '<ul style="margin:0 0 16px;padding:0 0 0 20px">'
    for line in lines:
        yield f'<li dir="auto">{escape(line)}</li>'
    yield "</ul>"


def _links(page: Page) -> Iterator[str]:
    anchors = [
        f'<a class="link" href="{escape(link.url)}" style="{_LINK};font-weight:600">'
        f"{escape(link.title)}</a>"
        for link in page.links
    ]
    if anchors:
        yield f'<p style="margin:0 0 16px">{" &nbsp;&middot;&nbsp; ".join(anchors)}</p>'
