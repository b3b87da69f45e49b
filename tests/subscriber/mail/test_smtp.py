"""What is said to a mail server that keeps to no rules; to one that does: see test_email.py."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

import pytest

from shared.errors import TemporaryFailure
from subscriber.mail import smtp
from subscriber.mail.smtp import Patience, Server
from subscriber.mail.smtp_line import NoReply, SmtpLine, SmtpReply
from subscriber.outbound import Busy, Refused, UnknownOutcome

PATIENCE = Patience(answer_s=0.3, mail_s=0.3)
SHORT = b"Subject: x\r\n\r\n.\r\n.x\r\n"
SILENCE, DRIP, GONE = b"silence", b"drip", b"gone"

HELLO = [b"220 hello\r\n", b"250-mail.lab\r\n250 SIZE 1000\r\n"]
TAKEN = [*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]


class Scripted:
    """A server on this machine that gives its answers in turn, whatever is said to it."""

    def __init__(self, answers: list[bytes]) -> None:
        self.heard: list[bytes] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Scripted":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # wakes an accept that nobody came to
        with socket.create_connection(("127.0.0.1", self.port)):
            self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        # a client that has heard enough goes while it is spoken to
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            for number, answer in enumerate(self._answers):
                if number and not self._hear(lines, is_text=self._answers[number - 1][:1] == b"3"):
                    return
                if answer in (SILENCE, DRIP):
                    _wait(connection, drip=answer == DRIP)
                    return
                if answer == GONE:
                    return
                connection.sendall(answer)
            while self._hear(lines, is_text=False):
                pass

    def _hear(self, lines: "Iterator[bytes]", *, is_text: bool) -> bool:
        for line in lines:
            self.heard.append(line)
            if not is_text or line == b".\r\n":
                return True
        return False


def _wait(connection: socket.socket, *, drip: bool) -> None:
    """Until the client has gone; `drip` says a bit of an answer every now and then."""
    while not select.select([connection], [], [], 0.05 if drip else 5)[0]:
        connection.sendall(b"2")


@contextmanager
def a_server_saying(*answers: bytes) -> Iterator[tuple[Server, Scripted]]:
    with Scripted(list(answers)) as scripted:
        yield Server("127.0.0.1", scripted.port, is_tls=False, may_be_plain=True), scripted


def handed_over(server: Server, content: bytes = SHORT) -> dict[str, SmtpReply]:
    with smtp.session(server, "example.com", PATIENCE) as session:
        return session.hand_over("a@example.com", ["b@example.com"], content, is_utf8=False)


def test_what_is_said_in_which_order() -> None:
    with a_server_saying(*TAKEN, b"250 taken\r\n", b"221 bye\r\n") as (server, scripted):
        assert handed_over(server) == {}

    assert scripted.heard == [
        b"EHLO example.com\r\n",
        b"MAIL FROM:<a@example.com> SIZE=21\r\n",
        b"RCPT TO:<b@example.com>\r\n",
        b"DATA\r\n",
        b"Subject: x\r\n",
        b"\r\n",
        b"..\r\n",
        b"..x\r\n",
        b".\r\n",
        b"QUIT\r\n",
    ]


def test_a_server_that_does_not_say_goodbye_has_the_mail_all_the_same() -> None:
    with a_server_saying(*TAKEN, b"250 taken\r\n", GONE) as (server, _):
        assert handed_over(server) == {}


@pytest.mark.parametrize("fault", [SILENCE, DRIP, GONE, b"HTTP/1.1 400 no\r\n", b"\xff\xfe\r\n"])
@pytest.mark.parametrize("step", range(5))
def test_whatever_happens_before_the_mail_is_sent_is_tried_again(fault: bytes, step: int) -> None:
    with a_server_saying(*TAKEN[:step], fault) as (server, _), pytest.raises(Busy) as raised:
        handed_over(server)

    assert not isinstance(raised.value, UnknownOutcome)
    assert "127.0.0.1" in str(raised.value)


@pytest.mark.parametrize("fault", [SILENCE, DRIP, GONE, b"HTTP/1.1 400 no\r\n"])
def test_whatever_happens_after_the_mail_was_sent_is_an_unknown(fault: bytes) -> None:
    with (
        a_server_saying(*TAKEN, fault) as (server, _),
        pytest.raises(UnknownOutcome, match="after the whole mail was sent"),
    ):
        handed_over(server)


def test_a_server_that_goes_while_the_mail_is_sent_never_had_it() -> None:
    with a_server_saying(*TAKEN[:4], GONE) as (server, _), pytest.raises(Busy) as raised:
        handed_over(server, b"x" * 78 + b"\r\n" * 1_000_000)

    assert not isinstance(raised.value, UnknownOutcome)


def test_an_answer_that_dribbles_is_given_up_as_early_as_silence() -> None:
    began = time.monotonic()

    with a_server_saying(DRIP) as (server, _), pytest.raises(Busy, match="did not answer"):
        handed_over(server)

    assert time.monotonic() - began < 10


def test_when_the_time_for_all_of_it_is_over_nothing_more_is_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"250 ok\r\n")
        line = SmtpLine(ours, until=time.monotonic() - 1)

        with pytest.raises(NoReply):
            line.reply(within_s=60)
        with pytest.raises(NoReply):
            line.ask("NOOP", within_s=60)


def test_an_answer_without_an_end_is_given_up() -> None:
    endless = b"220-" + b"x" * 70_000 + b"\r\n"

    with a_server_saying(endless) as (server, _), pytest.raises(Busy, match="not SMTP"):
        handed_over(server)


def test_an_answer_may_have_several_lines() -> None:
    long = b"550-5.1.1 There is\r\n550-5.1.1 no such\r\n550 5.1.1 mailbox\r\n"

    with a_server_saying(*HELLO, b"250 ok\r\n", long, b"221 bye\r\n") as (server, _):
        refused = handed_over(server)

    assert refused["b@example.com"].code == 550
    assert refused["b@example.com"].enhanced == "5.1.1"
    assert "no such" in refused["b@example.com"].text


def test_without_encryption_nothing_is_said_to_another_machine() -> None:
    with a_server_saying(*HELLO) as (server, scripted):
        elsewhere = Server("127.0.0.1", server.port, is_tls=False, user="u", password="p")
        with pytest.raises(Refused, match="offers no STARTTLS"):
            handed_over(elsewhere)

    assert scripted.heard == [b"EHLO example.com\r\n"]


def test_a_password_is_not_said_without_encryption() -> None:
    offering = [HELLO[0], b"250-mail.lab\r\n250 AUTH PLAIN LOGIN\r\n"]
    with a_server_saying(*offering, b"530 5.7.0 log in\r\n") as (server, scripted):
        plain = Server(
            "127.0.0.1", server.port, is_tls=False, may_be_plain=True, user="u", password="p"
        )
        with pytest.raises(Refused, match="reach it over TLS"):
            handed_over(plain)

    assert scripted.heard[1].startswith(b"MAIL FROM")


def test_what_was_said_before_encryption_counts_for_nothing() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = SmtpLine(ours, time.monotonic() + 5)
        theirs.sendall(b"220 go\r\n250 AUTH PLAIN, says somebody in between\r\n")
        assert line.ask("STARTTLS", 1).code == 220

        line.encrypt(cast(ssl.SSLContext, Unencrypted()), "mail.lab", 1)
        theirs.sendall(b"250 mail.lab\r\n")

        assert line.reply(1).lines == ("mail.lab",)


class Unencrypted:
    """Stands in for a TLS context, and leaves the connection as it is."""

    def wrap_socket(self, connection: socket.socket, server_hostname: str) -> socket.socket:
        return connection


def test_tls_from_the_start_where_there_is_none_says_what_to_change() -> None:
    with a_server_saying(HELLO[0]) as (server, _), pytest.raises(Busy, match="starttls"):
        handed_over(Server("127.0.0.1", server.port, is_tls=True))


def test_silence_instead_of_a_greeting_says_what_to_change() -> None:
    with a_server_saying(SILENCE) as (server, _), pytest.raises(Busy, match="security: tls"):
        handed_over(server)


def test_nobody_there_is_a_reason_to_try_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(Busy, match="could not be reached"):
        handed_over(Server("127.0.0.1", port, is_tls=False))


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 64 + ".example", ""])
def test_a_name_that_leads_nowhere_is_a_reason_to_try_again(host: str) -> None:
    with pytest.raises(TemporaryFailure, match="could not be reached"):
        handed_over(Server(host, 1, is_tls=False))


def test_a_password_is_not_shown_when_a_server_is_printed() -> None:
    assert "hunter2" not in repr(Server("x", 1, is_tls=True, user="u", password="hunter2"))


def test_a_mail_that_is_only_tried_out_is_taken_back_before_it_begins() -> None:
    answers = [*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"221 bye\r\n"]
    with Scripted(answers) as scripted:
        server = Server("127.0.0.1", scripted.port, is_tls=False, may_be_plain=True)
        with smtp.session(server, "example.com", PATIENCE) as session:
            refused = session.try_out("a@example.com", ["b@example.com"])

    assert refused == {}
    assert [line.split()[0] for line in scripted.heard] == [
        b"EHLO",
        b"MAIL",
        b"RCPT",
        b"RSET",
        b"QUIT",
    ]
