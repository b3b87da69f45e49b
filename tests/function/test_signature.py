"""A signature is accepted from whoever knows one of the secrets, and from nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.signature import BadSignature, Secret, digest_of, verify
from tests.builders import signed

BODY = b'{"eventId": "wev_1"}'
OLD, NEW = Secret("secret:old", b"old"), Secret("secret:new", b"new")


def test_the_secret_that_signed_it_is_found_among_several():
    digest = signed(BODY, "new")

    assert verify(BODY, digest, [OLD, NEW]) is NEW
    assert verify(BODY, digest, [NEW, OLD]) is NEW


def test_a_digest_computed_elsewhere_verifies():
    # printf '{"a": 1}' | openssl dgst -sha256 -hmac whsec
    digest = "35eb61ab10a3dd3e40172c58b2622944af705990fc8dd3d96103d8b28ca28bb1"
    secret = Secret("env:S", b"whsec")

    assert verify(b'{"a": 1}', digest, [secret]) is secret


@given(body=st.binary(), secret=st.text(min_size=1))
def test_any_body_signed_with_any_secret_verifies(body: bytes, secret: str):
    key = Secret("env:S", secret.encode())

    assert verify(body, signed(body, secret), [key]) is key


@given(body=st.binary(), other=st.binary())
def test_no_other_body_verifies(body: bytes, other: bytes):
    if body == other:
        return

    with pytest.raises(BadSignature, match="wrong signature"):
        verify(other, signed(body, "old"), [OLD, NEW])


def test_nothing_verifies_without_a_secret():
    with pytest.raises(BadSignature):
        verify(BODY, signed(BODY, ""), [])


@given(position=st.integers(0, 63))
def test_a_digest_that_differs_anywhere_is_wrong(position: int):
    digest = signed(BODY, "old")
    changed = "0" if digest[position] != "0" else "1"

    with pytest.raises(BadSignature):
        verify(BODY, digest[:position] + changed + digest[position + 1 :], [OLD])


def test_a_digest_in_capitals_is_the_same_digest():
    assert digest_of([signed(BODY, "old").upper()]) == signed(BODY, "old")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "no signature"),
        ([""], "malformed"),
        (["0" * 63], "malformed"),
        (["0" * 65], "malformed"),
        (["0" * 63 + "g"], "malformed"),
        (["0" * 64 + "\n"], "malformed"),
        (["Bearer " + "0" * 64], "malformed"),
        (["sha256=" + "0" * 64], "malformed"),
        (["é" * 64], "malformed"),
        (["²" * 64], "malformed"),
        (["0" * 64, "0" * 64], "repeated"),
        (["0" * 64, ""], "repeated"),
    ],
)
def test_what_is_not_one_header_of_64_hex_digits_is_no_signature(headers: list[str], reason: str):
    with pytest.raises(BadSignature, match=reason):
        digest_of(headers)


@given(header=st.text(st.characters(max_codepoint=255)))
def test_any_header_is_a_digest_or_a_bad_signature(header: str):
    try:
        digest = digest_of([header])
    except BadSignature:
        return

    assert len(digest) == 64
    assert digest.isascii()


def test_a_secret_does_not_show_its_value():
    assert "hush" not in repr(Secret("env:S", b"hush"))
