"""What is said beside a refusal, and how much of what a vendor says."""

import pytest

from shared.errors import PermanentFailure
from subscriber import fixes
from subscriber.outbound import Busy, Refused, Reply, UnknownOutcome

FIXES = {404: "look for it elsewhere"}


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(Refused) as raised, fixes.named(FIXES, pause_s=1):
        raise Refused("x.example answered 404", 404, Reply(404, {"a": 1}))

    assert str(raised.value) == "x.example answered 404: look for it elsewhere"
    assert (raised.value.status, raised.value.reply.content) == (404, {"a": 1})


def test_a_refusal_of_which_nothing_is_known_stays_as_it_is() -> None:
    with pytest.raises(Refused, match=r"^x\.example answered 418$"), fixes.named(FIXES, pause_s=1):
        raise Refused("x.example answered 418", 418)


def test_what_the_vendor_says_stands_at_the_end() -> None:
    said = fixes.named(FIXES, pause_s=1, says=lambda reply: reply.text("message"))
    with pytest.raises(Refused) as raised, said:
        raise Refused("x.example answered 404", 404, Reply(404, {"message": "gone"}))

    assert str(raised.value) == "x.example answered 404: look for it elsewhere: it says: gone"


def test_other_failures_are_not_touched() -> None:
    with pytest.raises(PermanentFailure, match=r"^nothing was sent$"), fixes.named({}, pause_s=1):
        raise PermanentFailure("nothing was sent")


@pytest.mark.parametrize(
    ("status", "headers", "told", "pause_s"),
    [
        (429, {}, 30.0, 300),
        (429, {"Retry-After": "soon"}, 30.0, 300),
        (429, {"Retry-After": "0"}, 0.0, 0),
        (429, {"Retry-After": "77"}, 77.0, 77),
        (503, {}, None, None),
        (None, {}, None, None),
    ],
)
@pytest.mark.parametrize("kind", [Busy, UnknownOutcome])
def test_a_429_that_does_not_say_how_long_is_waited_for_as_long_as_the_vendor_wants(
    kind: type[Busy],
    status: int | None,
    headers: dict[str, str],
    told: float | None,
    pause_s: float | None,
) -> None:
    reply = Reply(status or 0, headers=headers)
    with pytest.raises(kind) as raised, fixes.named({}, pause_s=300):
        raise kind("busy", status=status, retry_after_s=told, reply=reply)

    assert type(raised.value) is kind
    assert (raised.value.status, raised.value.retry_after_s) == (status, pause_s)


def test_what_is_quoted_is_one_clean_line_without_secrets() -> None:
    said = fixes.quoted("no\r\n\x00 \u202esuch s3cret, Bearer abcdef0123456789", "s3cret", "")

    assert said == "no such [redacted], Bearer [redacted]"


def test_what_is_quoted_is_short_and_quickly_cut() -> None:
    said = fixes.quoted("s3cret 🙂" * 1_000_000, "s3cret")

    assert len(said) <= 200
    assert said.endswith("…")
    assert "s3cret" not in said
