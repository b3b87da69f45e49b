"""Public hosts: requests to URLs that others choose reach the internet, and nothing behind it.

A name is resolved once for each connection, what it resolves to is checked, and the connection
goes to an address that was checked: what the name means a moment later does not matter. TLS
verifies the name as ever. A proxy would resolve the name by itself, so none is used.

Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import connection
from urllib3.util.retry import Retry

from shared.errors import PermanentFailure
from shared.settings import is_loopback
from subscriber import connections

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a name, for a port. Raises OSError."""
Connect = Callable[[tuple[str, int], Any], socket.socket]
"""A connection to an address and port, within a time-out as urllib3 has it. Raises OSError."""

# what a cloud tells each of its machines, credentials among it; the first is link-local as well
_METADATA = frozenset(
    map(
        ip_address,
        (
            *("169.254.169.254", "fd20:ce::254", "fd00:ec2::254", "fd00:ec2::23"),
            *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
        ),
    )
)
_PRIVATE = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"),
    )
)
# of the network's own, in no newer list of Python's versions alike
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
_NAT64 = ip_network("64:ff9b::/96")


def resolved(host: str, port: int) -> Sequence[str]:
    """What the system knows `host` as."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def connected(address: tuple[str, int], timeout: Any) -> socket.socket:
    return connection.create_connection(
        address, timeout, socket_options=HTTPConnection.default_socket_options
    )


@dataclass(frozen=True)
class PublicHosts:
    """Which addresses may be reached: public ones, with `allow_private` also private networks.

    A URL that names this machine, as `localhost` or by its address, reaches this machine only.
    """

    allow_private: bool = False
    resolve: Resolve = resolved
    connect: Connect = connected

    def open(self, host: str, port: int, timeout: Any) -> socket.socket:
        """A connection to `host`. Raises OSError, or PermanentFailure if it must not be reached.

        One address that must not be reached is enough for that, whatever the others are.
        """
        addresses = list(dict.fromkeys(self.resolve(host, port)))
        for address in addresses:
            self.check(host, address)
        failure: OSError = OSError("the name has no address")
        for address in addresses:
            try:
                return self.connect((address, port), timeout)
            except OSError as error:
                failure = error
        raise failure

    def check(self, host: str, address: str) -> None:
        """Raise PermanentFailure unless `address`, which `host` leads to, may be reached."""
        what = _what(ip_address(address.partition("%")[0]))
        if is_loopback(host.rstrip(".")):
            is_allowed = what == "a loopback address"
        else:
            is_allowed = not what or (what == "a private address" and self.allow_private)
        if not is_allowed:
            hint = "; `allow_private: true` permits it" if what == "a private address" else ""
            raise PermanentFailure(
                f"{host} leads to {what or 'an address elsewhere'}, where nothing is sent: "
                f"the URL is to be that of a public host{hint}"
            )


def _what(address: Address) -> str:
    """What keeps `address` from being a public one; empty for those that are public."""
    inner = _inner(address)
    if inner in _METADATA:
        return "a cloud's metadata server"
    if inner.is_loopback:
        return "a loopback address"
    if inner.is_link_local:
        return "a link-local address"
    if inner.is_multicast:
        return "a multicast address"
    if any(inner in network for network in _PRIVATE):
        return "a private address"
    is_public = inner.is_global and not inner.is_reserved
    if not is_public or any(inner in network for network in _SPECIAL):
        return "an address that is not public"
    return ""


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


class PublicHostsAdapter(HTTPAdapter):
    """The adapter of a requests session whose connections `hosts` opens."""

    def __init__(self, hosts: PublicHosts, retries: Retry) -> None:
        self._hosts = hosts
        super().__init__(max_retries=retries)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._hosts)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - requests' signature
        timeout: Any = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002 - requests' signature
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """As ever, but for the proxies, which the environment may have named."""
        return super().send(request, stream, timeout, verify, cert, proxies=None)


def _pool_classes(hosts: PublicHosts) -> dict[str, type[HTTPConnectionPool]]:
    """Where urllib3 finds the connections that `hosts` opens."""

    def opened(to: HTTPConnection) -> socket.socket:
        try:
            return hosts.open(to.host, to.port, to.timeout)
        except TimeoutError:
            raise ConnectTimeoutError(to, "timed out") from None
        except OSError:
            raise NewConnectionError(to, "could not be reached") from None

    class Plain(connections.Plain):
        def _new_conn(self) -> socket.socket:
            return opened(self)

    class Encrypted(connections.Encrypted):
        def _new_conn(self) -> socket.socket:
            return opened(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}
