"""A mail as it came: who it is from and for, and what is wrong with its text.

Source: https://www.rfc-editor.org/rfc/rfc5322#section-3.6
"""

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage

ONCE = ("From", "Date")
AT_MOST_ONCE = (
    *("Sender", "Reply-To", "To", "Cc", "Bcc"),
    *("Message-ID", "In-Reply-To", "References", "Subject"),
)

_BARE_LINE_BREAK = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True)
class Mail:
    """One mail that was taken. `sender` and `recipients` are the envelope's.

    `user` is who had logged in, None if nobody had.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    message: EmailMessage
    is_encrypted: bool
    user: str | None = None

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    def body(self, kind: str = "plain") -> str:
        """What its part `text/KIND` says; empty if it has none."""
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part else ""


def read(content: bytes) -> EmailMessage:
    """The message, whose headers may be in UTF-8."""
    text = content.decode("utf-8", "surrogateescape")
    return email.message_from_string(text, policy=email.policy.SMTPUTF8)


def problems(content: bytes, *, is_utf8: bool, is_8bit: bool) -> Iterator[str]:
    """What servers refuse about a text, sent with SMTPUTF8 or as 8BITMIME or as neither."""
    if b"\0" in content:
        yield "it holds a null byte"
    if _BARE_LINE_BREAK.search(content):
        yield "a line ends in a bare CR or LF"
    if not content.isascii() and not (is_8bit or is_utf8):
        yield "it has 8 bits and was not said to"
    headers, _, _ = content.partition(b"\r\n\r\n")
    if not headers.isascii() and not is_utf8:
        yield "its headers are not ASCII, without SMTPUTF8"
    for problem in _problems_of_headers(read(content)):
        if not (is_utf8 and "NonASCIILocalPart" in problem):
            yield problem


def _problems_of_headers(message: EmailMessage) -> Iterator[str]:
    for name in ONCE:
        if len(message.get_all(name, [])) != 1:
            yield f"it has not exactly one {name}"
    for name in AT_MOST_ONCE:
        if len(message.get_all(name, [])) > 1:
            yield f"it has more than one {name}"
    for part in message.walk():
        yield from (f"{type(defect).__name__} in its structure" for defect in part.defects)
    for name, value in message.items():
        yield from (f"{type(defect).__name__} in its {name}" for defect in value.defects)
