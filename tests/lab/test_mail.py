import smtplib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, Literal

import pytest

from lab import mail_faults
from lab.limits import Window
from lab.mail import MailServer
from lab.mail_faults import MailFault
from lab.timeline import Timeline
from tests.builders import Clock

USER, PASSWORD = "robot", "pass-0123456789"
ANNE, BOB = "anne@example.com", "bob@example.com"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with a_server() as served:
        yield served


def a_server(**given: Any) -> MailServer:
    return MailServer(user=USER, password=PASSWORD, **given)


@contextmanager
def connected(
    server: MailServer, way: Literal["starttls", "tls", "plain"] = "starttls", *, login: bool = True
) -> Iterator[smtplib.SMTP]:
    """A client that trusts the server's certificate, has said EHLO, and logged in where it can."""
    trusting = ssl.create_default_context(cafile=server.ca_file)
    client: smtplib.SMTP
    if way == "tls":
        client = smtplib.SMTP_SSL("127.0.0.1", server.tls_port, "here", timeout=5, context=trusting)
    else:
        port = server.port if way == "starttls" else server.plain_port
        client = smtplib.SMTP("127.0.0.1", port, "here", timeout=5)
    try:
        client.ehlo()
        if way == "starttls":
            client.starttls(context=trusting)
            client.ehlo()
        if way != "plain" and login:
            client.login(USER, PASSWORD)
        yield client
    finally:
        client.close()


def a_mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    told = {
        "From": "robot@example.com",
        "To": ANNE,
        "Subject": "orders failed",
        "Date": "Mon, 05 Jan 2026 12:00:00 +0000",
        "Message-ID": "<1@example.com>",
    }
    for name, value in (told | headers).items():
        message[name.replace("_", "-")] = value
    message.set_content("no such column\n")
    return message


def sent(client: smtplib.SMTP, server: MailServer) -> None:
    client.connect("127.0.0.1", server.plain_port)
    client.sendmail("a@example.com", [ANNE], RAW.decode())


RAW = b"From: a@example.com\r\nDate: Mon, 05 Jan 2026 12:00:00 +0000\r\n"


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_a_mail_is_taken_from_who_logged_in_over_tls(server: MailServer, way: Any) -> None:
    with connected(server, way) as client:
        refused = client.send_message(a_mail(), "robot@example.com", [ANNE, BOB])

    (mail,) = server.messages
    assert refused == {}
    assert (mail.sender, mail.recipients) == ("robot@example.com", (ANNE, BOB))
    assert (mail.subject, mail.body()) == ("orders failed", "no such column\r\n")
    assert (mail.user, mail.is_encrypted) == (USER, True)


def test_the_plain_port_takes_mails_without_tls_or_a_login(server: MailServer) -> None:
    with connected(server, "plain") as client:
        client.send_message(a_mail())

    (mail,) = server.messages
    assert (mail.user, mail.is_encrypted) == (None, False)


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_a_login_may_be_plain_or_in_two_steps(server: MailServer, mechanism: str) -> None:
    with connected(server, login=False) as client:
        client.user, client.password = USER, PASSWORD

        answer = client.auth(mechanism.removeprefix("auth_").upper(), getattr(client, mechanism))

    assert answer[0] == 235


def test_a_wrong_password_is_refused(server: MailServer) -> None:
    with (
        connected(server, login=False) as client,
        pytest.raises(smtplib.SMTPAuthenticationError) as raised,
    ):
        client.login(USER, "wrong")

    assert raised.value.smtp_code == 535


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_without_a_login_no_mail_is_taken(server: MailServer, way: Any) -> None:
    with connected(server, way, login=False) as client:
        assert client.mail("robot@example.com")[0] == 530

    assert server.messages == []


def test_nothing_but_tls_is_talked_of_before_starttls(server: MailServer) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, "here", timeout=5) as client:
        client.ehlo()

        assert not client.has_extn("auth")
        assert client.has_extn("starttls")
        assert client.docmd("AUTH", "PLAIN AHJvYm90AHB3")[0] == 530
        assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 530


def test_the_plain_port_offers_no_login(server: MailServer) -> None:
    with connected(server, "plain") as client:
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AHJvYm90AHB3")[0] == 538


def test_a_client_that_does_not_know_the_authority_trusts_nothing(server: MailServer) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, "here", timeout=5) as client:
        client.ehlo()
        with pytest.raises(ssl.SSLCertVerificationError):
            client.starttls(context=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        smtplib.SMTP_SSL(
            "127.0.0.1", server.tls_port, timeout=5, context=ssl.create_default_context()
        )


def test_it_says_what_it_offers() -> None:
    with a_server(size_limit_bytes=1_000) as server, connected(server) as client:
        assert client.esmtp_features == {
            "size": "1000",
            "8bitmime": "",
            "smtputf8": "",
            "auth": " LOGIN PLAIN",
        }


def test_what_it_does_not_offer_it_does_not_take() -> None:
    with a_server(is_8bit=False, is_utf8=False) as server, connected(server) as client:
        assert not client.has_extn("8bitmime")
        assert not client.has_extn("smtputf8")
        assert client.mail("a@example.com", ["BODY=8BITMIME"])[0] == 555
        assert client.docmd("MAIL FROM:<a@example.com> SMTPUTF8")[0] == 501


def test_an_address_that_is_not_ascii_needs_smtputf8(server: MailServer) -> None:
    with connected(server) as client:
        client.command_encoding = "utf-8"

        assert client.mail("jürgen@example.com")[0] == 553
        assert client.mail("jürgen@example.com", ["SMTPUTF8"])[0] == 250
        assert client.rcpt("zoë@example.com")[0] == 250


@pytest.mark.parametrize("said", [True, False])
def test_a_mail_over_the_limit_is_refused_whether_its_size_was_said_or_not(said: bool) -> None:  # noqa: FBT001
    with a_server(size_limit_bytes=1_000) as server, connected(server) as client:
        code, _ = client.mail("a@example.com", ["SIZE=1001"] if said else [])
        if not said:
            client.rcpt(ANNE)
            code, _ = client.data(RAW + b"\r\n" + b"x" * 1000)

    assert code == 552
    assert server.messages == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (RAW + b"\r\nnull \0 byte\r\n", "null byte"),
        (RAW + b"\r\nna\xc3\xafve\r\n", "8 bits"),
        (RAW + b"Subject: na\xc3\xafve\r\n\r\n", "not ASCII"),
        (b"Subject: x\r\n\r\n", "not exactly one From"),
        (RAW + b"From: b@example.com\r\n\r\n", "not exactly one From"),
        (RAW + b"Subject: a\r\nSubject: b\r\n\r\n", "more than one Subject"),
        (RAW + b"Message-ID: <a@b> <c@d>\r\n\r\n", "in its Message-ID"),
        (RAW + b"no header\r\nSubject: x\r\n\r\n", "in its structure"),
        (RAW + b"Content-Type: multipart/mixed\r\n\r\n", "in its structure"),
    ],
)
def test_a_text_that_is_no_mail_is_refused(server: MailServer, content: bytes, why: str) -> None:
    with connected(server) as client:
        client.mail("a@example.com")
        client.rcpt(ANNE)
        code, reply = client.data(content)

    assert code == 554
    assert why in reply.decode()
    assert server.messages == []


def test_a_bare_line_break_is_refused(server: MailServer) -> None:
    with connected(server) as client:
        client.mail("a@example.com")
        client.rcpt(ANNE)
        client.docmd("DATA")
        client.send(RAW + b"\r\nsmuggled\n.\nMAIL\r\n.\r\n")
        code, reply = client.getreply()

    assert code == 554
    assert b"bare CR or LF" in reply


def test_8_bits_that_are_said_are_taken(server: MailServer) -> None:
    with connected(server) as client:
        client.mail("a@example.com", ["BODY=8BITMIME"])
        client.rcpt(ANNE)

        assert client.data(RAW + b"\r\nna\xc3\xafve\r\n")[0] == 250


def test_one_recipient_may_be_refused_and_the_others_not(server: MailServer) -> None:
    server.faults.always(mail_faults.no_such_mailbox(BOB))

    with connected(server) as client:
        refused = client.send_message(a_mail(), "robot@example.com", [ANNE, BOB])

    assert refused == {BOB: (550, b"5.1.1 No such mailbox")}
    assert server.messages[0].recipients == (ANNE,)


def test_a_greylisted_recipient_is_taken_later(server: MailServer) -> None:
    server.faults.next(mail_faults.GREYLISTED)

    with connected(server) as client:
        client.mail("a@example.com")

        assert [client.rcpt(ANNE)[0] for _ in range(2)] == [451, 250]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (mail_faults.MAILBOX_FULL, 452),
        (mail_faults.CLOSING, 421),
        (mail_faults.SENDER_REFUSED, 553),
        (mail_faults.POLICY, 554),
        (mail_faults.TOO_LARGE, 552),
    ],
)
def test_a_mail_can_be_refused_in_every_way(
    server: MailServer, fault: MailFault, code: int
) -> None:
    server.faults.next(fault)

    with connected(server) as client:
        codes = [
            client.docmd("MAIL FROM:<a@example.com>")[0],
            *([client.docmd(f"RCPT TO:<{ANNE}>")[0]] if fault.step != "MAIL" else []),
        ]
        if fault.step == "end":
            codes.append(client.data(RAW + b"\r\n")[0])

    assert codes[-1] == code
    assert server.messages == []


@pytest.mark.parametrize(
    "fault", [mail_faults.WRONG_CREDENTIALS, mail_faults.BASIC_AUTH_OFF], ids=["535", "550"]
)
def test_a_login_can_be_refused_in_every_way(server: MailServer, fault: MailFault) -> None:
    server.faults.always(fault)

    with (
        connected(server, login=False) as client,
        pytest.raises(smtplib.SMTPAuthenticationError) as raised,
    ):
        client.login(USER, PASSWORD)

    assert f"{raised.value.smtp_code} {raised.value.smtp_error.decode()}" == fault.reply  # type: ignore[union-attr]


@pytest.mark.parametrize("step", ["connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"])
def test_the_connection_can_break_at_every_step(server: MailServer, step: Any) -> None:
    server.faults.next(MailFault(step, "cut"))

    with (
        pytest.raises((smtplib.SMTPServerDisconnected, OSError)),
        connected(server) as client,
    ):
        client.send_message(a_mail())

    assert server.messages == []


@pytest.mark.parametrize(("kind", "taken"), [("cut", 0), ("lost", 1)])
def test_the_answer_to_a_mail_can_get_lost_with_it_or_without_it(
    server: MailServer, kind: Any, taken: int
) -> None:
    server.faults.next(MailFault("end", kind))

    with connected(server) as client, pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        client.send_message(a_mail())

    assert len(server.messages) == taken


@pytest.mark.parametrize("step", ["connect", "EHLO", "end"])
def test_it_can_fall_silent_and_still_ends(step: Any) -> None:
    with a_server() as server:
        server.faults.next(MailFault(step, "hang"))
        with smtplib.SMTP(timeout=0.2) as client, pytest.raises(OSError, match="timed out"):
            sent(client, server)

    assert server.messages == []


def test_a_server_that_greets_with_a_refusal_hangs_up(server: MailServer) -> None:
    server.faults.next(MailFault("connect", reply="421 4.3.2 Too many connections"))

    with pytest.raises(smtplib.SMTPConnectError, match="Too many connections"):
        smtplib.SMTP("127.0.0.1", server.plain_port, "here", timeout=5)


def test_after_a_421_the_connection_is_closed(server: MailServer) -> None:
    server.faults.next(mail_faults.CLOSING)

    with connected(server, "plain") as client:
        assert client.docmd("MAIL FROM:<a@example.com>")[0] == 421
        with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
            client.docmd("NOOP")


def test_so_many_mails_a_minute_and_no_more() -> None:
    clock = Clock()
    window = Window(2, timedelta(minutes=1), clock)
    with a_server(window=window) as server, connected(server) as client:
        codes = []
        for _ in range(3):
            codes.append(client.mail("a@example.com")[0])
            client.rset()
        clock.passes(60)

        assert [*codes, client.mail("a@example.com")[0]] == [250, 250, 450, 250]


def test_it_ends_with_clients_still_there_and_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    with a_server() as server:
        clients = [
            smtplib.SMTP("127.0.0.1", server.plain_port, "here", timeout=5),
            smtplib.SMTP_SSL(
                "127.0.0.1",
                server.tls_port,
                "here",
                timeout=5,
                context=ssl.create_default_context(cafile=server.ca_file),
            ),
        ]

    for client in clients:
        with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
            client.docmd("NOOP")
        client.close()
    assert set(threading.enumerate()) == before
    assert not server.ca_file.exists()


def test_the_timeline_tells_of_each_mail(server: MailServer) -> None:
    timeline = Timeline()
    with a_server(timeline=timeline) as server, connected(server) as client:
        client.send_message(a_mail(), "robot@example.com", [ANNE, BOB])
        client.mail("a@example.com")
        client.rcpt(ANNE)
        client.data(b"From: a@example.com\r\n\r\n")

    assert [moment.what for moment in timeline.moments] == [
        f"mail taken for {ANNE}, {BOB}: orders failed",
        "mail refused: 554 5.6.0 Message refused: it has not exactly one Date",
    ]
    assert timeline.moments[0].facts == {
        "from": "robot@example.com",
        "to": f"{ANNE}, {BOB}",
        "message_id": "<1@example.com>",
    }
