"""Who may read what: the tokens that the account knows, and how requests show them."""

from collections.abc import Mapping

TOKEN = "dbtc_lab-may-read-everything"
"""A service token with the permission to view jobs and runs, and to read metadata."""

METADATA_TOKEN = "dbtc_lab-may-read-metadata-only"
"""A service token with the permission Metadata Only, which is all that dbt's guides ask for."""


def token(headers: Mapping[str, str]) -> str:
    """The token shown as `Authorization: Token ...` or `Bearer ...`; empty without one."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    return shown.strip() if scheme.lower() in ("token", "bearer") else ""
