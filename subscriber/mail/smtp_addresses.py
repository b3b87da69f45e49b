"""Where mail servers are: names and URLs as they are configured. All raise ValueError, for people.

A mail server has no registered URL; smtp:// and smtps:// are what mail programs write.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit


def server_name(value: str) -> str:
    """`value`, if it is a host's name or an address, without a port."""
    host = value.strip().strip("[]")
    is_name = host.isprintable() and not set(host) & set(":/@ ")
    if not is_name and not _is_ip_address(host):
        raise ValueError("write the server's name alone; the port goes to `port`")
    return host


def server_url(value: str) -> str:
    """`value`, if it is smtp:// or smtps:// with a host and perhaps a port, and nothing else."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in ("smtp", "smtps") or not value.isprintable():
        raise ValueError("write smtp://HOST:PORT, or smtps:// for TLS from the start")
    if parts.username or parts.password:
        raise ValueError("a URL holds no credentials here; they go to `user` and `password`")
    if parts.path.strip("/") or parts.query or parts.fragment or " " in value:
        raise ValueError("nothing follows the port in this URL")
    return value.rstrip("/")


def _is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
