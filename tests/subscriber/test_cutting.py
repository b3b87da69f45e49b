"""Cutting: within the limit, however that is counted, and never within a character."""

from html import escape
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.cutting import ELLIPSIS, cut

FAMILY = "👨‍👩‍👧"
MEASURES = {
    "characters": len,
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "escaped": lambda text: len(escape(text)),
}


@pytest.mark.parametrize("counted", MEASURES)
@given(text=st.text(max_size=60), limit=st.integers(0, 80))
def test_a_text_that_was_cut_fits_and_is_a_beginning(counted: str, text: str, limit: int) -> None:
    measure = MEASURES[counted]

    short = cut(text, limit, measure)

    assert measure(short) <= limit
    if measure(text) <= limit:
        assert short == text
    else:
        assert text.startswith(short.removesuffix(ELLIPSIS))


def test_as_much_is_kept_as_fits() -> None:
    assert cut("abcdefgh", 5) == "abcd…"
    assert cut("&&&&", 15, lambda text: len(escape(text))) == "&&…"
    assert cut("€€€€", 9, lambda text: len(text.encode())) == "€€…"


@pytest.mark.parametrize("letter", ["é", "👍🏽", FAMILY, "🇨🇭", "ก็", "❤️"])
def test_nothing_is_cut_off_what_a_reader_sees_as_one_character(letter: str) -> None:
    text = letter * 20

    shortened = {cut(text, limit).removesuffix(ELLIPSIS) for limit in range(1, len(text))}

    whole = {letter * count for count in range(20)}
    assert shortened <= whole


def test_a_heap_of_accents_is_no_character() -> None:
    assert len(cut("a" + "\u0301" * 500, 100)) == 100


def test_where_nothing_fits_nothing_is_left() -> None:
    assert cut("abc", 0) == ""
    assert cut("abc", 2, lambda text: len(text.encode())) == ""


def test_a_longer_limit_never_gives_less() -> None:
    lengths = [len(cut("word " * 10, limit)) for limit in range(1, 60)]

    assert all(shorter <= longer + 1 for shorter, longer in pairwise(lengths))
