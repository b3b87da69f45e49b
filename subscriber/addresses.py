"""Addresses that are secrets: whole URLs that a vendor gives out, checked when they are read."""

from urllib.parse import urlsplit, urlunsplit

from shared.errors import Mistake, PermanentFailure
from shared.settings import check_url


def secret_address(value: str, base_url: str, what: str) -> str:
    """The URL that a secret holds, as it is; at `base_url` instead of its own host, if that is set.

    Raises PermanentFailure, which shows nothing of it, unless it is an https URL with a path (or
    http on loopback) without credentials. `what` names the field it came from.
    """
    address = value.strip()
    try:
        parts = urlsplit(address)
        check_url(urlunsplit((parts.scheme, parts.netloc, "", "", "")))
        if not parts.path.strip("/") or not address.isprintable() or " " in address:
            raise Mistake("this is no whole URL")
    except (ValueError, Mistake):
        raise PermanentFailure(
            f"{what}: what is kept there is no https URL with its path; copy the whole of it anew"
        ) from None
    if not base_url:
        return address
    instead = urlsplit(base_url)
    # only the host changes: re-encoding the rest would change what a signature in it is of
    return f"{instead.scheme}://{instead.netloc}{instead.path}{address[_host_end(address) :]}"


def _host_end(address: str) -> int:
    """Where the path begins in an address with one."""
    return address.index("/", address.index("://") + len("://"))
