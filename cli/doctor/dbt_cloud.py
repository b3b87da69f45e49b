"""dbt Cloud: whether it answers, what its token may read, and whether its webhooks reach us."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from cli.doctor import dbt_webhooks
from cli.doctor.finding import About, Finding, Group
from cli.doctor.once import Once
from cli.doctor.patient import Patient
from cli.doctor.running import Check
from shared import secret_refs
from shared.errors import Failure, PermanentFailure
from subscriber import wiring
from subscriber.configuration import DbtCloudSettings
from subscriber.dbt_cloud import hosts
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.discovery import Discovery
from subscriber.dbt_cloud.graphql import QueryRefused
from subscriber.dbt_cloud.webhooks import Webhooks
from subscriber.outbound import Busy, Refused

ACCOUNTS_LIMIT = 5  # that are looked at
RUNS = 20  # newest ones, among which one is looked for that has ended
STEPS = 3  # of a run, the last ones, that are asked for what they wrote
LIMIT_BYTES = 16_000_000

ACCESS_URL = (
    "set `dbt_cloud.host` to the host that dbt Cloud shows in Account settings, Access URLs"
)
ANOTHER = "make a service token there, and keep it where `dbt_cloud.token` points to"
VIEWER = "give the service token the permission Job Viewer in all projects"
METADATA = "give the service token the permission Metadata Only in all projects"
MANAGER = "use a token with the permission Account Admin, Admin or Developer to have them looked at"
SET_ACCOUNTS = "write the id of your account, the number in its settings' address, in its place"

_ENDED = (10, 20, 30)
_NOBODY = ("1", "1")  # a job and a run that are not there: the answer tells as much


class NotDbtCloud(PermanentFailure):
    """Something else answers at that address."""


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    id: str
    job: str


def checks(patient: Patient) -> list[Check]:
    """All that is asked with the token; none where that cannot be read from here."""
    if patient.configuration is None:
        return []
    chosen = patient.configuration.dbt_cloud
    ref = secret_refs.parse(chosen.token.get_secret_value())
    if patient.is_out_of_reach(ref):
        return []
    looking = Looking.of(patient, wiring.admin(chosen, partial(patient.secret, ref)), chosen)
    acts: dict[str, Callable[[], Iterator[Finding]]] = {
        "host": looking.host,
        "token": looking.token,
        "runs": looking.runs,
        "Discovery": looking.discovery,
        "webhooks": looking.webhooks,
    }
    return [Check(Group.DBT_CLOUD, name, act) for name, act in acts.items()]


@dataclass(frozen=True)
class Looking:
    """One dbt Cloud as its token sees it; what several checks need is asked once.

    `visible` has the names of the accounts that the token sees, by id. Where the token is no use,
    `host` and `token` say so and the other checks nothing.
    """

    patient: Patient
    admin: Admin
    chosen: DbtCloudSettings
    visible: Once[Mapping[str, str]]
    last_runs: Mapping[str, Once[Run | None]]

    @classmethod
    def of(cls, patient: Patient, admin: Admin, chosen: DbtCloudSettings) -> "Looking":
        return cls(patient, admin, chosen, Once(partial(accounts, admin)), _EachOnce(admin))

    def host(self) -> Iterator[Finding]:
        try:
            self.admin.token()
        except Failure as failure:
            ref = self.chosen.token.get_secret_value()
            why = " ".join(str(failure).replace(ref, "").split())
            yield _about("host").skipped(f"not asked, since the token cannot be had: {why}")
            return
        yield host(self._host, _outcome(self.visible))

    def token(self) -> Iterator[Finding]:
        outcome = _outcome(self.visible)
        if isinstance(outcome, Refused):
            yield token_refused(self._host, outcome)
        elif not isinstance(outcome, Failure):
            yield from accounts_seen(outcome, [str(each) for each in self.chosen.accounts])

    def runs(self) -> Iterator[Finding]:
        for account in self._accounts():
            yield self._runs_of(account)

    def discovery(self) -> Iterator[Finding]:
        found = self._accounts()
        if not found:
            return
        runs = (_outcome(self.last_runs[account]) for account in found)
        run = next((each for each in runs if isinstance(each, Run)), None)
        chosen = self.chosen
        endpoint = hosts.discovery_endpoint(chosen.metadata_url or hosts.metadata_url(chosen.host))
        asking = Discovery(endpoint, self.admin.token, self.admin.outbound)
        job_id, run_id = (run.job, run.id) if run else _NOBODY
        outcome = _outcome(partial(asking.nodes, job_id, run_id, ["model.a.b"]))
        yield discovery(urlsplit(endpoint).hostname or "?", outcome, run_id if run else "")

    def webhooks(self) -> Iterator[Finding]:
        for account in self._accounts():
            try:
                found = Webhooks(self.admin, account).listed()
            except Refused as refused:
                about = _about("webhooks")
                if refused.status not in (403, 404):
                    yield about.fails(str(refused), "")
                    continue
                said = f"this token may not list those of the account {account}"
                yield about.skipped(said, MANAGER)
            else:
                yield from dbt_webhooks.judged(
                    _about("webhooks"), found, self.patient.receiver, self.patient.now()
                )

    @property
    def _host(self) -> str:
        return urlsplit(self.admin.base_url).hostname or "?"

    def _accounts(self) -> list[str]:
        """Ours: those that are configured and seen, else all that are seen."""
        seen = _outcome(self.visible)
        if isinstance(seen, Failure):
            return []
        written = [str(each) for each in self.chosen.accounts if str(each) in seen]
        return (written if self.chosen.accounts else sorted(seen))[:ACCOUNTS_LIMIT]

    def _runs_of(self, account: str) -> Finding:
        about = _about("runs")
        try:
            run = self.last_runs[account]()
            if run is None:
                return about.ok(f"may list those of the account {account}; none has ended lately")
            details = self.admin.run(account, run.id)
            steps = [step for step in details.steps if step.has_begun][-STEPS:]
            wrote = any(self.admin.written(account, run.id, step) for step in reversed(steps))
        except Refused as refused:
            if refused.status not in (403, 404):
                return about.fails(str(refused), "")
            lost = "commits, logs and which runs are of CI stay unknown"
            return about.warns(
                f"the token may not read those of the account {account}: {lost}", VIEWER
            )
        files = "what they wrote" if wrote else "nothing that they wrote"
        return about.ok(f"read the run {run.id} with {len(details.steps)} steps and {files}")


class _EachOnce(dict[str, Once[Run | None]]):
    """The last run of each account, asked for once."""

    def __init__(self, admin: Admin) -> None:
        super().__init__()
        self._admin = admin

    def __missing__(self, account: str) -> Once[Run | None]:
        return self.setdefault(account, Once(partial(last_run, self._admin, account)))


def accounts(admin: Admin) -> dict[str, str]:
    """The names of the accounts that the token sees, by id. Raises NotDbtCloud, Refused or Busy."""
    url = f"{admin.base_url}/api/v2/accounts/"
    try:
        content = admin.outbound.get_json(url, headers=admin.headers()).content
    except Refused as refused:
        if not _is_dbt_cloud(refused.reply.content):
            raise NotDbtCloud(str(refused)) from None
        raise
    rows = content.get("data") if _is_dbt_cloud(content) else None
    if not isinstance(rows, list):
        raise NotDbtCloud("it answers something else")
    found = (row for row in rows if isinstance(row, dict))
    return {str(row.get("id")): str(row.get("name") or "") for row in found}


def last_run(admin: Admin, account: str) -> Run | None:
    """The account's newest run that has ended, of its RUNS newest. Raises Refused or Busy."""
    content = admin.outbound.get_json(
        f"{admin.base_url}/api/v2/accounts/{account}/runs/",
        headers=admin.headers(),
        params={"order_by": "-id", "limit": str(RUNS)},
        answer_limit_bytes=LIMIT_BYTES,
    ).content
    rows = content.get("data") if isinstance(content, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("status") in _ENDED:
            return Run(str(row.get("id")), str(row.get("job_definition_id") or row.get("job_id")))
    return None


def host(name: str, outcome: object) -> Finding:
    """Whether dbt Cloud answers there, by what came of asking for accounts. Pure."""
    about = _about("host")
    if isinstance(outcome, NotDbtCloud):
        return about.fails(f"what answers at {name} is not dbt Cloud's API: {outcome}", ACCESS_URL)
    if isinstance(outcome, Busy):
        mend = (
            ACCESS_URL if outcome.status is None else "run it again; see https://status.getdbt.com"
        )
        return about.fails(str(outcome), mend)
    return about.ok(f"{name} answers, and is dbt Cloud")


def token_refused(name: str, refused: Refused) -> Finding:
    if refused.status == 401:
        said = f"{name} answers 401 to it, as it does to a token of another region or account host"
        return _about("token").fails(said, f"{ACCESS_URL}; else {ANOTHER}")
    return _about("token").fails(str(refused), ANOTHER)


def accounts_seen(seen: Mapping[str, str], written: list[str]) -> Iterator[Finding]:
    """Whether the token sees the accounts that are `written` in the configuration. Pure."""
    about = _about("token")
    shown = ", ".join(f"{id_} ({name})" if name else id_ for id_, name in sorted(seen.items()))
    if not seen:
        yield about.fails("it is taken, and sees no account", ANOTHER)
    for account in written:
        if account not in seen:
            said = f"`dbt_cloud.accounts` has {account}, which the token does not see"
            yield about.fails(f"{said}; it sees {shown}", SET_ACCOUNTS)
    if seen and set(written) <= seen.keys():
        yield about.ok(f"it is taken, and sees {shown}")


def discovery(name: str, outcome: object, run_id: str) -> Finding:
    """Whether Discovery may be asked, by what came of asking for a node of a run. Pure."""
    about = _about("Discovery")
    if isinstance(outcome, Refused) and outcome.status in (401, 403):
        return about.fails(f"{name} answers {outcome.status} to the token", METADATA)
    if isinstance(outcome, QueryRefused):
        return about.warns(f"{name} answers with an error and no data", METADATA)
    if isinstance(outcome, Failure):
        return about.fails(str(outcome), "set `dbt_cloud.metadata_url`, if it is another host")
    if outcome is None and run_id:
        return about.ok(f"{name} answers; it has no metadata of the run {run_id}")
    return about.ok(f"{name} answers" + (f" about the run {run_id}" if run_id else ""))


def _about(name: str) -> About:
    return About(Group.DBT_CLOUD, name)


def _outcome(ask: Callable[[], Any]) -> Any:
    """What `ask` returns, or the Failure that it raises."""
    try:
        return ask()
    except Failure as failure:
        return failure


def _is_dbt_cloud(content: Any) -> bool:
    """Whether it is in the envelope of the Admin API."""
    return isinstance(content, dict) and isinstance(content.get("status"), dict)
