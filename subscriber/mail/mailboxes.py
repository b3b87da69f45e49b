"""Mailboxes: an address, perhaps with a name, as it is configured and as it goes over the wire.

Source: https://www.rfc-editor.org/rfc/rfc5322#section-3.4, https://www.rfc-editor.org/rfc/rfc6531
"""

import re
from dataclasses import dataclass
from email.header import Header

ADDRESS_LIMIT = 254  # octets, RFC 5321 §4.5.3.1.3 less the brackets
LOCAL_LIMIT = 64  # octets
NAME_LIMIT = 100  # characters; ours
WORD_LIMIT = 60  # characters of a word beside which a header's name fits on a line

_WRITTEN = re.compile(r"(?:(?P<name>[^<>]*)<(?P<in_brackets>[^<>]*)>|(?P<bare>[^<>]*))")
# no quoted local parts: nobody has one, and they may hold anything
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_DOMAIN = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
# two standards disagree about these, so that a mail might go to somebody else's domain
_AMBIGUOUS = frozenset("ßς\u200c\u200d")


@dataclass(frozen=True)
class Mailbox:
    """`domain` is in ASCII and lower case; `local` may be anything that SMTPUTF8 can carry."""

    local: str
    domain: str
    name: str = ""

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def needs_utf8(self) -> bool:
        return not self.local.isascii()

    @property
    def written(self) -> str:
        """As `read` reads it."""
        return f"{self.name} <{self.address}>" if self.name else self.address

    def header(self, header_name: str) -> str:
        """As it stands in a header; in ASCII, but for an address that is not."""
        if not self.name:
            return self.address
        if self.name.isascii() and "=?" not in self.name:
            quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{quoted}" <{self.address}>'
        return f"{encoded(self.name, header_name)} <{self.address}>"


def read(text: str) -> Mailbox:
    """The mailbox that is written as `anne@example.com` or `Anne <anne@example.com>`.

    Raises ValueError, which says what to write, for anything else: nothing in it can end a header
    or an SMTP command.
    """
    written = _WRITTEN.fullmatch(text.strip())
    if written is None or not text.isprintable():
        raise ValueError("write one address, such as anne@example.com or Anne <anne@example.com>")
    name = " ".join((written["name"] or "").split()).strip('"').strip()
    local, at, domain = (written["in_brackets"] or written["bare"] or "").strip().rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or len(local.encode()) > LOCAL_LIMIT:
        raise ValueError(
            "this is no e-mail address; write one such as anne@example.com, "
            "with nothing in quotation marks before the @"
        )
    mailbox = Mailbox(local, _in_ascii(domain), name)
    if len(mailbox.address.encode()) > ADDRESS_LIMIT or len(name) > NAME_LIMIT:
        raise ValueError(
            f"an address has at most {ADDRESS_LIMIT} characters, and the name beside it at most "
            f"{NAME_LIMIT}"
        )
    return mailbox


def encoded(text: str, header_name: str) -> str:
    """`text`, of one line, for the header of that name: folded, and in ASCII whatever it says.

    Text that looks like an encoded word is encoded itself, so that it is read as it is written; so
    is a word too long to stand on a line of its own.

    Source: https://www.rfc-editor.org/rfc/rfc2047
    """
    is_plain = text.isascii() and "=?" not in text and all(map(_is_short, text.split()))
    charset = "us-ascii" if is_plain else "utf-8"
    return Header(text, charset, header_name=header_name).encode(linesep="\r\n")


def _is_short(word: str) -> bool:
    return len(word) <= WORD_LIMIT


def _in_ascii(domain: str) -> str:
    try:
        ascii_only = domain.encode("idna").decode().lower()
    except UnicodeError:
        ascii_only = ""
    if not _DOMAIN.fullmatch(ascii_only) or _AMBIGUOUS & set(domain):
        raise ValueError(
            "what stands behind the @ is no domain; write one such as example.com, and one that "
            "is not ASCII in its form xn--…"
        )
    return ascii_only
