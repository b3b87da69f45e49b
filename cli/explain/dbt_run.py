"""A run in dbt Cloud, asked for by its id: as the event that tells of it, and what is known of it.

With the configuration's own token, as the service asks.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from cli.history import Entry
from cli.meant import Meant, Source
from cli.rehearsal_ledger import RehearsalLedger
from shared import secret_refs
from shared.errors import PermanentFailure, TemporaryFailure
from subscriber import wiring
from subscriber.configuration import DbtCloudSettings
from subscriber.dbt_cloud.account import Account, body_of, ids_of_accounts
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.ask import DbtCloud
from subscriber.decisions import NODES_ASKED
from subscriber.ledger.contract import Ledger
from subscriber.outbound import Refused
from subscriber.remembered import recall
from subscriber.run import Answer, Question
from subscriber.secrets import Secrets
from subscriber.settings import Places

ACCOUNTS_LIMIT = 20  # of the token's, in which a run is looked for

_UNNAMED = (
    "The token may not list {}, whose names a webhook tells and a run does not: rules that ask "
    "for such names match here."
)


class Asker:
    """dbt Cloud, asked as the service would; what it asks us to leave alone is left alone."""

    def __init__(self, chosen: DbtCloudSettings, places: Places, ledger: Ledger | None) -> None:
        secrets = Secrets(wiring.secret_reader(places).resolve)
        ref = secret_refs.parse(chosen.token.get_secret_value())
        self._dbt_cloud: DbtCloud = wiring.dbt_cloud(chosen, secrets, RehearsalLedger(ledger))
        self._admin: Admin = wiring.admin(chosen, lambda: secrets.value(ref))
        self._named = [str(account) for account in chosen.accounts]
        self._ledger = ledger

    def run(self, run_id: str) -> Meant:
        """The run, as the webhook `completed` tells of it.

        Raises PermanentFailure if it cannot be seen, TemporaryFailure if it goes on still.
        """
        accounts = self._accounts()
        for account in accounts:
            found = self._in(Account(self._admin, account), run_id)
            if found is not None:
                return found
        raise PermanentFailure(
            f"{self._host} shows no run {run_id} to this token in {_listed(accounts)}: there is "
            "none of that id, or the token may not read runs; give it the permission Job Viewer, "
            "or one that includes it"
        )

    def about(self, entry: Entry) -> Answer:
        """All that the service could learn of the event's run. Raises nothing: see its notes."""
        event, nodes = entry.event, frozenset[str]()
        if self._ledger is not None:
            open_ones = recall(self._ledger, event).state.episodes.values()
            known = {node for each in open_ones if each.by_nodes for node in each.nodes}
            nodes = frozenset(sorted(known)[:NODES_ASKED])
        return self._dbt_cloud.about(event, Question("all", nodes, newest_run=True))

    def _in(self, account: Account, run_id: str) -> Meant | None:
        try:
            run = account.run(run_id)
        except Refused as refused:
            if refused.status in (403, 404):
                return None
            raise
        names = account.names(also_deleted=True)
        body = body_of(run, account.id, names)
        if body is None:
            raise TemporaryFailure(
                f"run {run_id} goes on still; it can be explained once it has ended"
            )
        hidden = [what for what in names.hidden if what != "jobs"]
        return Meant(
            Source.RUN,
            f"run {run_id}",
            (Entry(body, Answer()),),
            is_to_ask=True,
            notice=_UNNAMED.format(" and ".join(hidden)) if hidden else "",
        )

    def _accounts(self) -> Sequence[str]:
        if self._named:
            return self._named
        found = ids_of_accounts(self._admin)
        if not found:
            raise PermanentFailure(
                f"{self._host} shows this token no account; name yours in `dbt_cloud.accounts`"
            )
        return found[:ACCOUNTS_LIMIT]

    @property
    def _host(self) -> str:
        return urlsplit(self._admin.base_url).hostname or self._admin.base_url


def _listed(accounts: Sequence[str]) -> str:
    return f"account{'s' if len(accounts) > 1 else ''} {', '.join(accounts)}"
