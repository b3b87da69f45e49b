"""The postmaster: decides who may send, which mails are taken, and keeps them.

Its methods are called by aiosmtpd, by these names.
"""

from hmac import compare_digest

from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from lab import mail_message
from lab.limits import Window
from lab.mail_faults import MailFaults
from lab.mail_message import Mail
from lab.mail_session import MailSession
from lab.timeline import Timeline

SIDE = "E-mail"
OK = "250 2.1.0 OK"


class Postmaster:
    """`taken` are the mails that were; who comes encrypted has to log in."""

    def __init__(
        self,
        user: str,
        password: str,
        faults: MailFaults,
        timeline: Timeline,
        *,
        is_8bit: bool,
        window: Window | None,
    ) -> None:
        self.taken: list[Mail] = []
        self._credentials = LoginPassword(user.encode(), password.encode())
        self._faults = faults
        self._timeline = timeline
        self._is_8bit = is_8bit
        self._window = window

    def logged_in(
        self,
        server: MailSession,
        session: Session,
        envelope: Envelope,
        mechanism: str,
        said: LoginPassword,
    ) -> AuthResult:
        known = compare_digest(b"\0".join(said), b"\0".join(self._credentials))
        return AuthResult(success=known, handled=False, auth_data=said)

    async def handle_EHLO(  # noqa: N802 - the names are aiosmtpd's
        self,
        server: MailSession,
        session: Session,
        envelope: Envelope,
        hostname: str,
        answer: list[str],
    ) -> list[str]:
        session.host_name = hostname
        hidden = ("HELP",) if self._is_8bit else ("HELP", "8BITMIME")
        offers = [line[4:] for line in answer if not line[4:].startswith(hidden)]
        return [*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}"]

    async def handle_MAIL(  # noqa: N802
        self,
        server: MailSession,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if server.is_encrypted and not session.authenticated:
            return self._refused("530 5.7.0 Authentication required")
        if self._window is not None and self._window.take():
            return self._refused("450 4.7.1 Too many messages, slow down")
        if not self._is_8bit and "BODY=8BITMIME" in options:
            return self._refused("555 5.5.4 8BITMIME is not offered")
        if not address.isascii() and not envelope.smtp_utf8:
            return self._refused("553 5.6.7 The address needs SMTPUTF8")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return OK

    async def handle_RCPT(  # noqa: N802
        self,
        server: MailSession,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if not address.isascii() and not envelope.smtp_utf8:
            return self._refused("553 5.6.7 The address needs SMTPUTF8")
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: MailSession, session: Session, envelope: Envelope
    ) -> str:
        fault = self._faults.take("end")
        if fault is not None and fault.kind == "answer":
            return self._refused(fault.reply)
        if fault is not None and fault.kind != "lost":
            await server.suffer(fault)
        content = envelope.original_content or b""
        is_8bit = "BODY=8BITMIME" in envelope.mail_options
        wrong = mail_message.problems(content, is_utf8=envelope.smtp_utf8, is_8bit=is_8bit)
        if what := "; ".join(wrong):
            return self._refused(f"554 5.6.0 Message refused: {what}")
        self._take(session, envelope, content, is_encrypted=server.is_encrypted)
        if fault is not None:
            await server.suffer(fault)
        return "250 2.0.0 OK, queued"

    async def handle_exception(self, error: Exception) -> str:
        """A client that does not trust the certificate, mostly: nothing to write of in a log."""
        return "451 4.3.0 Local error"

    def _take(
        self, session: Session, envelope: Envelope, content: bytes, *, is_encrypted: bool
    ) -> None:
        mail = Mail(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            content=content,
            message=mail_message.read(content),
            is_encrypted=is_encrypted,
            user=session.auth_data.login.decode() if session.auth_data else None,
        )
        self.taken.append(mail)
        to = ", ".join(mail.recipients)
        facts = {"from": mail.sender, "to": to, "message_id": str(mail.message["Message-ID"])}
        self._timeline.saw(SIDE, f"mail taken for {to}: {mail.subject}", **facts)

    def _refused(self, reply: str) -> str:
        self._timeline.saw(SIDE, f"mail refused: {reply}")
        return reply
