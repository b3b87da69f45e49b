"""Each row of the reference's table of refusals: for how long, and what mends it."""

import pytest

from subscriber.mail.smtp_line import SmtpReply
from subscriber.mail.smtp_refusals import Step, failure
from subscriber.outbound import Busy, Refused

HOST = "smtp.example.com"


def a_reply(answer: str) -> SmtpReply:
    code, _, text = answer.partition(" ")
    return SmtpReply(int(code), (text,))


def raised(step: Step, answer: str, secrets: tuple[str, ...] = ()) -> Refused | Busy:
    return failure(HOST, step, a_reply(answer), secrets)


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("greeting", "421 4.3.2 Too many connections"),
        ("EHLO", "421 4.7.0 Try again later, closing connection"),
        ("STARTTLS", "454 4.7.0 TLS not available due to temporary reason"),
        ("AUTH", "454 4.7.0 Temporary authentication failure"),
        ("MAIL", "450 4.7.1 Too many messages"),
        ("RCPT", "451 4.7.1 Greylisted"),
        ("RCPT", "452 4.2.2 Mailbox full"),
        ("DATA", "451 4.3.0 Local error"),
        ("end", "452 4.3.1 Insufficient system storage"),
    ],
)
def test_a_4xx_is_tried_again_after_a_minute(step: Step, answer: str) -> None:
    failed = raised(step, answer)

    assert isinstance(failed, Busy)
    assert failed.retry_after_s == 60
    assert f"{HOST} answered {answer[:9]}" in str(failed)


@pytest.mark.parametrize(
    ("step", "answer", "fix"),
    [
        ("greeting", "554 No SMTP service here", "check `host` and `port`"),
        ("EHLO", "502 Command not implemented", "check `host` and `port`"),
        ("STARTTLS", "501 No", "check `port` and `security`"),
        ("AUTH", "535 5.7.8 Username and Password not accepted", "user or password is wrong"),
        ("AUTH", "535 5.7.8 no", "app password"),
        ("AUTH", "534 5.7.9 Application-specific password required", "app password"),
        ("AUTH", "550 5.7.30 Basic authentication is not supported", "another relay"),
        ("AUTH", "535 5.7.139 Authentication unsuccessful", "an administrator can switch on"),
        ("AUTH", "504 5.5.4 Unrecognized authentication type", "the login was refused"),
        ("MAIL", "530 5.7.0 Authentication required", "set `user` and `password`"),
        ("MAIL", "553 5.7.1 Sender address not owned by user", "use a `sender`"),
        ("MAIL", "550 5.7.60 Client does not have permissions", "may not send as this sender"),
        ("MAIL", "552 5.3.4 Message size exceeds limit", "too large"),
        ("RCPT", "550 5.1.1 User unknown", "no such mailbox"),
        ("RCPT", "551 User not local", "check the address"),
        ("RCPT", "552 5.2.2 Mailbox full", "mailbox is full"),
        ("RCPT", "553 5.1.3 Bad syntax", "how it is written"),
        ("RCPT", "553 5.6.7 Needs SMTPUTF8", "does not offer SMTPUTF8"),
        ("RCPT", "554 5.7.1 Relay access denied", "may not pass mails on"),
        ("DATA", "554 5.5.1 No valid recipients", "policy"),
        ("end", "552 5.3.4 Message too big", "too large"),
        ("end", "554 5.2.252 SendAsDenied", "may not send as this sender"),
        ("end", "554 5.7.1 Spam", "SPF, DKIM and DMARC"),
        ("end", "550 5.7.26 Unauthenticated", "SPF, DKIM and DMARC"),
    ],
)
def test_a_5xx_is_for_good_and_names_the_fix(step: Step, answer: str, fix: str) -> None:
    failed = raised(step, answer)

    assert isinstance(failed, Refused)
    assert fix in str(failed)
    assert f"{HOST} answered {answer[:3]}" in str(failed)


@pytest.mark.parametrize("answer", ["535 5.7.8 no", "534 no", "550 5.7.30 no", "500 no"])
def test_after_a_refused_login_the_password_is_read_anew(answer: str) -> None:
    failed = raised("AUTH", answer)

    assert isinstance(failed, Refused)
    assert failed.status == 401


def test_what_a_server_says_to_a_login_is_not_shown() -> None:
    assert "pass-0123" not in str(raised("AUTH", "535 5.7.8 wrong password pass-0123"))
    assert "pass-0123" not in str(raised("AUTH", "454 wrong password pass-0123"))


def test_what_a_server_says_is_shown_without_secrets_and_cut() -> None:
    said = str(
        raised("end", f"554 5.7.1 hunter2! token=abc123 \x1b[31m {'x' * 500}", ("hunter2!",))
    )

    assert "it says: [redacted] token=[redacted]" in said
    assert "hunter2!" not in said
    assert said.isprintable()
    assert len(said) < 500
