"""What a mail server's refusal means, and what mends it. Pure.

Sources: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3 (codes),
https://www.iana.org/assignments/smtp-enhanced-status-codes (codes that say more),
https://learn.microsoft.com/en-us/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online
"""

from typing import Literal

from subscriber.fixes import quoted
from subscriber.mail.smtp_line import SmtpReply
from subscriber.outbound import Busy, Refused

Step = Literal["greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "end"]
"""A command, or the `end` of the mail's text."""

LATER_S = 60.0  # a server that says "not now" is asked again after minutes, not seconds

WRONG_CREDENTIAL = 401
"""In HTTP's words, so that the secret is read anew as it is for every kind."""

_LOGIN = (
    "check `user` and what `password` names; Gmail wants an app password, SendGrid the user "
    "`apikey`, SES its own SMTP credentials"
)
_SENDER = "use a `sender` that this account may send as, of a domain that the provider has verified"
_POLICY = (
    "the mail was refused by policy; look at SPF, DKIM and DMARC of the sender's domain and at "
    "what the provider says of the account"
)
_TOO_LARGE = "the mail is too large for it; it has to take mails of 100 KB"

_BY_ENHANCED = {
    "5.7.30": (
        "Microsoft 365 takes no passwords here any more (basic authentication is switched off), "
        "and Afterrun knows no OAuth for mail; send through another relay"
    ),
    "5.7.139": (
        "Microsoft 365 does not let this mailbox log in here; an administrator can switch on "
        "authenticated SMTP for it, as long as basic authentication lasts"
    ),
    "5.7.60": f"the account may not send as this sender; {_SENDER}",
    "5.2.252": f"the account may not send as this sender; {_SENDER}",
    "5.3.4": _TOO_LARGE,
    "5.2.3": _TOO_LARGE,
    "5.6.7": "the address is not ASCII, and the server does not offer SMTPUTF8",
}
_BY_STEP: dict[Step, dict[int, str]] = {
    "greeting": {0: "it takes no mails here; check `host` and `port`"},
    "EHLO": {0: "it does not speak SMTP with extensions; check `host` and `port`"},
    "STARTTLS": {0: "it offered TLS and refused it; check `port` and `security`"},
    "AUTH": {
        534: f"it does not take this kind of login; {_LOGIN}",
        535: f"user or password is wrong; {_LOGIN}",
        0: f"the login was refused; {_LOGIN}",
    },
    "MAIL": {552: _TOO_LARGE, 0: f"the sender was refused; {_SENDER}"},
    "RCPT": {
        551: "the mailbox is elsewhere; check the address",
        552: "the mailbox is full",
        553: "the address is not allowed there; check how it is written",
        554: "the server may not pass mails on to it; check the address and the login",
        0: "there is no such mailbox, or mails from here are refused; check the address",
    },
    "DATA": {552: _TOO_LARGE, 0: _POLICY},
    "end": {552: _TOO_LARGE, 0: _POLICY},
}
_WANTS_LOGIN = (
    "it wants a login; set `user` and `password`, and reach it over TLS, without which they are "
    "not said"
)


def failure(host: str, step: Step, reply: SmtpReply, secrets: tuple[str, ...]) -> Refused | Busy:
    """What to raise for an answer that is a no: temporary for 4xx, else for good, with the fix.

    What the server says is shown cut, without `secrets` and what looks like one; what it says to a
    login not at all: it may say anything of it.
    """
    told = answered(host, step, reply, secrets)
    if reply.is_later:
        return Busy(told, status=reply.code, retry_after_s=LATER_S)
    return Refused(told, WRONG_CREDENTIAL if step == "AUTH" else reply.code)


def answered(host: str, step: Step, reply: SmtpReply, secrets: tuple[str, ...]) -> str:
    """The answer in a sentence: its code, what it means, what the server says of it."""
    code = f"{reply.code} {reply.enhanced}".strip()
    to = "" if step in ("greeting", "end") else f" to {step}"
    parts = [f"{host} answered {code}{to}"]
    if not reply.is_later:
        parts.append(_meaning(step, reply))
    if said := _said(step, reply, secrets):
        parts.append(f"it says: {said}")
    return "; ".join(parts)


def _meaning(step: Step, reply: SmtpReply) -> str:
    if reply.code == 530:
        return _WANTS_LOGIN
    by_code = _BY_STEP[step]
    return _BY_ENHANCED.get(reply.enhanced) or by_code.get(reply.code) or by_code[0]


def _said(step: Step, reply: SmtpReply, secrets: tuple[str, ...]) -> str:
    return "" if step == "AUTH" else quoted(reply.text.removeprefix(reply.enhanced), *secrets)
