"""What an account holds: the names of its projects, environments and jobs, and its runs, listed.

For people who configure; the service itself asks for single runs only. dbt Cloud calls the lists of
projects and environments in version 2 deprecated: they are used all the same, because version 3
lists environments per project only, one call for each.

Source: https://docs.getdbt.com/dbt-cloud/api-v2
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.fields import text_of
from subscriber.outbound import Busy, Refused

PAGE = 100  # the most that dbt Cloud lists at once
PAGES_LIMIT = 5_000  # of one list; a server that lists the same for ever is noticed then
PAGE_LIMIT_BYTES = 16_000_000

NOT_TAKEN = (
    "answered 401, invalid token: it is mistyped or expired, or belongs to another account, region "
    "or host; the host (`dbt_cloud.host`) must be your account's access URL (in dbt Cloud: Account "
    "settings, Access URLs), for example ab123.us1.dbt.com"
)
"""What an operator is told of a 401, behind the name of the host."""

_DELETED = 2
_ENDED = {10: "Success", 20: "Errored", 30: "Cancelled"}


@dataclass(frozen=True)
class Named:
    """A project, an environment or a job; `parent` is the id of the project it belongs to."""

    id: str
    name: str
    parent: str = ""
    is_deleted: bool = False


@dataclass(frozen=True)
class Names:
    """By id. `hidden` are the lists that the token may not read, by name: those are empty."""

    projects: Mapping[str, Named]
    environments: Mapping[str, Named]
    jobs: Mapping[str, Named]
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """One account of a dbt Cloud. Calls raise Refused or Busy; all are safe to repeat."""

    admin: Admin
    id: str

    def names(self, *, also_deleted: bool = False) -> Names:
        """The names of all that a rule can name, each list whole.

        Runs of the past may be of what has been deleted since.
        """
        found: dict[str, dict[str, Named]] = {}
        hidden = []
        for what in ("projects", "environments", "jobs"):
            try:
                found[what] = self._named(what, "all" if also_deleted else "active")
            except Refused as refused:
                if refused.status not in (403, 404):
                    raise
                found[what] = {}
                hidden.append(what)
        return Names(found["projects"], found["environments"], found["jobs"], tuple(hidden))

    def run(self, run_id: str) -> dict[str, Any]:
        """One run with its job and trigger, as the Admin API has it."""
        related = {"include_related": json.dumps(["trigger", "job"])}
        found = self._answer(f"runs/{run_id}/", related)["data"]
        return found if isinstance(found, dict) else {}

    def runs(self, since: datetime) -> Iterator[dict[str, Any]]:
        """The runs created since then, with job and trigger, the newest first, page by page.

        A run that begins meanwhile may or may not be among them; none comes twice, none is left
        out.
        """
        params = {"order_by": "-id", "include_related": json.dumps(["trigger", "job"])}
        seen: set[str] = set()
        for run in self._listed("runs", params):
            created_at, run_id = time_of(run, "created_at"), id_of(run, "id")
            if created_at is not None and created_at < since:
                return
            # what is new moves the others to the next page
            if run_id and run_id not in seen:
                seen.add(run_id)
                yield run

    def _named(self, what: str, state: str) -> dict[str, Named]:
        rows = self._listed(what, {"order_by": "id", "state": state})
        found = (
            Named(
                id_of(row, "id"),
                text_of(row, "name"),
                id_of(row, "project_id"),
                is_deleted=row.get("state") == _DELETED,
            )
            for row in rows
        )
        return {each.id: each for each in found if each.id}

    def _listed(self, what: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        offset = 0
        for _ in range(PAGES_LIMIT):
            asked = {**params, "limit": str(PAGE), "offset": str(offset)}
            page = self._answer(f"{what}/", asked)
            found = page["data"] if isinstance(page["data"], list) else []
            yield from (row for row in found if isinstance(row, dict))
            offset += len(found)
            if not found or _is_last(page, offset, len(found)):
                return
        raise PermanentFailure(f"dbt Cloud lists more than {PAGES_LIMIT} pages of {what}")

    def _answer(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        try:
            with reaching():
                answer = self.admin.outbound.get_json(
                    f"{self.admin.base_url}/api/v2/accounts/{self.id}/{path}",
                    headers=self.admin.headers(),
                    params=dict(params),
                    answer_limit_bytes=PAGE_LIMIT_BYTES,
                )
        except Refused as refused:
            what = f"no {path.strip('/')} of account {self.id}"
            raise _explained(self.admin, refused, what) from None
        if not isinstance(answer.content, dict) or "data" not in answer.content:
            raise TemporaryFailure("what answered is not dbt Cloud's Admin API: is its URL right?")
        return answer.content


def ids_of_accounts(admin: Admin) -> list[str]:
    """The ids of the accounts that the token can see, in order; raises Refused or Busy."""
    try:
        with reaching():
            return sorted(admin.accounts(), key=lambda id_: (len(id_), id_))
    except Refused as refused:
        raise _explained(admin, refused, "no accounts") from None


@contextmanager
def reaching() -> Iterator[None]:
    """A host that does not answer within is said with what to look at; what is raised stays."""
    try:
        yield
    except Busy as busy:
        if busy.status is None:
            said = f"{busy}: is the host right (`dbt_cloud.host`), and is there a network?"
            busy.args = (said,)
        raise


def _explained(admin: Admin, refused: Refused, what: str) -> Refused:
    """The same refusal, with what to look at."""
    host = urlsplit(admin.base_url).hostname or "?"
    match refused.status:
        case 401:
            why = f"{host} {NOT_TAKEN}"
        case 403 | 404:
            why = (
                f"{host} shows this token {what} ({refused.status}): is the account right, and may "
                "the token view jobs and runs?"
            )
        case _:
            return refused
    return Refused(why, refused.status, refused.reply)


def body_of(run: Mapping[str, Any], account_id: str, names: Names) -> bytes | None:
    """The body of the webhook `completed` that dbt Cloud sends of a run that ended; else None.

    A webhook holds names that the Admin API does not list with a run: those are looked up.
    """
    status = run.get("status")
    if status not in _ENDED:
        return None
    job, finished_at = run.get("job"), time_of(run, "finished_at")
    job_id = id_of(run, "job_definition_id") or id_of(run, "job_id")
    project_id, environment_id = id_of(run, "project_id"), id_of(run, "environment_id")
    at = finished_at or time_of(run, "created_at")
    data = {
        "jobId": job_id,
        "jobName": text_of(job, "name") or _of(names.jobs, job_id),
        "runId": id_of(run, "id"),
        "environmentId": environment_id,
        "environmentName": _of(names.environments, environment_id),
        "projectId": project_id,
        "projectName": _of(names.projects, project_id),
        "runStatus": _ENDED[status],
        "runStatusCode": status,
        "runStatusMessage": text_of(run, "status_message") or "None",
        "runStartedAt": _written(time_of(run, "started_at")),
        "runFinishedAt": _written(finished_at),
    }
    told = {
        "accountId": int(account_id) if account_id.isdigit() else account_id,
        "eventId": f"run-{id_of(run, 'id')}",
        "timestamp": _written(at),
        "eventType": "job.run.completed",
        "data": {key: value for key, value in data.items() if value is not None},
    }
    return json.dumps(told).encode()


def time_of(fields: Mapping[str, Any], key: str) -> datetime | None:
    """A time of the Admin API (`2024-08-30 12:43:34.602258+00:00`); None if there is none."""
    try:
        time = datetime.fromisoformat(text_of(fields, key))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def id_of(fields: Mapping[str, Any], key: str) -> str:
    """An id, which may have 64 bits, as decimal digits; empty if there is none."""
    value = fields.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 <= value < 2**63 else ""
    return value if isinstance(value, str) and value.isascii() and value.isdigit() else ""


def _written(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None


def _is_last(page: Mapping[str, Any], offset: int, length: int) -> bool:
    """Whether nothing comes after `offset`. A page may be short and not the last one."""
    extra = page.get("extra")
    pagination = extra.get("pagination") if isinstance(extra, dict) else None
    total = pagination.get("total_count") if isinstance(pagination, dict) else None
    return offset >= total if isinstance(total, int) else length < PAGE


def _of(names: Mapping[str, Named], id_: str) -> str:
    return names[id_].name if id_ in names else ""
