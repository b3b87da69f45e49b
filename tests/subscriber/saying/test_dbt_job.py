"""Why a job runs: what stands in a cause, and what is read from one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.saying.dbt_job import Mark, cause, key_of, mark_of, why_no_retry

MARK = Mark(3, "1/marts/job/7/100/refresh/1")


def test_a_cause_is_for_people_and_ends_in_a_mark() -> None:
    said = cause("Staging succeeded in Production", MARK)

    assert said == "Staging succeeded in Production [afterrun 3 1/marts/job/7/100/refresh/1]"
    assert mark_of(said) == MARK


@given(st.text(max_size=400), st.text(max_size=300), st.integers(1, 5))
def test_whatever_it_says_a_cause_fits_and_its_mark_is_read(
    headline: str, key: str, step: int
) -> None:
    mark = Mark(step, key_of(key))

    said = cause(headline, mark)

    assert 0 < len(said) <= 255
    assert mark_of(said) == mark


def test_a_long_headline_is_cut_and_the_mark_is_not() -> None:
    said = cause("🙂" * 100_000, MARK)

    assert len(said) == 255
    assert said.endswith(f"… {MARK}")


@pytest.mark.parametrize("headline", ["", " \n", "\x00\u202e"])
def test_a_headline_that_is_none_is_not_left_empty(headline: str) -> None:
    assert cause(headline, MARK) == f"Afterrun {MARK}"


def test_a_headline_is_one_clean_line() -> None:
    said = cause("a\r\nb\x00 \u202ec <!channel> `x` password=hunter2", MARK)

    assert said == f"a b c <!channel> `x` password=[redacted] {MARK}"


def test_a_headline_that_looks_like_a_mark_is_none() -> None:
    said = cause("Staging [afterrun 9 x]", MARK)

    assert mark_of(said) == MARK


@pytest.mark.parametrize(
    "cause",
    ["", "scheduled", "[afterrun 1 x] and more", "[afterrun x y]", "[afterrun 1 ]", "afterrun 1 x"],
)
def test_a_run_that_was_not_started_here_has_no_mark(cause: str) -> None:
    assert mark_of(cause) is None


@pytest.mark.parametrize("key", ["x" * 121, "a b", "a]b", "é", "", "a\nb", "\ud800"])
def test_a_key_that_is_long_or_odd_is_hashed(key: str) -> None:
    hashed = key_of(key)

    assert hashed.startswith("sha256:")
    assert hashed == key_of(key) != key_of(f"{key}!")


@pytest.mark.parametrize("key", ["x" * 120, "1/on_call.eu-1/job/7/100/refresh/1"])
def test_a_plain_key_stays_as_it_is(key: str) -> None:
    assert key_of(key) == key


def test_a_reason_of_which_nobody_knows_is_none() -> None:
    assert why_no_retry("RETRY_NEW") == why_no_retry("") == "dbt Cloud does not say why"
