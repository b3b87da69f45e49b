"""What a webhook may reach: public addresses, checked when the connection is made."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from urllib3.util.retry import Retry

from shared.errors import PermanentFailure
from subscriber.public_hosts import PublicHosts, PublicHostsAdapter, connected, resolved

PUBLIC, ANOTHER = "93.184.216.34", "2606:2800:220:1::1"
NAME = "hooks.example.com"


@dataclass
class Dns:
    """Answers in turn, the last one for ever; remembers what it was asked."""

    answers: list[Sequence[str]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class Network:
    """Leads every address to one port of this machine, but for `dead` ones; remembers them."""

    port: int
    dead: frozenset[str] = frozenset()
    reached: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, address: tuple[str, int], timeout: Any) -> socket.socket:
        self.reached.append(address)
        if address[0] in self.dead:
            raise ConnectionRefusedError
        return connected(("127.0.0.1", self.port), timeout)


class Answer(BaseHTTPRequestHandler):
    """204 to everything; remembers for whom it came."""

    hosts: list[str]

    def do_POST(self) -> None:
        self.hosts.append(self.headers["Host"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    """The port of a server on this machine, and the Host headers that it was sent."""
    handler = type("Handler", (Answer,), {"hosts": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, handler.hosts  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    """A file with the certificate of the only authority that is trusted."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def a_server_of(name: str, authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def post(hosts: PublicHosts, url: str, **options: Any) -> int:
    with requests.Session() as session:
        for scheme in ("https://", "http://"):
            session.mount(scheme, PublicHostsAdapter(hosts, Retry(0, redirect=False)))
        answer = session.post(url, data=b"{}", timeout=5, allow_redirects=False, **options)
        return answer.status_code


def opened(hosts: PublicHosts, host: str) -> None:
    hosts.open(host, 443, 5).close()


def hosts_at(*addresses: str, **fields: Any) -> tuple[PublicHosts, list[tuple[str, int]]]:
    """Hosts for whom every name has these addresses, and what was reached."""
    reached: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: Any) -> socket.socket:
        reached.append(address)
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours

    return PublicHosts(resolve=Dns([addresses]), connect=connect, **fields), reached


@pytest.mark.parametrize("address", [PUBLIC, ANOTHER, "64:ff9b::5db8:d822", f"::ffff:{PUBLIC}"])
def test_a_public_address_is_reached(address: str) -> None:
    hosts, reached = hosts_at(address)

    opened(hosts, NAME)

    assert reached == [(address, 443)]


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1", "a loopback address"),
        ("127.8.9.10", "a loopback address"),
        ("::1", "a loopback address"),
        ("::ffff:127.0.0.1", "a loopback address"),
        ("64:ff9b::7f00:1", "a loopback address"),
        ("2002:7f00:1::", "a loopback address"),
        ("10.1.2.3", "a private address"),
        ("172.16.0.1", "a private address"),
        ("192.168.1.1", "a private address"),
        ("100.64.0.1", "a private address"),
        ("fd12::1", "a private address"),
        ("fec0::1", "a private address"),
        ("::ffff:10.1.2.3", "a private address"),
        ("169.254.169.254", "a cloud's metadata server"),
        ("::ffff:169.254.169.254", "a cloud's metadata server"),
        ("fd20:ce::254", "a cloud's metadata server"),
        ("169.254.1.1", "a link-local address"),
        ("fe80::1%eth0", "a link-local address"),
        ("224.0.0.1", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("0.0.0.0", "an address that is not public"),  # noqa: S104 - never bound
        ("::", "an address that is not public"),
        ("255.255.255.255", "an address that is not public"),
        ("192.0.2.1", "an address that is not public"),
        ("::7f00:1", "an address that is not public"),
    ],
)
def test_an_address_that_is_not_public_is_not_reached(address: str, what: str) -> None:
    hosts, reached = hosts_at(address)

    with pytest.raises(PermanentFailure, match=f"{NAME} leads to {what}"):
        opened(hosts, NAME)

    assert reached == []


@pytest.mark.parametrize("others", [(PUBLIC, "10.1.2.3"), ("10.1.2.3", PUBLIC)])
def test_one_address_that_is_not_public_is_enough(others: tuple[str, ...]) -> None:
    hosts, reached = hosts_at(*others)

    with pytest.raises(PermanentFailure, match="a private address"):
        opened(hosts, NAME)

    assert reached == []


def test_a_refusal_of_a_private_address_names_what_permits_it() -> None:
    with pytest.raises(PermanentFailure, match="`allow_private: true` permits it"):
        opened(hosts_at("10.1.2.3")[0], NAME)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.1.1", "fd12::1", PUBLIC])
def test_private_networks_can_be_permitted(address: str) -> None:
    hosts, reached = hosts_at(address, allow_private=True)

    opened(hosts, NAME)

    assert reached == [(address, 443)]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "fd20:ce::254", "100.100.100.200", "fe80::1", "::"]
)
def test_what_is_no_network_of_ones_own_is_never_permitted(address: str) -> None:
    hosts, reached = hosts_at(address, allow_private=True)

    with pytest.raises(PermanentFailure) as raised:
        opened(hosts, NAME)

    assert "allow_private" not in str(raised.value)
    assert reached == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "localhost."])
def test_who_names_this_machine_reaches_it_and_nothing_else(host: str) -> None:
    here, reached = hosts_at("127.0.0.1")
    elsewhere, _ = hosts_at(PUBLIC)

    opened(here, host)
    with pytest.raises(PermanentFailure, match="leads to an address elsewhere"):
        opened(elsewhere, host)

    assert reached == [("127.0.0.1", 443)]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
def test_another_spelling_of_this_machine_is_seen_through(host: str) -> None:
    with pytest.raises(PermanentFailure, match="a loopback address"):
        opened(PublicHosts(), host)


def test_the_system_is_asked_for_names() -> None:
    assert set(resolved("localhost", 80)) & {"127.0.0.1", "::1"}


def test_a_name_is_resolved_once_and_the_address_that_was_checked_is_reached() -> None:
    dns = Dns([[PUBLIC], ["127.0.0.1"]])
    with serving() as (port, _):
        network = Network(port)

        status = post(PublicHosts(resolve=dns, connect=network), f"http://{NAME}/hooks")

    assert status == 204
    assert dns.asked == [NAME]
    assert network.reached == [(PUBLIC, 80)]


def test_each_new_connection_is_checked_anew() -> None:
    dns = Dns([[PUBLIC], ["127.0.0.1"]])
    with serving() as (port, _):
        hosts = PublicHosts(resolve=dns, connect=Network(port))
        post(hosts, f"http://{NAME}/hooks")

        with pytest.raises(PermanentFailure, match="a loopback address"):
            post(hosts, f"http://{NAME}/hooks")


def test_the_next_address_is_tried_where_one_is_dead() -> None:
    with serving() as (port, _):
        network = Network(port, dead=frozenset({ANOTHER}))

        status = post(
            PublicHosts(resolve=Dns([[ANOTHER, PUBLIC]]), connect=network), f"http://{NAME}/hooks"
        )

    assert status == 204
    assert network.reached == [(ANOTHER, 80), (PUBLIC, 80)]


def test_tls_verifies_the_name_and_the_server_is_told_it(
    authority: trustme.CA, trusted: str
) -> None:
    with serving(a_server_of(NAME, authority)) as (port, asked_for):
        network = Network(port)
        hosts = PublicHosts(resolve=Dns([[PUBLIC]]), connect=network)

        status = post(hosts, f"https://{NAME}/hooks", verify=trusted)

    assert status == 204
    assert asked_for == [NAME]
    assert network.reached == [(PUBLIC, 443)]


def test_a_certificate_for_another_name_is_refused(authority: trustme.CA, trusted: str) -> None:
    with serving(a_server_of("other.example.com", authority)) as (port, asked_for):
        hosts = PublicHosts(resolve=Dns([[PUBLIC]]), connect=Network(port))

        with pytest.raises(requests.exceptions.SSLError):
            post(hosts, f"https://{NAME}/hooks", verify=trusted)

    assert asked_for == []


def test_a_certificate_of_nobody_we_trust_is_refused(authority: trustme.CA) -> None:
    with serving(a_server_of(NAME, authority)) as (port, asked_for):
        hosts = PublicHosts(resolve=Dns([[PUBLIC]]), connect=Network(port))

        with pytest.raises(requests.exceptions.SSLError):
            post(hosts, f"https://{NAME}/hooks")

    assert asked_for == []


def test_no_proxy_is_used_whoever_names_one() -> None:
    with serving() as (proxy, asked_of_it), serving() as (port, asked_for):
        hosts = PublicHosts(resolve=Dns([[PUBLIC]]), connect=Network(port))
        proxies = {"http": f"http://127.0.0.1:{proxy}", "https": f"http://127.0.0.1:{proxy}"}

        post(hosts, f"http://{NAME}/hooks", proxies=proxies)

    assert (asked_for, asked_of_it) == ([NAME], [])


def test_a_name_that_nobody_knows_could_not_be_reached() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror

    with pytest.raises(requests.ConnectionError, match="could not be reached"):
        post(PublicHosts(resolve=unknown), f"http://{NAME}/hooks")


def test_a_name_without_an_address_could_not_be_reached() -> None:
    with pytest.raises(requests.ConnectionError, match="could not be reached"):
        post(PublicHosts(resolve=Dns([[]])), f"http://{NAME}/hooks")


def test_an_address_that_does_not_answer_in_time_is_a_time_out() -> None:
    def never(address: tuple[str, int], timeout: Any) -> socket.socket:
        raise TimeoutError

    with pytest.raises(requests.ConnectTimeout):
        post(PublicHosts(resolve=Dns([[PUBLIC]]), connect=never), f"http://{NAME}/hooks")
