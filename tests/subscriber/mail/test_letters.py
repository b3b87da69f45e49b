import email
import email.policy
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import mail_message
from subscriber.mail import mailboxes
from subscriber.mail.letters import Letter
from subscriber.mail.mailboxes import Mailbox
from tests.builders import NOW


def a_letter(**fields: Any) -> Letter:
    return Letter(
        **{
            "sender": mailboxes.read("Afterrun <afterrun@example.com>"),
            "to": [mailboxes.read("anne@example.com")],
            "cc": [],
            "subject": "orders failed",
            "date": NOW,
            "message_id": "<afterrun.1@example.com>",
            "in_reply_to": "",
            "text": "no such column\n",
            "html": "<p>no such column</p>\n",
            **fields,
        }
    )


def read(letter: Letter) -> EmailMessage:
    return email.message_from_bytes(letter.as_bytes(), policy=email.policy.default)


def said(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_letter_is_read_as_it_was_written() -> None:
    message = read(a_letter(cc=[mailboxes.read("Bob <bob@example.com>")]))

    assert message["From"] == "Afterrun <afterrun@example.com>"
    assert (message["To"], message["Cc"]) == ("anne@example.com", "Bob <bob@example.com>")
    assert message["Subject"] == "orders failed"
    assert message["Message-ID"] == "<afterrun.1@example.com>"
    assert (said(message, "plain"), said(message, "html")) == (
        "no such column\n",
        "<p>no such column</p>\n",
    )


def test_it_says_that_a_program_sent_it_and_wants_no_answer() -> None:
    message = read(a_letter())

    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"


def test_the_text_comes_first_so_that_programs_prefer_the_html() -> None:
    message = read(a_letter())

    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_its_date_is_in_utc() -> None:
    in_india = datetime(2026, 1, 5, 17, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    assert read(a_letter(date=in_india))["Date"] == "Mon, 05 Jan 2026 12:00:00 +0000"


def test_an_answer_names_what_it_answers() -> None:
    long = f"<{'a' * 60}@{'b' * 60}.example.com>"

    raw = a_letter(in_reply_to=long).as_bytes()

    assert f"\r\nIn-Reply-To: {long}\r\nReferences: {long}\r\n".encode() in raw
    assert b"In-Reply-To" not in a_letter().as_bytes()


def test_without_anybody_to_name_there_is_no_to() -> None:
    assert b"\r\nTo:" not in a_letter(to=[]).as_bytes()


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=200)
LINES = TEXTS.map(lambda text: " ".join(text.split()))


@given(subject=LINES, text=TEXTS, html=TEXTS)
def test_any_text_makes_a_mail_that_servers_take_and_people_read(
    subject: str, text: str, html: str
) -> None:
    letter = a_letter(subject=subject.replace("\0", ""), text=text, html=html)

    raw = letter.as_bytes()

    assert list(mail_message.problems(raw, is_utf8=False, is_8bit=False)) == []
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    message = read(letter)
    assert said(message, "plain") == text.replace("\r\n", "\n")
    assert [*message.keys()] == [*read(a_letter()).keys()]


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?q?x=0D=0ABcc:_bob@example.com?=",
        "naïve " * 24,
        "👩‍👩‍👧 " * 20,
        "x" * 150,
        "\u05e9\u05dc \u202eabc",
    ],
)
def test_a_subject_is_read_as_it_was_written_whatever_it_looks_like(subject: str) -> None:
    message = read(a_letter(subject=subject.strip()))

    assert message["Subject"] == subject.strip()
    assert message["Bcc"] is None


def test_half_a_character_does_not_stop_a_mail() -> None:
    assert "a?b" in said(read(a_letter(text="a\ud83db\n")), "plain")


def test_an_address_that_is_not_ascii_takes_smtputf8_and_nothing_else_does() -> None:
    zoe = Mailbox("zoë", "example.com", "Zoë")
    letter = a_letter(to=[zoe], subject="naïve")

    assert not a_letter(to=[replace(zoe, local="zoe")], subject="naïve").needs_utf8
    assert letter.needs_utf8
    raw = letter.as_bytes()
    assert list(mail_message.problems(raw, is_utf8=True, is_8bit=False)) == []
    assert "<zoë@example.com>".encode() in raw


def test_what_separates_the_parts_is_in_neither() -> None:
    raw = a_letter().as_bytes()
    boundary = read(a_letter()).get_boundary()
    assert boundary is not None

    forged = a_letter(text=f"--{boundary}\nContent-Type: text/html\n\nforged\n")

    assert raw.count(boundary.encode()) == 4
    assert "forged" in said(read(forged), "plain")
    assert len(list(read(forged).iter_parts())) == 2


def test_each_text_is_sent_in_the_shorter_of_two_forms() -> None:
    chinese = a_letter(text="订单失败\n" * 100)

    assert b"base64" in chinese.as_bytes()
    assert b"base64" not in a_letter().as_bytes()
    assert said(read(chinese), "plain") == "订单失败\n" * 100
