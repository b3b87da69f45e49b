"""Where an account's APIs are: the Discovery host follows from the access host.

Source: https://docs.getdbt.com/docs/cloud/about-cloud/access-regions-ip-addresses
"""

from urllib.parse import urlsplit

_LEGACY = ("emea.dbt.com", "au.dbt.com")


def admin_url(host: str) -> str:
    """The base URL of the Admin API of the access host `host`, which may be written as a URL."""
    return f"https://{_bare(host)}"


def metadata_url(host: str) -> str:
    """The Discovery endpoint of the access host `host`, which may be written as a URL."""
    bare = _bare(host)
    if bare.endswith(".dbt.com") and bare not in _LEGACY:
        # a cell: PREFIX.us1.dbt.com
        prefix, _, rest = bare.partition(".")
        return f"https://{prefix}.metadata.{rest}/graphql"
    return f"https://metadata.{bare}/graphql"


def discovery_endpoint(url: str) -> str:
    """`url` as configured: an endpoint as it is, a bare host with the usual path."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/graphql"


def _bare(host: str) -> str:
    text = host.strip()
    parts = urlsplit(text if "//" in text else f"//{text}")
    return parts.netloc.lower()
