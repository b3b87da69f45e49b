"""E-mail: what arrives, and what comes of a server that does not take it, as the lab's does."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from lab import mail_faults
from lab.mail import MailServer
from lab.mail_faults import (
    GREYLISTED,
    SENDER_REFUSED,
    WRONG_CREDENTIALS,
    MailFault,
    no_such_mailbox,
)
from shared.errors import Failure, PermanentFailure, TemporaryFailure
from subscriber.actions import Action, Handle, Unfinished, Verb
from subscriber.destinations.email import SIZE_LIMIT_BYTES, Email
from subscriber.examined import Examined
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome
from tests.builders import NOW, Clock, a_node, a_told, an_action
from tests.subscriber.test_destinations.golden import CASES, NASTY, a_case
from tests.subscriber.test_destinations.world import World

USER, PASSWORD = "robot@example.com", "pass-0123456789"
ANNE, BOB, CLEO = "anne@example.com", "bob@example.com", "cleo@example.com"
WAYS = ["url", "tls_url"]


def an_email(
    server: MailServer | None = None, way: str = "url", held: str = PASSWORD, **fields: Any
) -> Email:
    """As it is when its secrets have been read; `held` is the password that was found."""
    written = {
        "user": USER,
        "password": "env:PASSWORD",
        "sender": "Afterrun <afterrun@example.com>",
        "to": [ANNE],
        **({"host": "smtp.example.com"} if server is None else {}),
        **({"base_url": getattr(server, way), "ca_file": str(server.ca_file)} if server else {}),
    }
    return Email.model_validate({**written, **fields}).with_secrets(lambda _: held)


def a_mail_server(**given: Any) -> MailServer:
    return MailServer(user=USER, password=PASSWORD, **given)


@contextmanager
def a_world() -> Iterator[World]:
    with a_mail_server() as server:
        yield World(
            destination=an_email(server),
            action=an_action(),
            carried_out=lambda: len(server.messages),
        )


@pytest.fixture
def server() -> Iterator[MailServer]:
    with a_mail_server() as served:
        yield served


def delivered(email: Email, action: Action | None = None) -> Handle:
    outbound = Outbound(read_timeout_s=0.5, whole_answer_s=0.5, clock=Clock())
    return email.deliver(action or an_action(), outbound)


@pytest.mark.parametrize("way", WAYS)
def test_a_mail_goes_to_everybody_over_an_encrypted_connection(
    server: MailServer, way: str
) -> None:
    delivered(an_email(server, way, to=[ANNE, BOB], cc=[CLEO], bcc=["dan@example.com"]))

    (mail,) = server.messages
    assert mail.sender == "afterrun@example.com"
    assert mail.recipients == (ANNE, BOB, CLEO, "dan@example.com")
    assert (mail.user, mail.is_encrypted) == (USER, True)
    assert str(mail.message["To"]) == f"{ANNE}, {BOB}"
    assert str(mail.message["Cc"]) == CLEO
    assert b"dan@" not in mail.content
    assert mail.message["Date"].datetime == NOW


def test_it_says_what_happened_in_text_and_in_html(server: MailServer) -> None:
    delivered(an_email(server))

    (mail,) = server.messages
    assert mail.subject == "Daily build failed in Production: model orders: no such column"
    for kind in ("plain", "html"):
        assert "Database Error in model orders" in mail.body(kind)
        assert "https://cloud.getdbt.com/deploy/1/projects/9/runs/100" in mail.body(kind)


def test_who_is_named_twice_gets_it_once(server: MailServer) -> None:
    delivered(an_email(server, to=[ANNE, BOB], cc=["Anne <Anne@Example.com>"], bcc=[BOB]))

    assert len(server.messages[0].recipients) == 2


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.REMIND, Verb.CLOSE])
def test_what_follows_is_an_answer_to_the_first_mail(server: MailServer, verb: Verb) -> None:
    email = an_email(server)
    opened = delivered(email)

    closing = a_told(headline="Daily build recovered in Production")
    delivered(email, replace(an_action(verb, message=closing), opened=opened))

    first, second = (mail.message for mail in server.messages)
    assert second["In-Reply-To"] == second["References"] == first["Message-ID"]
    assert second["Message-ID"] != first["Message-ID"]
    assert second["Subject"] == f"Re: {first['Subject']}"
    assert "Daily build recovered" in server.messages[1].body()


def test_what_follows_finds_the_first_mail_even_if_its_answer_was_lost(server: MailServer) -> None:
    email = an_email(server)
    server.faults.next(mail_faults.LOST)
    with pytest.raises(UnknownOutcome):
        delivered(email)

    delivered(email, an_action(Verb.CLOSE))

    first, second = (mail.message for mail in server.messages)
    assert second["In-Reply-To"] == first["Message-ID"]


def test_another_sender_since_the_opening_breaks_no_thread(server: MailServer) -> None:
    opened = delivered(an_email(server))

    moved = an_email(server, sender="afterrun@other.example")
    delivered(moved, replace(an_action(Verb.CLOSE), opened=opened))

    assert server.messages[1].message["In-Reply-To"] == server.messages[0].message["Message-ID"]


def test_a_repeat_has_the_same_message_id(server: MailServer) -> None:
    for _ in range(2):
        delivered(an_email(server))

    assert len({mail.message["Message-ID"] for mail in server.messages}) == 1


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_a_mail_that_servers_take(server: MailServer, case: str) -> None:
    delivered(an_email(server), a_case("email", case))

    (mail,) = server.messages
    assert len(mail.content) <= SIZE_LIMIT_BYTES
    assert len(mail.subject) <= 150
    assert mail.subject.replace("\u200d", "").isprintable()


LONG = 100_000


@pytest.mark.parametrize(
    "text",
    [NASTY * 500, "x" * LONG, "🍵" * LONG, "\u202e\u05d0" * LONG, "\0" * LONG, "a\n.\n" * 20_000],
    ids=["nasty", "long", "emoji", "right to left", "null", "dots"],
)
def test_any_text_arrives_and_does_no_harm(server: MailServer, text: str) -> None:
    node = a_node(name=text, message=text, owner=text, path=text)
    told = a_told(
        headline=text, text=text, note=text, nodes=(node,), facts={"job": text}, link="javascript:x"
    )

    delivered(an_email(server), an_action(message=told))

    (mail,) = server.messages
    assert len(mail.content) <= SIZE_LIMIT_BYTES
    assert set(mail.message.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("X-Auto-Response-Suppress", "MIME-Version", "Content-Type"),
    }
    assert "javascript:" not in mail.body("html")
    assert "\0" not in mail.body() + mail.body("html")


@pytest.mark.parametrize("limit", [20_000, 60_000])
def test_a_server_that_takes_less_gets_less_and_is_told_that_it_is_less(limit: int) -> None:
    told = a_told(nodes=(a_node(message="E" * LONG),))
    with a_mail_server(size_limit_bytes=limit) as server:
        delivered(an_email(server), an_action(message=told))

    (mail,) = server.messages
    assert len(mail.content) <= limit
    assert "Left out here: the ends of long errors" in mail.body()


def test_an_address_that_is_not_ascii_is_reached_where_the_server_can(server: MailServer) -> None:
    delivered(an_email(server, to=["Zoë <zoë@example.com>"], bcc=[ANNE]))

    (mail,) = server.messages
    assert mail.recipients == ("zoë@example.com", ANNE)
    assert "zoë@example.com" in str(mail.message["To"])


def test_where_the_server_cannot_only_that_recipient_goes_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with a_mail_server(is_utf8=False) as server:
        handle = delivered(an_email(server, to=["zoë@example.com", ANNE]))

    (mail,) = server.messages
    assert mail.recipients == (ANNE,)
    assert "zo" not in str(mail.message["To"])
    assert handle.key.endswith("refused: zoë@example.com (553)")


def test_a_sender_that_is_not_ascii_takes_a_server_that_can() -> None:
    with (
        a_mail_server(is_utf8=False) as server,
        pytest.raises(PermanentFailure, match="does not offer SMTPUTF8"),
    ):
        delivered(an_email(server, sender="zoë@example.com"))


def test_who_is_refused_for_good_goes_without_and_is_named(
    server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults.always(mail_faults.no_such_mailbox(BOB))

    handle = delivered(an_email(server, to=[ANNE, BOB, CLEO]))

    assert [mail.recipients for mail in server.messages] == [(ANNE, CLEO)]
    assert handle.key.endswith("\nrefused: bob@example.com (550)")
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "bob@example.com: 127.0.0.1 answered 550 5.1.1" in record.__dict__["fields"]["reason"]


def test_who_is_refused_for_now_is_tried_again_alone(server: MailServer) -> None:
    email = an_email(server, to=[ANNE, BOB, CLEO])
    server.faults.next(replace(mail_faults.GREYLISTED, about=BOB))
    with pytest.raises(Unfinished, match="2 of 3 recipients have it") as raised:
        delivered(email)

    delivered(email, replace(an_action(), so_far=raised.value.so_far))

    assert [mail.recipients for mail in server.messages] == [(ANNE, CLEO), (BOB,)]
    assert len({mail.message["Message-ID"] for mail in server.messages}) == 1
    assert raised.value.retry_after_s == 60


def test_who_was_refused_in_an_earlier_try_is_named_in_the_end(
    server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    email = an_email(server, to=[ANNE, BOB, CLEO])
    server.faults.always(mail_faults.no_such_mailbox(BOB))
    server.faults.next(replace(mail_faults.MAILBOX_FULL, about=CLEO))
    with pytest.raises(Unfinished) as raised:
        delivered(email)

    handle = delivered(email, replace(an_action(), so_far=raised.value.so_far))

    assert handle.key.endswith("\nrefused: bob@example.com (550)")
    assert len(caplog.records) == 1


def test_when_everybody_has_been_dealt_with_nothing_is_sent(server: MailServer) -> None:
    email = an_email(server, to=[ANNE, BOB])
    server.faults.next(replace(mail_faults.GREYLISTED, about=BOB))
    with pytest.raises(Unfinished) as raised:
        delivered(email)

    handle = delivered(
        an_email(server, to=[ANNE]), replace(an_action(), so_far=raised.value.so_far)
    )

    assert len(server.messages) == 1
    assert handle.key.startswith("<afterrun.")


def test_if_all_are_refused_for_good_so_is_the_mail(server: MailServer) -> None:
    server.faults.always(mail_faults.no_such_mailbox(ANNE), mail_faults.no_such_mailbox(BOB))

    with pytest.raises(Refused, match=r"anne@example\.com: .*; so were all 2 recipients"):
        delivered(an_email(server, to=[ANNE, BOB]))

    assert server.messages == []


def test_if_one_of_those_who_are_left_may_have_it_later_nobody_is_given_up(
    server: MailServer,
) -> None:
    server.faults.always(mail_faults.no_such_mailbox(ANNE), mail_faults.GREYLISTED)

    with pytest.raises(Busy, match=r"bob@example\.com: 127\.0\.0\.1 answered 451 4\.7\.1"):
        delivered(an_email(server, to=[ANNE, BOB]))


@pytest.mark.parametrize(
    ("fault", "fix"),
    [
        (mail_faults.WRONG_CREDENTIALS, "user or password is wrong"),
        (mail_faults.BASIC_AUTH_OFF, "Microsoft 365 takes no passwords here any more"),
        (mail_faults.SENDER_REFUSED, "use a `sender` that this account may send as"),
        (mail_faults.POLICY, "SPF, DKIM and DMARC"),
        (mail_faults.TOO_LARGE, "too large"),
        (MailFault("RCPT", reply="554 5.7.1 Relay access denied"), "check the address"),
        (MailFault("connect", reply="554 5.3.2 No service"), "check `host` and `port`"),
    ],
    ids=lambda value: value.reply[:9] if isinstance(value, MailFault) else "",
)
def test_a_refusal_is_for_good_and_names_the_fix(
    server: MailServer, fault: MailFault, fix: str
) -> None:
    server.faults.always(fault)

    with pytest.raises(PermanentFailure, match=fix):
        delivered(an_email(server))

    assert server.messages == []


def test_a_wrong_password_is_told_so_that_it_is_read_anew(server: MailServer) -> None:
    with pytest.raises(Refused, match="535") as raised:
        delivered(an_email(server, held="wrong-0123"))

    assert raised.value.status == 401
    assert "wrong-0123" not in str(raised.value)


@pytest.mark.parametrize(
    "fault",
    [
        mail_faults.GREYLISTED,
        mail_faults.MAILBOX_FULL,
        mail_faults.CLOSING,
        MailFault("connect", reply="421 4.7.0 Too many connections"),
        MailFault("AUTH", reply="454 4.7.0 Temporary authentication failure"),
        MailFault("RCPT", reply="421 4.3.2 Closing"),
        MailFault("DATA", reply="451 4.3.0 Local error"),
        MailFault("end", reply="452 4.3.1 Insufficient storage"),
    ],
    ids=lambda fault: f"{fault.step} {fault.reply[:9]}",
)
def test_not_now_is_a_reason_to_try_again_after_a_minute(
    server: MailServer, fault: MailFault
) -> None:
    server.faults.next(fault)

    with pytest.raises(Busy, match=fault.reply[:9]) as raised:
        delivered(an_email(server))

    assert not isinstance(raised.value, UnknownOutcome)
    assert raised.value.retry_after_s == 60
    assert server.messages == []


@pytest.mark.parametrize("kind", ["cut", "hang"])
@pytest.mark.parametrize("step", ["connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"])
def test_what_breaks_before_the_mail_is_sent_is_tried_again(
    server: MailServer, step: Any, kind: Any
) -> None:
    server.faults.next(MailFault(step, kind))

    with pytest.raises(TemporaryFailure) as raised:
        delivered(an_email(server))

    assert not isinstance(raised.value, UnknownOutcome)
    assert server.messages == []


@pytest.mark.parametrize("kind", ["cut", "lost", "hang"])
def test_what_breaks_after_the_mail_was_sent_is_an_unknown(server: MailServer, kind: Any) -> None:
    server.faults.next(MailFault("end", kind))

    with pytest.raises(UnknownOutcome, match="after the whole mail was sent"):
        delivered(an_email(server))

    assert len(server.messages) == (kind == "lost")


@pytest.mark.parametrize("way", WAYS)
def test_a_certificate_of_nobody_known_is_not_trusted(server: MailServer, way: str) -> None:
    with pytest.raises(TemporaryFailure, match="no trusted TLS connection could be made: "):
        delivered(an_email(server, way, ca_file=""))

    assert server.messages == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_read_may_be_mended(
    server: MailServer, content: str | None, tmp_path: Any
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(TemporaryFailure, match="`ca_file` cannot be read"):
        delivered(an_email(server, ca_file=str(path)))


def test_on_this_machine_a_mail_may_go_unencrypted_but_no_password(server: MailServer) -> None:
    delivered(an_email(server, "plain_url"))

    (mail,) = server.messages
    assert (mail.user, mail.is_encrypted) == (None, False)


def test_a_server_that_takes_mails_from_anybody_needs_no_login(server: MailServer) -> None:
    delivered(an_email(server, "plain_url", user="", password=None))

    assert len(server.messages) == 1


def test_a_server_that_wants_a_login_says_so(server: MailServer) -> None:
    with pytest.raises(PermanentFailure, match="set `user` and `password`"):
        delivered(an_email(server, user="", password=None))


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "end", "AUTH", "connect"])
@pytest.mark.parametrize("code", [250, 451, 550])
def test_no_failure_and_no_log_line_shows_the_password(
    server: MailServer, step: Any, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    both = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    echo = f"{code} {PASSWORD} AUTH PLAIN {both} {base64.b64encode(PASSWORD.encode()).decode()}"
    server.faults.always(MailFault(step, reply=echo))

    said = ""
    try:
        said += repr(delivered(an_email(server, to=[ANNE, BOB])))
    except Failure as failure:
        said += repr(failure)

    said += "".join(str(record.__dict__) for record in caplog.records)
    assert said
    assert PASSWORD not in said
    assert both[:12] not in said


@pytest.mark.parametrize(
    ("fields", "port", "way"),
    [
        ({}, 587, "starttls"),
        ({"security": "tls"}, 465, "tls"),
        ({"port": 465}, 465, "tls"),
        ({"port": 2525}, 2525, "starttls"),
        ({"base_url": "smtps://mail.example.com"}, 465, "tls"),
        ({"base_url": "smtp://mail.example.com/"}, 587, "starttls"),
        ({"base_url": "smtp://127.0.0.1:1025", "security": "tls"}, 1025, "starttls"),
    ],
)
def test_port_and_encryption_follow_from_each_other(
    fields: dict[str, Any], port: int, way: str
) -> None:
    server = an_email(**fields).server

    assert (server.port, server.is_tls) == (port, way == "tls")


def test_only_on_this_machine_may_anything_go_unencrypted() -> None:
    here = [an_email(host="localhost"), an_email(base_url="smtp://[::1]:1025")]
    elsewhere = [an_email(), an_email(base_url="smtp://10.0.0.7:1025")]

    assert [email.server.may_be_plain for email in here] == [True, True]
    assert [email.server.may_be_plain for email in elsewhere] == [False, False]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"host": ""}, "`host` is missing"),
        ({"host": "smtp.example.com:587"}, "the port goes to `port`"),
        ({"host": "smtp://smtp.example.com"}, "the server's name alone"),
        ({"password": None}, "write both or neither"),
        ({"user": ""}, "write both or neither"),
        ({"port": 587, "security": "tls"}, "goes with"),
        ({"port": 465, "security": "starttls"}, "goes with"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"security": "none"}, "'starttls' or 'tls'"),
        ({"sender": "Afterrun"}, "no e-mail address"),
        ({"to": []}, "at least 1 item"),
        ({"to": ["anne@example.com\r\nRCPT TO:<bob@example.com>"]}, "write one address"),
        ({"to": [f"n{i}@example.com" for i in range(51)]}, "at most 50 items"),
        (
            {
                "to": [f"a{i}@example.com" for i in range(50)],
                "cc": [f"b{i}@example.com" for i in range(50)],
                "bcc": ["c@example.com"],
            },
            "at most 100 in all",
        ),
        ({"base_url": "https://mail.example.com"}, "write smtp://HOST:PORT"),
        ({"base_url": "smtp://user:hunter2@mail.example.com"}, "no credentials here"),
        ({"base_url": "smtp://mail.example.com/path"}, "nothing follows the port"),
        ({"base_url": "smtp://mail.example.com:x"}, "write smtp://HOST:PORT"),
    ],
)
def test_a_mistake_in_the_configuration_says_what_to_write(
    fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        an_email(**fields)

    assert told in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_one_address_needs_no_list() -> None:
    assert an_email(to=ANNE).to == (ANNE,)


def examined(email: Email) -> Examined:
    return email.examine(Outbound(read_timeout_s=0.5, whole_answer_s=0.5))


def test_a_look_begins_a_mail_to_everybody_and_takes_it_back(server: MailServer) -> None:
    found = examined(an_email(server, to=[ANNE], cc=[BOB], bcc=[CLEO]))

    assert found == Examined(
        f"127.0.0.1 takes mails from afterrun@example.com to 3 of 3, logged in as {USER}"
    )
    assert server.messages == []


def test_after_a_look_a_mail_goes_out_as_ever(server: MailServer) -> None:
    examined(an_email(server))
    delivered(an_email(server))

    assert len(server.messages) == 1


def test_a_look_names_who_would_go_without(server: MailServer) -> None:
    server.faults.next(no_such_mailbox(BOB))

    found = examined(an_email(server, to=[ANNE, BOB]))

    assert "to 1 of 2" in found.said
    assert [each.startswith(f"{BOB}: 127.0.0.1 answered 550") for each in found.doubts] == [True]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (WRONG_CREDENTIALS, "user or password is wrong"),
        (SENDER_REFUSED, "the sender was refused"),
        (no_such_mailbox(ANNE), "there is no such mailbox"),
    ],
)
def test_a_look_says_why_no_mail_would_go_out(
    server: MailServer, fault: MailFault, why: str
) -> None:
    server.faults.next(fault)

    with pytest.raises(Refused, match=why):
        examined(an_email(server))


def test_a_look_at_a_server_that_wants_people_to_wait_is_temporary(server: MailServer) -> None:
    server.faults.next(GREYLISTED)

    with pytest.raises(Busy, match="Greylisted"):
        examined(an_email(server))
