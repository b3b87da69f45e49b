"""Signatures as the standard has them, verified by the library of others."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from shared.errors import PermanentFailure
from subscriber.standard_webhooks import message_id, signed, signing_key

KEY = b"a key of more than 24 bytes"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = '{"type":"dbt.run.failed","headline":"naïve 🙂"}'.encode()


def a_secret(size: int) -> str:
    return "whsec_" + base64.b64encode(b"\xfb" * size).decode()


def test_what_we_sign_the_independent_library_verifies() -> None:
    headers = signed(BODY, "1/oncall/job/7/100/open/1", datetime.now(UTC), [KEY])

    told = Webhook(SECRET).verify(BODY, dict(headers))

    assert told["headline"] == "naïve 🙂"


def test_a_body_that_was_changed_on_the_way_is_not_verified() -> None:
    headers = signed(BODY, "id", datetime.now(UTC), [KEY])

    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", dict(headers))


def test_while_a_secret_is_rotated_both_verify_it() -> None:
    another = a_secret(32)
    keys = [signing_key(SECRET, "secret"), signing_key(another, "former_secret")]

    headers = dict(signed(BODY, "id", datetime.now(UTC), keys))

    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, another):
        Webhook(secret).verify(BODY, headers)


def test_the_headers_say_which_event_it_is_and_when_it_was_sent() -> None:
    at = datetime(2026, 1, 5, 12, 0, 0, 999_999, tzinfo=UTC)

    headers = signed(BODY, "id", at, [KEY])

    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("id", "1767614400")


def test_another_time_is_another_signature() -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)

    one, two = (signed(BODY, "id", each, [KEY]) for each in (at, at + timedelta(seconds=1)))

    assert one["webhook-signature"] != two["webhook-signature"]


@pytest.mark.parametrize("size", [24, 25, 32, 64])
def test_a_key_has_24_to_64_bytes(size: int) -> None:
    assert signing_key(a_secret(size), "secret") == b"\xfb" * size


def test_padding_and_white_space_do_not_matter() -> None:
    assert signing_key(f" {a_secret(25).rstrip('=')}\n", "secret") == b"\xfb" * 25


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "whsec_",
        "a plain password of 32 characters",
        a_secret(32).removeprefix("whsec_"),
        a_secret(32).replace("whsec_", "whsk_"),
        a_secret(23),
        a_secret(65),
        a_secret(32) + "%",
        "whsec_ä" + "a" * 40,
    ],
)
def test_what_is_no_signing_secret_is_refused_and_not_repeated(kept: str) -> None:
    with pytest.raises(PermanentFailure, match="former_secret: what is kept there") as raised:
        signing_key(kept, "former_secret")

    assert "openssl rand" in str(raised.value)
    assert not kept or kept == "whsec_" or kept not in str(raised.value)


def test_an_id_can_be_read() -> None:
    assert message_id("1/on-call_2/job/7/100/open/1") == "1/on-call_2/job/7/100/open/1"


@pytest.mark.parametrize(
    ("key", "made"),
    [
        ("1/data.team/open/1", "1/data~2eteam/open/1"),
        ("~2e", "~7e2e"),
        ("ä b", "~c3~a4~20b"),
        ("\ud800", "~ed~a0~80"),
        ("x" * 200, "x" * 200),
    ],
)
def test_what_an_id_cannot_hold_is_spelled_out(key: str, made: str) -> None:
    assert message_id(key) == made


def test_a_long_id_is_hashed() -> None:
    one, two = message_id("x" * 201), message_id("x" * 202)

    assert one != two
    assert one.startswith("sha256/")
    assert len(one) == len("sha256/") + 64


@given(st.text(max_size=80), st.text(max_size=80))
def test_ids_are_stable_safe_and_differ_as_their_keys_do(one: str, two: str) -> None:
    assert message_id(one) == message_id(one)
    assert "." not in message_id(one)
    assert message_id(one).isascii()
    assert message_id(one).isprintable()
    assert (message_id(one) == message_id(two)) is (one == two)
