"""What an account holds: the names of its projects, environments and jobs, and its runs, listed.

For people who configure; the service itself asks for single runs only.

Source: https://docs.getdbt.com/dbt-cloud/api-v2
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.errors import TemporaryFailure
from subscriber.dbt_cloud.admin import Admin

PAGE = 100  # the most that dbt Cloud lists at once
PAGES_LIMIT = 200  # of one list: 20,000 rows

_ENDED = {10: "Success", 20: "Errored", 30: "Cancelled"}


@dataclass(frozen=True)
class Named:
    """A project, an environment or a job; `parent` is the id of the project it belongs to."""

    id: str
    name: str
    parent: str = ""


@dataclass(frozen=True)
class Names:
    """By id. What the token may not list is empty."""

    projects: Mapping[str, Named]
    environments: Mapping[str, Named]
    jobs: Mapping[str, Named]


@dataclass(frozen=True)
class Account:
    """One account of a dbt Cloud. Calls raise Refused or Busy; all are safe to repeat."""

    admin: Admin
    id: str

    def names(self) -> Names:
        """The names of all that a rule can name, each list whole."""
        return Names(self._named("projects"), self._named("environments"), self._named("jobs"))

    def run(self, run_id: str) -> dict[str, Any]:
        """One run with its job and trigger, as the Admin API has it."""
        found = self._get(f"runs/{run_id}/", {"include_related": json.dumps(["trigger", "job"])})
        return found if isinstance(found, dict) else {}

    def runs(self, since: datetime) -> Iterator[dict[str, Any]]:
        """The runs created since then, with job and trigger, the newest first, page by page."""
        params = {"order_by": "-id", "include_related": json.dumps(["trigger", "job"])}
        for run in self._listed("runs", params):
            created_at = time_of(run, "created_at")
            if created_at is not None and created_at < since:
                return
            yield run

    def _named(self, what: str) -> dict[str, Named]:
        rows = self._listed(what, {"order_by": "id"})
        found = (
            Named(str(row.get("id")), str(row.get("name") or ""), str(row.get("project_id") or ""))
            for row in rows
        )
        return {each.id: each for each in found}

    def _listed(self, what: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        for page in range(PAGES_LIMIT):
            asked = {**params, "limit": str(PAGE), "offset": str(page * PAGE)}
            rows = self._get(f"{what}/", asked)
            found = rows if isinstance(rows, list) else []
            yield from (row for row in found if isinstance(row, dict))
            if len(found) < PAGE:
                return

    def _get(self, path: str, params: Mapping[str, str]) -> Any:
        answer = self.admin.outbound.get_json(
            f"{self.admin.base_url}/api/v2/accounts/{self.id}/{path}",
            headers=self.admin.headers(),
            params=dict(params),
            answer_limit_bytes=16_000_000,
        )
        if not isinstance(answer.content, dict) or "data" not in answer.content:
            raise TemporaryFailure("what answered is not dbt Cloud's Admin API: is its URL right?")
        return answer.content["data"]


def body_of(run: Mapping[str, Any], account_id: str, names: Names) -> bytes | None:
    """The body of the webhook `completed` that dbt Cloud sends of a run that ended; else None.

    A webhook holds names that the Admin API does not list with a run: those are looked up.
    """
    status = run.get("status")
    if status not in _ENDED:
        return None
    job, finished_at = run.get("job"), time_of(run, "finished_at")
    job_id = str(run.get("job_definition_id") or run.get("job_id") or "")
    project_id, environment_id = str(run.get("project_id")), str(run.get("environment_id"))
    at = finished_at or time_of(run, "created_at")
    data = {
        "jobId": job_id,
        "jobName": _name(job) or _of(names.jobs, job_id),
        "runId": str(run.get("id")),
        "environmentId": environment_id,
        "environmentName": _of(names.environments, environment_id),
        "projectId": project_id,
        "projectName": _of(names.projects, project_id),
        "runStatus": _ENDED[status],
        "runStatusCode": status,
        "runStatusMessage": run.get("status_message") or "None",
        "runStartedAt": _written(time_of(run, "started_at")),
        "runFinishedAt": _written(finished_at),
    }
    told = {
        "accountId": int(account_id) if account_id.isdigit() else account_id,
        "eventId": f"run-{run.get('id')}",
        "timestamp": _written(at),
        "eventType": "job.run.completed",
        "data": {key: value for key, value in data.items() if value is not None},
    }
    return json.dumps(told).encode()


def time_of(fields: Mapping[str, Any], key: str) -> datetime | None:
    """A time of the Admin API (`2024-08-30 12:43:34.602258+00:00`); None if there is none."""
    try:
        time = datetime.fromisoformat(str(fields.get(key) or ""))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _written(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z") if time else None


def _name(job: object) -> str:
    return str(job.get("name") or "") if isinstance(job, dict) else ""


def _of(names: Mapping[str, Named], id_: str) -> str:
    return names[id_].name if id_ in names else ""
