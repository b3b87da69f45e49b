"""Letters: a mail as it goes over the wire, in ASCII whatever it says. Pure.

The headers are written here rather than by `email.message`, which encodes a long In-Reply-To, so
that nobody threads by it, and takes the names of recipients apart at every space.

Source: https://www.rfc-editor.org/rfc/rfc5322, https://www.rfc-editor.org/rfc/rfc2045
"""

import binascii
from base64 import encodebytes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256

from subscriber.mail.mailboxes import Mailbox, encoded


@dataclass(frozen=True)
class Letter:
    """`subject` is of one line; `message_id` and `in_reply_to` (empty for none) are in brackets.

    Who gets it without the others seeing it is not in here: that is the envelope's.
    """

    sender: Mailbox
    to: Sequence[Mailbox]
    cc: Sequence[Mailbox]
    subject: str
    date: datetime
    message_id: str
    in_reply_to: str
    text: str
    html: str

    @property
    def needs_utf8(self) -> bool:
        """Whether it holds an address that only SMTPUTF8 can carry."""
        return any(mailbox.needs_utf8 for mailbox in (self.sender, *self.to, *self.cc))

    def headers(self) -> Iterator[tuple[str, str]]:
        """What says who wrote what to whom, as it is read."""
        yield "From", self.sender.written
        yield "To", ", ".join(mailbox.written for mailbox in self.to)
        yield "Cc", ", ".join(mailbox.written for mailbox in self.cc)
        yield "Subject", self.subject
        yield from self._plain_headers()

    def as_bytes(self) -> bytes:
        """The whole of it, its lines ended by CRLF and none longer than 998 characters."""
        headers = [
            f"From: {self.sender.header('From')}",
            *_recipients("To", self.to),
            *_recipients("Cc", self.cc),
            f"Subject: {encoded(self.subject, 'Subject')}",
            *(f"{name}: {value}" for name, value in self._plain_headers() if value),
            "MIME-Version: 1.0",
        ]
        parts = [_part("plain", self.text), _part("html", self.html)]
        # found nowhere in the parts, of which it is a digest
        boundary = f"afterrun-{sha256(b''.join(parts)).hexdigest()[:32]}"
        headers.append(f'Content-Type: multipart/alternative; boundary="{boundary}"')
        between = f"\r\n--{boundary}".encode()
        body = b"".join(between + b"\r\n" + part for part in parts) + between + b"--\r\n"
        return "\r\n".join(headers).encode() + b"\r\n" + body

    def _plain_headers(self) -> Iterator[tuple[str, str]]:
        yield "Date", format_datetime(self.date.astimezone(UTC))
        yield "Message-ID", self.message_id
        yield "In-Reply-To", self.in_reply_to
        yield "References", self.in_reply_to
        # no automatic answers: RFC 3834, and Exchange's own
        yield "Auto-Submitted", "auto-generated"
        yield "X-Auto-Response-Suppress", "All"


def _recipients(name: str, mailboxes: Sequence[Mailbox]) -> list[str]:
    written = ",\r\n ".join(mailbox.header(name) for mailbox in mailboxes)
    return [f"{name}: {written}"] if written else []


def _part(kind: str, text: str) -> bytes:
    """A part of the type `text/KIND`, in whichever encoding makes it shorter."""
    # half a surrogate pair cannot be written
    raw = text.encode("utf-8", "replace")
    quoted = binascii.b2a_qp(raw, istext=True).replace(b"\n", b"\r\n")
    base64 = encodebytes(raw).replace(b"\n", b"\r\n")
    encoding, body = ("quoted-printable", quoted)
    if len(base64) < len(quoted):
        encoding, body = ("base64", base64)
    head = (
        f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + body
