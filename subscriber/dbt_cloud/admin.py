"""The Admin API: one run with its steps, and the artifacts its steps wrote.

Source: https://docs.getdbt.com/dbt-cloud/api-v2
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import TemporaryFailure
from subscriber.dbt_cloud import steps
from subscriber.dbt_cloud.fields import object_of, text_of
from subscriber.dbt_cloud.results import Written, from_artifact
from subscriber.outbound import Outbound, Refused
from subscriber.run import Outcome, RunDetails, Step, outcome_of

RUN_LIMIT_BYTES = 16_000_000  # the logs of all its steps
ARTIFACT_LIMIT_BYTES = 64_000_000  # ten thousand nodes take some 20 MB

_NOT_BEGUN, _FAILED, _CANCELLED = (1, 2), 20, 30


@dataclass(frozen=True)
class Admin:
    """Asks one dbt Cloud. Every call raises Refused or Busy; all are safe to repeat.

    `token` is asked for at each call, so that a rotated one works.
    """

    base_url: str
    token: Callable[[], str]
    outbound: Outbound

    def run(self, account_id: str, run_id: str) -> RunDetails:
        """The run with its trigger, job and steps, logs included."""
        answer = self.outbound.get_json(
            f"{self._runs(account_id)}/{run_id}/",
            headers=self.headers(),
            params={"include_related": json.dumps(["trigger", "job", "run_steps"])},
            answer_limit_bytes=RUN_LIMIT_BYTES,
        )
        run = object_of(answer.content).get("data")
        if not isinstance(run, dict):
            raise TemporaryFailure("what answered is not dbt Cloud's Admin API: is its URL right?")
        return details(run)

    def written(self, account_id: str, run_id: str, step: Step) -> Written | None:
        """What `step` wrote of the nodes; None if it wrote nothing.

        What another run left behind counts as nothing.
        """
        name = steps.artifact(step)
        try:
            answer = self.outbound.get_json(
                f"{self._runs(account_id)}/{run_id}/artifacts/{name}",
                headers=self.headers(),
                # without it, those of the last step come
                params={"step": str(step.index)},
                follow_redirects=True,
                answer_limit_bytes=ARTIFACT_LIMIT_BYTES,
            )
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        if not isinstance(answer.content, dict):
            return None
        written = from_artifact(name, answer.content, steps.command(step))
        return written if written.run_id in ("", run_id) else None

    def newest_run(self, account_id: str, job_id: str) -> int | None:
        """The id of the job's latest run, whatever its status; None if it has none."""
        answer = self.outbound.get_json(
            f"{self._runs(account_id)}/",
            headers=self.headers(),
            params={"job_definition_id": job_id, "order_by": "-id", "limit": "1"},
        )
        listed = object_of(answer.content).get("data")
        if not isinstance(listed, list):
            raise TemporaryFailure("what answered is not dbt Cloud's Admin API: is its URL right?")
        found = object_of(listed[0]).get("id") if listed else None
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def accounts(self) -> frozenset[str]:
        """The ids of the accounts that the token can see."""
        answer = self.outbound.get_json(f"{self.base_url}/api/v2/accounts/", headers=self.headers())
        listed = object_of(answer.content).get("data")
        if not isinstance(listed, list):
            return frozenset()
        return frozenset(str(account.get("id", "")) for account in listed if object_of(account))

    def _runs(self, account_id: str) -> str:
        return f"{self.base_url}/api/v2/accounts/{account_id}/runs"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.token()}", "Accept": "application/json"}


def details(run: Mapping[str, Any]) -> RunDetails:
    """A run as the Admin API has it; the steps are empty where it was not asked for them."""
    run_steps = run.get("run_steps")
    status = run.get("status")
    return RunDetails(
        outcome=outcome_of(status) if isinstance(status, int) else Outcome.UNKNOWN,
        trigger=_trigger(object_of(run.get("trigger")), object_of(run.get("job"))),
        link=text_of(run, "href"),
        git_sha=text_of(run, "git_sha"),
        git_branch=text_of(run, "git_branch"),
        status_message=text_of(run, "status_message"),
        steps=tuple(
            _step(step, index) for index, step in enumerate(run_steps, 1) if isinstance(step, dict)
        )
        if isinstance(run_steps, list)
        else (),
    )


def _trigger(trigger: dict[str, Any], job: dict[str, Any]) -> str:
    """What started the run, in the Admin API's words; `ci` for whatever tests a pull request."""
    pull_request = any(
        trigger.get(key)
        for key in (
            "github_pull_request_id",
            "gitlab_merge_request_id",
            "azure_pull_request_id",
            "non_native_pull_request_id",
        )
    )
    job_type = text_of(job, "job_type")
    if pull_request or job_type == "ci":
        return "ci"
    if job_type == "merge":
        return "merge"
    return text_of(trigger, "cause_category").lower()


def _step(step: dict[str, Any], position: int) -> Step:
    index, status = step.get("index"), step.get("status")
    return Step(
        index=index if isinstance(index, int) else position,
        name=text_of(step, "name"),
        failed=status == _FAILED,
        logs=text_of(step, "logs"),
        has_begun=status not in _NOT_BEGUN
        and (status != _CANCELLED or step.get("started_at") is not None),
    )
