import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.mail import mailboxes
from subscriber.mail.mailboxes import Mailbox


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("anne@example.com", Mailbox("anne", "example.com")),
        ("  anne@example.com ", Mailbox("anne", "example.com")),
        ("<anne@example.com>", Mailbox("anne", "example.com")),
        ("Anne Ørsted <anne@example.com>", Mailbox("anne", "example.com", "Anne Ørsted")),
        ('"Ørsted, Anne" <anne@example.com>', Mailbox("anne", "example.com", "Ørsted, Anne")),
        ("a.b+c@Sub.Example.COM", Mailbox("a.b+c", "sub.example.com")),
        ("zoë@exämple.com", Mailbox("zoë", "xn--exmple-cua.com")),
        ("root@localhost", Mailbox("root", "localhost")),
    ],
)
def test_an_address_may_stand_alone_or_behind_a_name(written: str, read: Mailbox) -> None:
    assert mailboxes.read(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "",
        "anne",
        "anne@",
        "@example.com",
        "anne@example..com",
        "anne@-example.com",
        "anne@[127.0.0.1]",
        "a..b@example.com",
        ".a@example.com",
        '"a b"@example.com',
        "a b@example.com",
        "anne@example.com, bob@example.com",
        "Anne <anne@example.com> <bob@example.com>",
        "Anne <anne@example.com",
        "anne@example.com\r\nBcc: bob@example.com",
        "Anne\nBcc: x <anne@example.com>",
        "anne\0@example.com",
        "anne@example.com>\r\nRCPT TO:<bob@example.com",
        "anne@straße.de",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + ".".join(["b" * 60] * 5),
        "N" * 101 + " <anne@example.com>",
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"example\.com|characters"):
        mailboxes.read(written)


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_is_read_is_written_so_that_it_is_read_the_same(name: str, local: str) -> None:
    try:
        mailbox = mailboxes.read(f"{name} <{local}@example.com>")
    except ValueError:
        return

    assert mailboxes.read(mailbox.written) == mailbox
    assert not set("\r\n\0<> ") & set(mailbox.address)


NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)


@given(NAMES.map(lambda name: " ".join(name.split())))
def test_a_name_in_a_header_is_read_as_it_was_written(name: str) -> None:
    mailbox = Mailbox("anne", "example.com", name)

    header = mailbox.header("To")

    assert header.isascii()
    assert "\r" not in header.replace("\r\n ", "")
    read = email.message_from_string(f"To: {header}\r\n\r\n", policy=email.policy.default)
    (address,) = read["To"].addresses
    assert address.addr_spec == "anne@example.com"


@pytest.mark.parametrize(
    "name", ["=?utf-8?q?=0D=0ABcc:_bob@example.com?=", "Ørsted, Anne", 'Anne "the" \\ Ørsted', "🍵"]
)
def test_a_name_that_means_something_in_a_header_is_a_name_only(name: str) -> None:
    header = Mailbox("anne", "example.com", name).header("To")

    read = email.message_from_string(f"To: {header}\r\n\r\n", policy=email.policy.default)

    assert [(each.display_name, each.addr_spec) for each in read["To"].addresses] == [
        (name, "anne@example.com")
    ]
