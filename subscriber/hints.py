"""Hints: what somebody may have meant who wrote a word that is not known. Pure."""

import difflib
from collections.abc import Sequence


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint to the one of `known` that `word` looks like, or to all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known are: {', '.join(known)}" if known else ""
