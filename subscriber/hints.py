"""Hints: what somebody may have meant who wrote a word that is not known. Pure."""

import difflib
from collections.abc import Mapping, Sequence

from subscriber.patterns import NAME, is_glob, is_id

SIMILAR = 0.75  # of 1, how alike a pattern and a name must be for one to be taken for the other


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint to the one of `known` that `word` looks like, or to all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known are: {', '.join(known)}" if known else ""


def meant(pattern: str, names: Mapping[str, str]) -> str:
    """The name that `pattern`, which matches none, may be a slip of; empty if there is none.

    `names` are those known, by how they read without capital letters.
    """
    if is_id(pattern):
        return f"{NAME}{pattern}" if pattern in names else ""
    word = pattern.removeprefix(NAME).casefold()
    if not is_glob(pattern):
        return _closest(word, names)
    begin, end = word.partition("*")[0], word.rpartition("*")[2]
    begun = {name[: len(begin)]: written for name, written in names.items()}
    ended = {name[-len(end) :]: written for name, written in names.items()}
    return _closest(word, names) or _closest(begin, begun) or _closest(end, ended)


def _closest(word: str, names: Mapping[str, str]) -> str:
    """The name that `word` is almost the same as; two letters are almost the same as too many."""
    close = difflib.get_close_matches(word, names, n=1, cutoff=SIMILAR) if len(word) > 2 else ()
    return names[close[0]] if close else ""
