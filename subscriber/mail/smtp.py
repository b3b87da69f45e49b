"""SMTP: one mail handed over to one server, and who of its recipients was refused.

Not by smtplib: that says the same of a connection that breaks before the mail is sent as after it,
tries a wrong password with one mechanism after the other, and lets a server that dribbles take all
the time there is.

Sources: https://www.rfc-editor.org/rfc/rfc5321, https://www.rfc-editor.org/rfc/rfc6409
(submission), https://www.rfc-editor.org/rfc/rfc4954 (login), https://www.rfc-editor.org/rfc/rfc6531
(SMTPUTF8)
"""

import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from shared.errors import TemporaryFailure
from subscriber.mail.smtp_line import NoReply, SmtpLine, SmtpReply
from subscriber.mail.smtp_refusals import Step, failure
from subscriber.outbound import CONNECT_TIMEOUT_S, Busy, Refused, UnknownOutcome

CONVERSATION_S = 28.0  # all of it; twice, where a secret is read anew, is less than a lease
GOODBYE_S = 1.0

NO_UTF8 = SmtpReply(553, ("5.6.7 SMTPUTF8 is not offered",))


@dataclass(frozen=True)
class Server:
    """Where it is and how to get in. Without a `user` nobody logs in.

    `is_tls` says that it speaks TLS from the start; else it is asked to by STARTTLS. Where
    `may_be_plain`, it need not offer that, and then hears no password. `ca_file`, if given, names
    the only authorities that are trusted.
    """

    host: str
    port: int
    is_tls: bool
    may_be_plain: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""

    @property
    def plain_login(self) -> str:
        return base64(f"\0{self.user}\0{self.password}")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password in each form in which a server may repeat it."""
        forms = (self.plain_login, base64(self.password), self.password)
        return forms if self.password else ()


@dataclass(frozen=True)
class Patience:
    """How long to wait for an answer, and for the one to the mail, which is looked at before."""

    answer_s: float
    mail_s: float


@contextmanager
def session(server: Server, name: str, patience: Patience) -> Iterator["Session"]:
    """A session in which a mail can be handed over, encrypted and logged in; `name` is ours.

    Raises Refused for what another try cannot change, Busy for what it may.
    """
    until = time.monotonic() + CONVERSATION_S
    line = SmtpLine(_connection(server), until)
    try:
        begun = Session(server, line, patience)
        begun.begin(name)
        yield begun
        with suppress(NoReply):
            line.ask("QUIT", GOODBYE_S)
    finally:
        line.close()


class Session:
    """What is said to a server, in order. Its methods raise Refused, Busy or UnknownOutcome."""

    def __init__(self, server: Server, line: SmtpLine, patience: Patience) -> None:
        self._server = server
        self._line = line
        self._patience = patience
        self._offers: Mapping[str, str] = {}

    @property
    def size_limit_bytes(self) -> int | None:
        """The largest mail that the server says it takes; None if it says nothing of that."""
        said = self._offers.get("SIZE", "")
        return int(said) or None if said.isascii() and said.isdigit() else None

    @property
    def takes_utf8(self) -> bool:
        """Whether addresses may be in any script."""
        return "SMTPUTF8" in self._offers

    def begin(self, name: str) -> None:
        """Greet, encrypt, log in."""
        if self._server.is_tls:
            self._encrypt()
        hint = "" if self._server.is_tls else "; does that port want `security: tls`?"
        with self._failures(hint):
            greeting = self._line.reply(self._patience.answer_s)
        self._expect("greeting", greeting, 220)
        self._greet(name)
        if not self._server.is_tls and "STARTTLS" in self._offers:
            self._expect("STARTTLS", self._ask("STARTTLS"), 220)
            self._encrypt()
            self._greet(name)
        if not self._line.is_encrypted and not self._server.may_be_plain:
            raise Refused(
                f"{self._server.host} offers no STARTTLS, and nothing is sent unencrypted; "
                "check `port` and `security`",
                status=0,
            )
        if self._server.user and self._line.is_encrypted:
            self._log_in()

    def hand_over(
        self, sender: str, recipients: Sequence[str], content: bytes, *, is_utf8: bool
    ) -> dict[str, SmtpReply]:
        """Hand over `content` for `recipients`; returns those who were refused, with the answers.

        The mail is sent if any of them was not; it is not if all were. `is_utf8` says that the
        mail or an address is not ASCII. UnknownOutcome is raised where all of it was sent and no
        answer came. Not safe to repeat: who gets it twice sees it twice.
        """
        options = f" SIZE={len(content)}" if "SIZE" in self._offers else ""
        if is_utf8 and self.takes_utf8:
            options += " BODY=8BITMIME SMTPUTF8" if "8BITMIME" in self._offers else " SMTPUTF8"
        refused = self._begin_mail(sender, recipients, options)
        if len(refused) < len(recipients):
            self._send(content)
        return refused

    def try_out(self, sender: str, recipients: Sequence[str]) -> dict[str, SmtpReply]:
        """Begin a mail and take it back; returns those who would be refused, with the answers.

        Nobody gets anything. Safe to repeat.
        """
        is_utf8 = self.takes_utf8 and not all(map(str.isascii, (sender, *recipients)))
        refused = self._begin_mail(sender, recipients, " SMTPUTF8" if is_utf8 else "")
        self._ask("RSET")
        return refused

    def _begin_mail(
        self, sender: str, recipients: Sequence[str], options: str
    ) -> dict[str, SmtpReply]:
        """Say who writes to whom; returns those who were refused, with the answers."""
        if not self.takes_utf8 and not sender.isascii():
            raise failure(self._server.host, "MAIL", NO_UTF8, self._server.secrets)
        self._expect("MAIL", self._ask(f"MAIL FROM:<{sender}>{options}"), 250)
        answers = {recipient: self._offered(recipient) for recipient in recipients}
        return {who: reply for who, reply in answers.items() if reply.code // 100 != 2}

    def _offered(self, recipient: str) -> SmtpReply:
        if not self.takes_utf8 and not recipient.isascii():
            return NO_UTF8
        reply = self._ask(f"RCPT TO:<{recipient}>")
        if reply.code == 421:  # the server closes
            raise failure(self._server.host, "RCPT", reply, self._server.secrets)
        return reply

    def _send(self, content: bytes) -> None:
        self._expect("DATA", self._ask("DATA"), 354)
        with self._failures():
            self._line.send(_with_dots(content), self._patience.mail_s)
        try:
            self._line.send(b".\r\n", self._patience.answer_s)
            reply = self._line.reply(self._patience.mail_s)
        except NoReply as broken:
            raise UnknownOutcome(
                f"{self._server.host} {broken} after the whole mail was sent"
            ) from None
        self._expect("end", reply, 250)

    def _greet(self, name: str) -> None:
        reply = self._ask(f"EHLO {name}")
        self._expect("EHLO", reply, 250)
        words = [line.partition(" ") for line in reply.lines[1:]]
        self._offers = {keyword.upper(): said.strip() for keyword, _, said in words}

    def _log_in(self) -> None:
        mechanisms = self._offers.get("AUTH", "").upper().split()
        if "PLAIN" in mechanisms:
            self._expect("AUTH", self._ask(f"AUTH PLAIN {self._server.plain_login}"), 235)
        elif "LOGIN" in mechanisms:
            self._expect("AUTH", self._ask("AUTH LOGIN"), 334)
            self._expect("AUTH", self._ask(base64(self._server.user)), 334)
            self._expect("AUTH", self._ask(base64(self._server.password)), 235)
        else:
            raise Refused(
                f"{self._server.host} offers no login by password (PLAIN or LOGIN), and Afterrun "
                "knows no other; leave out `user` and `password`, or send through another relay",
                status=0,
            )

    def _encrypt(self) -> None:
        host = self._server.host
        try:
            with self._failures():
                self._line.encrypt(_trust(self._server), host, self._patience.answer_s)
        except ssl.SSLError as error:
            raise Busy(f"{host}: no trusted TLS connection could be made{_why(error)}") from None

    def _ask(self, command: str) -> SmtpReply:
        with self._failures():
            return self._line.ask(command, self._patience.answer_s)

    def _expect(self, step: Step, reply: SmtpReply, code: int) -> None:
        """Raise unless the server said `code`, or another of its hundred."""
        if reply.code // 100 != code // 100:
            raise failure(self._server.host, step, reply, self._server.secrets)

    @contextmanager
    def _failures(self, hint: str = "") -> Iterator[None]:
        try:
            yield
        except NoReply as broken:
            raise Busy(f"{self._server.host} {broken}{hint}") from None


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _connection(server: Server) -> socket.socket:
    try:
        return socket.create_connection((server.host, server.port), CONNECT_TIMEOUT_S)
    except TimeoutError:
        raise Busy(f"{server.host} could not be reached in {CONNECT_TIMEOUT_S:.0f} s") from None
    except (OSError, UnicodeError):
        raise Busy(f"{server.host} could not be reached") from None


def _trust(server: Server) -> ssl.SSLContext:
    if not server.ca_file:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except OSError:  # as it is when it holds no certificate
        raise TemporaryFailure(
            f"{server.host}: `ca_file` cannot be read, or holds no certificates in PEM"
        ) from None


def _why(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f": {error.verify_message}"
    if error.reason == "WRONG_VERSION_NUMBER":
        return "; does that port want `security: starttls`?"
    return ""


def _with_dots(content: bytes) -> bytes:
    """`content` with a dot before each line that begins with one, as SMTP wants it."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
