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
        ("Got 1 result, configured to fail if != 0", "Got 2 results, configured to fail if != 0"),
        ("1 row, 1 batch, 1 value", "20 rows, 3 batches, 1,024 values"),
        ("1 query of 1 class is bad", "7 queries of 2 classes is bad"),
        ("job_abc123def456 is gone", "job_zyx987wvu654 is gone"),
        ("bqjob_r1f2e3d4c_0000018f died", "bqjob_r9z8y7x6w_0000027g died"),
        ("sent N0RYQ4F0C1J5M9TA", "sent 7ZWKQ2HT5P8R1MXB"),
        ("sent Xy12Ab34", "sent 99Qq88Ww"),
        ("sent 5kyDpf7+Qz/aB3xY=, x", "sent aB3/Kq9Lm+2ZtT7rYw==, x"),
        ("of job_abc123def456 results", "of job_7 result"),
        (
            "bad (Request ID: abcdefgh, Extended Request ID: 5kyD/pf+x=)",
            "bad (Request ID: 5f-x, Extended Request ID: zz)",
        ),
        ("request_id=abc is bad", "request_id=x.7 is bad"),
        ("trace id: 'a b' is bad", "trace id: x is bad"),
        ("query id x1 is bad, job id: a", "query id zz9-y is bad, job id: b"),
        ("no such column: “amount”", "no such column: “price”"),
        (
            "no such column: \N{LEFT SINGLE QUOTATION MARK}amount\N{RIGHT SINGLE QUOTATION MARK}",
            "no such column: 'price'",
        ),
        ("couldn\N{RIGHT SINGLE QUOTATION MARK}t read", "couldn't read"),
        ("no stg_orders_v2 here", "no stg_orders_v3 here"),
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
        ("no such table: stg_orders_v2", "no such table: dim_customer_2024"),
        ("no such table: customer2024", "no such table: payments2024"),
        ("no such table: stg_customers", "no such table: int_customers"),
        ("job id is not known", "job id was not known"),
        ("the job id unknown", "the job id missing"),
        ("read orders=5", "read payments=5"),
        ("Got 1 result", "Got 1 error"),
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
@example("1 es")
@example("request id: job id= 5 classes")
@example("5'a'")
def test_whatever_is_said_has_a_fingerprint_and_what_is_normalized_stays_as_it_is(text):
    assert re.fullmatch(r"[0-9a-f]{12}", fingerprint(text))
    assert normalized(normalized(text)) == normalized(text)


@pytest.mark.parametrize(
    "repeated",
    [
        *(
            "'",
            '"',
            "'a'a ",
            "a",
            "1",
            "1 s ",
            "mon, ",
            "jan.",
            "01234567-0123-",
            "a in ",
            "\n",
            "0x",
        ),
        *("request id", "request id: '", "job id a", "job id: “", "a1", "aaaaaaa/", "aaaaaaaa="),
        *("1 e", "1  s", "1 batches ", "job id \t"),
    ],
)
def test_a_message_of_any_length_comes_to_an_end(repeated):
    assert fingerprint(repeated * (300_000 // len(repeated)))


def test_many_blank_lines_take_no_longer_than_their_number():
    assert fingerprint("Database Error" + "\n" * 400_000 + "x") == fingerprint("Database Error x")
