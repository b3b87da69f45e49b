"""A connection that speaks SMTP's lines; no wait on it is without an end, even if answers dribble.

Source: https://www.rfc-editor.org/rfc/rfc5321#section-4.2
"""

import re
import socket
import ssl
import time
from dataclasses import dataclass

REPLY_LIMIT_BYTES = 64_000  # all lines of one reply

_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?")
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")


@dataclass(frozen=True)
class SmtpReply:
    """What a server answered to one command. `lines` are without the codes before them."""

    code: int
    lines: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        return self.code < 400

    @property
    def is_later(self) -> bool:
        return 400 <= self.code < 500

    @property
    def text(self) -> str:
        return " ".join(self.lines)

    @property
    def enhanced(self) -> str:
        """The code that says more, such as 5.7.30; empty if there is none."""
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        return found[0] if found else ""


class NoReply(Exception):
    """The connection broke, fell silent or said what is no SMTP. `str` says which, for people."""


class SmtpLine:
    """One connection. Every method raises NoReply; after that there is nothing more to say."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        """All of it ends at the monotonic time `until`."""
        self._connection = connection
        self._until = until
        self._came = bytearray()

    @property
    def is_encrypted(self) -> bool:
        return isinstance(self._connection, ssl.SSLSocket)

    def ask(self, command: str, within_s: float) -> SmtpReply:
        """Say one command and read the reply to it. `command` holds no line break."""
        self.send(command.encode() + b"\r\n", within_s)
        return self.reply(within_s)

    def send(self, data: bytes, within_s: float) -> None:
        try:
            self._connection.settimeout(self._left(within_s))
            self._connection.sendall(data)
        except TimeoutError:
            raise NoReply(f"did not take what was sent in {within_s:g} s") from None
        except OSError:
            raise NoReply("broke the connection") from None

    def reply(self, within_s: float) -> SmtpReply:
        until, size, lines = time.monotonic() + within_s, 0, []
        while True:
            line = self._line(until, within_s)
            size += len(line)
            told = _REPLY_LINE.fullmatch(line)
            if told is None or size > REPLY_LIMIT_BYTES:
                raise NoReply("gave an answer that is not SMTP")
            lines.append((told[3] or b"").decode("utf-8", "replace").strip())
            if told[2] != b"-":
                return SmtpReply(int(told[1]), tuple(lines))

    def encrypt(self, context: ssl.SSLContext, host: str, within_s: float) -> None:
        """Speak TLS from here on. What came before is forgotten: it may be anybody's.

        Raises ssl.SSLError if no trusted connection can be made.
        """
        self._came.clear()
        try:
            self._connection.settimeout(self._left(within_s))
            self._connection = context.wrap_socket(self._connection, server_hostname=host)
        except TimeoutError:
            raise NoReply(f"did not answer in {within_s:g} s") from None
        except ssl.SSLError:
            raise
        except OSError:
            raise NoReply("broke the connection") from None

    def close(self) -> None:
        self._connection.close()

    def _line(self, until: float, within_s: float) -> bytes:
        while b"\n" not in self._came:
            if len(self._came) > REPLY_LIMIT_BYTES:
                raise NoReply("gave an answer that is not SMTP")
            try:
                self._connection.settimeout(self._left(until - time.monotonic()))
                came = self._connection.recv(4_096)
            except TimeoutError:
                raise NoReply(f"did not answer in {within_s:g} s") from None
            except OSError:
                raise NoReply("broke the connection") from None
            if not came:
                raise NoReply("broke the connection")
            self._came += came
        line, _, rest = bytes(self._came).partition(b"\n")
        self._came = bytearray(rest)
        return line.rstrip(b"\r")

    def _left(self, within_s: float) -> float:
        left = min(within_s, self._until - time.monotonic())
        if left <= 0:
            raise TimeoutError
        return left
