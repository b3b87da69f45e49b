"""Digests: what is gathered line by line, and how it is kept."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Mistake
from subscriber.digests import LINE_LIMIT, LINES_LIMIT, Digest, Line
from tests.builders import NOW

LATER = NOW + timedelta(minutes=5)


def a_line(text: str = "run 100 failed", *, due_at=LATER, silence: str = "") -> Line:
    return Line("1/digest/late/people", "people", "Too late", text, due_at, silence)


def test_the_first_line_says_where_when_and_under_which_title_it_is_told() -> None:
    digest = Digest().with_line(a_line()).with_line(a_line("run 101 failed", due_at=NOW))

    assert digest == Digest(
        1, "people", "Too late", LATER, "", 2, ("run 100 failed", "run 101 failed")
    )


def test_the_first_lines_are_kept_and_all_are_counted() -> None:
    digest = Digest()
    for number in range(1_000):
        digest = digest.with_line(a_line(f"{number} " + "x" * 1_000))

    assert digest.count == 1_000
    assert len(digest.lines) == LINES_LIMIT
    assert {len(line) for line in digest.lines} == {LINE_LIMIT}
    assert len(json.dumps(digest.body())) < 10_000


def test_what_comes_after_it_was_told_is_another_digest_under_another_number() -> None:
    told = Digest().with_line(a_line()).told()

    assert told == Digest(2)
    assert told.with_line(a_line("next")).count == 1
    assert told.with_line(a_line(silence="5115e9ce")).silence == "5115e9ce"


@given(texts=st.lists(st.text(), max_size=30), is_told=st.booleans())
def test_it_is_read_as_it_was_kept(*, texts: list[str], is_told: bool) -> None:
    digest = Digest()
    for text in texts:
        digest = digest.with_line(a_line(text))
    digest = digest.told() if is_told else digest

    assert Digest.read(json.loads(json.dumps(digest.body()))) == digest


def test_nothing_is_gathered_where_there_is_no_document() -> None:
    assert Digest.read({}) == Digest(1)


def test_a_digest_of_another_version_is_refused_with_the_way_out() -> None:
    with pytest.raises(Mistake, match=r"LEDGER: a digest .* another version .* run the program"):
        Digest.read({"version": 9, "digest": None})
