"""E-mail: a mail over SMTP to everybody it concerns; an episode is one thread.

Sources: https://www.rfc-editor.org/rfc/rfc6409 (submission),
https://www.rfc-editor.org/rfc/rfc8314 (TLS from the start)
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from shared import log
from shared.settings import is_loopback
from subscriber.actions import Action, Handle, Message
from subscriber.destination import Destination, Does
from subscriber.examined import Examined
from subscriber.mail import mailboxes, smtp, threads
from subscriber.mail.letters import Letter
from subscriber.mail.mailboxes import Mailbox
from subscriber.mail.recipients import SoFar
from subscriber.mail.smtp import Patience, Server
from subscriber.mail.smtp_addresses import server_name, server_url
from subscriber.mail.smtp_line import SmtpReply
from subscriber.mail.smtp_refusals import answered
from subscriber.outbound import Outbound
from subscriber.page import page
from subscriber.saying import email as saying
from subscriber.shortening import fitting

STARTTLS_PORT, TLS_PORT = 587, 465
SIZE_LIMIT_BYTES = 100_000  # of the whole mail; Gmail hides what is beyond 102 KB
RECIPIENTS_LIMIT = 100  # of one mail, as every server has to take: RFC 5321 §4.5.3.1.8


class Email(Destination):
    """`host` takes the mails from `user`; `base_url`, smtp:// or smtps://, takes its place.

    `security` is how it is encrypted: by STARTTLS, or from the start, as on port 465. `bcc` is in
    no header. `ca_file` is for a relay of one's own, with an authority of one's own.
    """

    does: ClassVar[Does] = Does.TELL
    repeatable: ClassVar[bool] = False  # people see it twice
    # Microsoft 365's limit; other providers take more
    paces: ClassVar[tuple[tuple[int, timedelta], ...]] = ((30, timedelta(minutes=1)),)
    over_http: ClassVar[bool] = False

    host: str = Field("", description="the server that takes mails for sending")
    port: int | None = Field(
        default=None, ge=1, le=65_535, description="default 587; with `security: tls` 465"
    )
    security: Literal["starttls", "tls"] | None = Field(
        None, description="how it is encrypted: by STARTTLS, or from the start"
    )
    user: str = Field("", description="who logs in")
    password: SecretStr | None = Field(None, description="where the password is kept")
    sender: str = Field(
        description="who it comes from: afterrun@shop.example or Afterrun <afterrun@shop.example>"
    )
    to: tuple[str, ...] = Field(
        min_length=1, max_length=50, description="who gets it: an address, or a list of up to 50"
    )
    cc: tuple[str, ...] = Field(default=(), max_length=50, description="who gets a copy")
    bcc: tuple[str, ...] = Field(
        default=(), max_length=50, description="who gets a copy that the others do not see"
    )
    ca_file: str = Field(
        "", description="path of a PEM file with the authorities to trust instead of the system's"
    )
    base_url: str = Field(
        "", description="smtp://HOST:PORT or smtps://HOST:PORT in place of host, port and security"
    )

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        so_far = SoFar.of(action.so_far)
        left = so_far.left(self.recipients)
        if left:
            so_far = self._sent(action, outbound, so_far, left)
        place = threads.place(action, self._sender.domain)
        subject = place.opened or saying.subject(page(action))
        return threads.handle(place.message_id, subject, so_far.refused(self.recipients))

    def examine(self, outbound: Outbound) -> Examined:
        """Begins a mail to everybody and takes it back."""
        patience = Patience(outbound.read_timeout_s, outbound.whole_answer_s)
        everybody = [each.address for each in self.recipients]
        with smtp.session(self.server, self._sender.domain, patience) as session:
            refused = session.try_out(self._sender.address, everybody)
        said = self._said_of(refused)
        if len(refused) == len(everybody):
            SoFar().check(refused, said, len(everybody))
        takes = f"takes mails from {self._sender.address} to {len(everybody) - len(refused)}"
        login = f", logged in as {self.user}" if self.user else ""
        return Examined(
            f"{self.server.host} {takes} of {len(everybody)}{login}", doubts=tuple(said.values())
        )

    def shown(self, action: Action) -> str:
        letter = self.letter(action, action.occurred_at)
        headers = [f"{name}: {value}" for name, value in letter.headers() if value]
        return "\n".join([*headers, "", letter.text, letter.html])

    def letter(
        self,
        action: Action,
        date: datetime,
        *,
        limit_bytes: int = SIZE_LIMIT_BYTES,
        is_ascii: bool = False,
    ) -> Letter:
        """The mail about `action`, shortened to fit `limit_bytes`. Pure.

        `is_ascii` leaves addresses that are not ASCII out of its headers.
        """
        place = threads.place(action, self._sender.domain)
        to, cc = (
            [each for each in _read(written) if not (is_ascii and each.needs_utf8)]
            for written in (self.to, self.cc)
        )
        subject = saying.subject(page(action), place.opened)

        def of(message: Message) -> Letter:
            told = page(action, message)
            return Letter(
                sender=self._sender,
                to=to,
                cc=cc,
                subject=subject,
                date=date,
                message_id=place.message_id,
                in_reply_to=place.in_reply_to,
                text=saying.text(told),
                html=saying.html(told),
            )

        return fitting(action.message, of, lambda letter: len(letter.as_bytes()) <= limit_bytes)

    @property
    def recipients(self) -> list[Mailbox]:
        """Everybody who is to get it, each once."""
        everybody = _read((*self.to, *self.cc, *self.bcc))
        return list({each.address.casefold(): each for each in everybody}.values())

    @property
    def server(self) -> Server:
        """Where to hand it over: at `base_url`, else at `host`."""
        host, port, is_tls = self.host, self.port, self.security == "tls" or self.port == TLS_PORT
        if self.base_url:
            instead = urlsplit(self.base_url)
            host, port, is_tls = instead.hostname or "", instead.port, instead.scheme == "smtps"
        return Server(
            host,
            port or (TLS_PORT if is_tls else STARTTLS_PORT),
            is_tls=is_tls,
            may_be_plain=is_loopback(host),
            user=self.user,
            password=self.password.get_secret_value() if self.password else "",
            ca_file=self.ca_file,
        )

    @property
    def _sender(self) -> Mailbox:
        return mailboxes.read(self.sender)

    def _sent(
        self, action: Action, outbound: Outbound, so_far: SoFar, left: Sequence[Mailbox]
    ) -> SoFar:
        """Hand it over for those who are `left`; returns what became of everybody."""
        patience = Patience(outbound.read_timeout_s, outbound.whole_answer_s)
        with smtp.session(self.server, self._sender.domain, patience) as session:
            letter = self.letter(
                action,
                outbound.clock(),
                limit_bytes=min(session.size_limit_bytes or SIZE_LIMIT_BYTES, SIZE_LIMIT_BYTES),
                is_ascii=not session.takes_utf8,
            )
            refused = session.hand_over(
                self._sender.address,
                [each.address for each in left],
                letter.as_bytes(),
                is_utf8=letter.needs_utf8 or any(each.needs_utf8 for each in left),
            )
        so_far = so_far.and_now(left, refused)
        said = self._said_of(refused)
        for address in so_far.gone_without(refused):
            log.error(
                "a recipient was refused for good",
                action=action.key,
                destination=action.destination,
                reason=said[address],
            )
        so_far.check(refused, said, len(self.recipients))
        return so_far

    def _said_of(self, refused: Mapping[str, SmtpReply]) -> dict[str, str]:
        """What to say of recipients who were refused, by their address."""
        host, secrets = self.server.host, self.server.secrets
        return {
            address: f"{address}: {answered(host, 'RCPT', reply, secrets)}"
            for address, reply in refused.items()
        }

    @field_validator("sender")
    @classmethod
    def _is_a_mailbox(cls, value: str) -> str:
        return mailboxes.read(value).written

    @field_validator("to", "cc", "bcc", mode="before")
    @classmethod
    def _may_be_one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("to", "cc", "bcc")
    @classmethod
    def _are_mailboxes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each.written for each in _read(value))

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, value: str) -> str:
        return server_name(value)

    @field_validator("base_url")
    @classmethod
    def _is_a_url_we_may_post_to(cls, value: str) -> str:
        return server_url(value) if value else value

    @model_validator(mode="after")
    def _is_whole(self) -> "Email":
        if not self.host and not self.base_url:
            raise ValueError("`host` is missing: the server that takes the mails")
        if bool(self.user) is not (self.password is not None):
            raise ValueError("`user` and `password` belong together: write both or neither")
        if {self.port, self.security} in ({TLS_PORT, "starttls"}, {STARTTLS_PORT, "tls"}):
            raise ValueError(
                f"port {STARTTLS_PORT} goes with `security: starttls`, {TLS_PORT} with `tls`"
            )
        if len(self.recipients) > RECIPIENTS_LIMIT:
            raise ValueError(f"`to`, `cc` and `bcc` name at most {RECIPIENTS_LIMIT} in all")
        return self


def _read(written: Iterable[str]) -> list[Mailbox]:
    return [mailboxes.read(each) for each in written]
