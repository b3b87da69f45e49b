"""Cutting: a text as long as it may be, never cut within what a reader sees as one character."""

import unicodedata
from collections.abc import Callable

ELLIPSIS = "…"

_JOINER = "\u200d"
_SKINS = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_FLAG_LETTERS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_STEPS_BACK = 64  # a "character" of more code points is none


def cut(text: str, limit: int, measure: Callable[[str], int] = len) -> str:
    """`text`, or as much of its beginning as fits `limit` together with an ellipsis. Pure.

    `measure` counts what the limit is about (the length of the escaped text, bytes), at least one
    for each character; it is the raw text that is cut, so that no escape is ever cut in two. Empty
    if not even the ellipsis fits.
    """
    if len(text) <= limit and measure(text) <= limit:
        return text
    if limit < measure(ELLIPSIS):
        return ""
    fits, too_long = 0, min(len(text), limit) + 1
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if measure(text[:middle] + ELLIPSIS) <= limit:
            fits = middle
        else:
            too_long = middle
    return text[: _between_characters(text, fits)].rstrip() + ELLIPSIS


def one_line(text: str) -> str:
    """`text` without line breaks, each stretch of white space as one space."""
    return " ".join(text.split())


def _between_characters(text: str, end: int) -> int:
    """`end`, or a little less: where nothing belongs to the character before it."""
    for at in range(end, max(end - _STEPS_BACK, 0), -1):
        if at >= len(text) or not _continues(text, at):
            return at
    return end if end > _STEPS_BACK else 0


def _continues(text: str, at: int) -> bool:
    """Whether what stands there is a part of the character before it: an accent, half a flag."""
    letter = text[at]
    if text[at - 1] == _JOINER or letter == _JOINER or letter in _SKINS:
        return True
    if letter in _FLAG_LETTERS:
        before = 0
        while before < at and text[at - 1 - before] in _FLAG_LETTERS:
            before += 1
        return before % 2 == 1
    return unicodedata.category(letter) in ("Mn", "Me", "Mc")
