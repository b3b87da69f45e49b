"""When two messages are about the same error."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriber.sameness import fingerprint, normalized

NUMBERS = (
    st.integers(min_value=0).map(str)
    | st.floats(0, 1e9, allow_nan=False).map(lambda number: f"{number:.3f}")
    | st.integers(1_000, 10**9).map(lambda number: f"{number:,}")
)
VALUES = st.text(
    st.characters(exclude_characters="'\"`\r\n", exclude_categories=["Cc", "Zl", "Zp"])
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Got 2 results, configured to fail if != 0", "Got 31 results, configured to fail if != 0"),
        ('invalid value "n/a" in line 7', 'invalid value "?" in line 1,024'),
        ("no such column: 'amount'", "no such column: 'price'"),
        ("unknown ref `a`", "unknown ref `b`"),
        ("query 01b3f2a1-0404-c5b1-0000-4d0f0a1b2c3d failed", "query 5 failed"),
        ("temporary table orders__3f9ac1d277 is gone", "temporary table orders__beef0123a is gone"),
        ("commit deadbeefdeadbeef is gone", "commit 0123456789abcdef is gone"),
        ("at 0x7fff5694dc58", "at 0x10"),
        ("failed at 2026-01-05T12:00:00.123456Z", "failed at 2025-12-31 23:59:59+02:00"),
        ("failed on Mon, 5 January 2026", "failed on Tue, 31 Dec 2025"),
        ("failed on Jan 5, 2026 at 3:04 PM", "failed on March 31, 2025 at 11:59 am"),
        ("timed out after 5s", "timed out after 1.5 minutes"),
        ("timed out after 300 seconds", "timed out after 900 ms"),
        ("from 10.0.0.1:5432", "from 192.168.1.17:5439"),
        ("Out  of\n\tdisk", "out of DISK"),
        (
            "Database Error in model a (models/a.sql)\n  out of disk\n  compiled code at t/a.sql",
            "Database Error in model b (models/x/b.sql)\n  out of disk",
        ),
    ],
)
def test_the_same_error_is_recognised(one, other):
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Database Error: out of disk", "Database Error: permission denied"),
        ("Database Error in model a (a.sql)\n  bad", "Runtime Error in model a (a.sql)\n  bad"),
        ("no such column: s", "no such column: t"),
        ("no such table: orders", "no such table: customers"),
        ("couldn't read a, didn't try", "couldn't read b, didn't try"),
        ("the users' table is bad, the users' view", "the users' index is bad, the users' view"),
        ("it may fail", "it will fail"),
        ("", "out of disk"),
    ],
)
def test_other_errors_are_told_apart(one, other):
    assert fingerprint(one) != fingerprint(other)


def test_an_error_without_a_message_has_a_fingerprint_that_never_changes():
    assert fingerprint("") == fingerprint(" \n") == "e3b0c44298fc"


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_another_number_makes_no_difference(one, other):
    assert fingerprint(f"took {one} rows of x") == fingerprint(f"took {other} rows of x")


@settings(deadline=None)
@given(st.datetimes(), st.datetimes(), st.sampled_from(["T", " "]))
def test_another_time_makes_no_difference(one, other, between):
    found = {fingerprint(f"lost at {moment.isoformat(between)}Z by x") for moment in (one, other)}

    assert len(found) == 1


@settings(deadline=None)
@given(VALUES, VALUES, st.sampled_from("'\"`"))
def test_another_quoted_value_makes_no_difference(one, other, quote):
    found = {fingerprint(f"value {quote}{value}{quote} of x is bad") for value in (one, other)}

    assert len(found) == 1


@settings(deadline=None)
@given(st.uuids(), st.uuids())
def test_another_id_makes_no_difference(one, other):
    assert fingerprint(f"query {one} died") == fingerprint(f"query {other} died")
    assert fingerprint(f"query {one.hex} died") == fingerprint(f"query {other.hex} died")


@settings(deadline=None)
@given(st.text() | st.text(alphabet="0123abcdef-_x'\"` \nsTZ:.,Mayon"))
@example("x1abcdefab")
@example("5'a'")
def test_whatever_is_said_has_a_fingerprint_and_what_is_normalized_stays_as_it_is(text):
    assert re.fullmatch(r"[0-9a-f]{12}", fingerprint(text))
    assert normalized(normalized(text)) == normalized(text)


@pytest.mark.parametrize(
    "repeated",
    ["'", '"', "'a'a ", "a", "1", "1 s ", "mon, ", "jan.", "01234567-0123-", "a in ", "\n", "0x"],
)
def test_a_message_of_any_length_comes_to_an_end(repeated):
    assert fingerprint(repeated * (300_000 // len(repeated)))
