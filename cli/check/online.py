"""Online: the names of all accounts that a configuration is for, asked of dbt Cloud."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.errors import PermanentFailure
from subscriber.configuration import Configuration
from subscriber.dbt_cloud.account import Account, Names, ids_of_accounts
from subscriber.dbt_cloud.admin import Admin
from subscriber.findings import Finding
from subscriber.outbound import Refused

LISTS = {"projects", "environments", "jobs"}


@dataclass(frozen=True)
class Seen:
    """`accounts` are those that the configuration is for, by id, as far as the token sees them.

    `visible` are all that it sees; none where it may not ask.
    """

    accounts: Mapping[str, Names]
    visible: tuple[str, ...] = ()

    def mistakes(self, configured: Configuration) -> list[Finding]:
        """Accounts that the configuration is for and the token does not see."""
        others = f", only {', '.join(self.visible)}" if self.visible else ""
        what = f"the token does not see this account{others}"
        return [
            configured.lines.at(("dbt_cloud", "accounts", index), what)
            if configured.lines
            else Finding(what, key="DBT_CLOUD_ACCOUNT_ID")
            for index, id_ in enumerate(configured.dbt_cloud.accounts)
            if str(id_) not in self.accounts
        ]

    def warnings(self) -> list[Finding]:
        """What could not be compared, because the token may not list it."""
        return [
            Finding(
                f"the token may not list the {' and '.join(names.hidden)} of account {id_}: "
                "names of those are not compared"
            )
            for id_, names in self.accounts.items()
            if names.hidden
        ]


def seen(admin: Admin, wanted: Sequence[int]) -> Seen:
    """All that the token sees of the accounts `wanted`, of all of them if none is.

    Raises PermanentFailure or TemporaryFailure, which say what to do.
    """
    visible = _visible(admin)
    ids = [str(each) for each in wanted] or list(visible)
    found = {id_: Account(admin, id_).names() for id_ in ids if id_ in visible or not visible}
    host = urlsplit(admin.base_url).hostname or "?"
    if not ids:
        raise PermanentFailure(
            f"{host} shows this token no account at all: is it a token of yours?"
        )
    if found and all(set(names.hidden) == LISTS for names in found.values()):
        raise PermanentFailure(
            f"{host} shows this token none of the projects, environments and jobs of account "
            f"{', '.join(found)}: is the account right, and may the token view jobs?"
        )
    return Seen(found, visible)


def _visible(admin: Admin) -> tuple[str, ...]:
    """The accounts that the token sees, in order; none where it may not ask for that."""
    try:
        return tuple(ids_of_accounts(admin))
    except Refused as refused:
        if refused.status in (403, 404):
            return ()
        raise
