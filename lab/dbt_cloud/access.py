"""Who may do what: the tokens that the account knows, and how requests show them.

Source: https://docs.getdbt.com/docs/dbt-cloud-apis/service-tokens
"""

from collections.abc import Mapping

TOKEN = "dbtc_lab-may-read-everything"
"""A service token with the permission to view jobs and runs, and to read metadata."""

METADATA_TOKEN = "dbtc_lab-may-read-metadata-only"
"""A service token with the permission Metadata Only, which is all that dbt's guides ask for."""

RUNNER_TOKEN = "dbtc_lab-may-run-jobs"
"""A service token with the permission Job Runner: it runs jobs, and views them and their runs."""

BLIND_TOKEN = "dbtc_lab-may-run-jobs-unseen"
"""A service token that runs jobs and views nothing: what it may is told apart in the answers."""

MANAGER_TOKEN = "dbtc_lab-may-manage-webhooks"
"""A service token with the permission Developer: it manages webhooks, and views what others do."""

KNOWN = frozenset({TOKEN, METADATA_TOKEN, RUNNER_TOKEN, BLIND_TOKEN, MANAGER_TOKEN})
VIEW = frozenset({TOKEN, RUNNER_TOKEN, MANAGER_TOKEN})
MANAGE = frozenset({MANAGER_TOKEN})
RUN = frozenset({RUNNER_TOKEN, BLIND_TOKEN})


def token(headers: Mapping[str, str]) -> str:
    """The token shown as `Authorization: Token ...` or `Bearer ...`; empty without one."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    return shown.strip() if scheme.lower() in ("token", "bearer") else ""
