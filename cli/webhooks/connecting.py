"""Which account's webhooks, with which token, at which host: options first, then configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared import secret_refs
from shared.errors import Mistake, PermanentFailure
from shared.secret_refs import SecretReader
from shared.settings import GoogleProject, check_url, secret_manager_host, text

if TYPE_CHECKING:
    from subscriber.configuration import DbtCloudSettings
    from subscriber.dbt_cloud.webhooks import Webhooks

_NOTHING = (
    "no configuration and no token: name a file with --config, or a token and your access URL "
    "with --token env:NAME --host ab123.us1.dbt.com"
)


@dataclass(frozen=True)
class Wanted:
    """What the command line says; empty is what the configuration says."""

    account: str = ""
    token: str = ""
    host: str = ""


def reader(environ: Mapping[str, str]) -> SecretReader:
    """Reads what references name, in the project and from the Secret Manager of `environ`."""
    return SecretReader(
        project=GoogleProject(text(environ, "GOOGLE_CLOUD_PROJECT") or None),
        manager_host=secret_manager_host(environ),
        environ=environ,
    )


def connected(environ: Mapping[str, str], wanted: Wanted) -> "Webhooks":
    """The webhooks of that account. Reads the token, and may ask which accounts it can see."""
    from subscriber.dbt_cloud import hosts
    from subscriber.dbt_cloud.account import ids_of_accounts
    from subscriber.dbt_cloud.admin import Admin
    from subscriber.dbt_cloud.webhooks import Webhooks
    from subscriber.outbound import Outbound

    chosen = _chosen(environ, wanted)
    ref = secret_refs.parse(chosen.token.get_secret_value())
    token = reader(environ).read(ref)
    base_url = chosen.base_url or hosts.admin_url(chosen.host)
    admin = Admin(base_url, lambda: token, Outbound())
    accounts = [wanted.account] if wanted.account else [str(each) for each in chosen.accounts]
    return Webhooks(admin, _only(accounts or ids_of_accounts(admin)))


def _chosen(environ: Mapping[str, str], wanted: Wanted) -> "DbtCloudSettings":
    from subscriber import guides, settings

    over = {guides.DBT_CLOUD["token"]: wanted.token} if wanted.token else {}
    if wanted.token:
        try:
            secret_refs.parse(wanted.token)
        except Mistake as mistake:
            raise Mistake(f"--token: {mistake}") from None
    has_file = bool(text(environ, "AFTERRUN_CONFIG")) or Path(settings.DEFAULT_FILE).is_file()
    if has_file and not (wanted.token and wanted.host):
        chosen = settings.configured(environ).dbt_cloud
        if wanted.token:
            chosen = guides.dbt_cloud(over).model_copy(
                update={
                    "host": chosen.host,
                    "base_url": chosen.base_url,
                    "accounts": chosen.accounts,
                }
            )
    elif not wanted.token and not text(environ, guides.DBT_CLOUD["token"]):
        raise Mistake(_NOTHING)
    else:
        chosen = guides.dbt_cloud({**environ, **over})
    return _at(chosen, wanted.host) if wanted.host else chosen


def _at(chosen: "DbtCloudSettings", host: str) -> "DbtCloudSettings":
    """The same at another host, which may be written as a URL."""
    from subscriber.dbt_cloud import hosts

    try:
        url = check_url(host if "://" in host else hosts.admin_url(host))
    except Mistake as mistake:
        raise Mistake(f"--host: {mistake}") from None
    return chosen.model_copy(update={"base_url": url})


def _only(accounts: list[str]) -> str:
    if not accounts:
        raise PermanentFailure("this token can see no account: name one with --account")
    if len(accounts) > 1:
        raise Mistake(f"several accounts ({', '.join(accounts)}): choose one with --account")
    if not (accounts[0].isascii() and accounts[0].isdigit()):
        raise Mistake("--account: write its number, as in the address of dbt Cloud's pages")
    return accounts[0]
