"""Jobs: running one and retrying a run through the Admin API, and what is to be known for it.

Source: https://docs.getdbt.com/dbt-cloud/api-v2 (Trigger Job Run, Retry Run, List Runs)
"""

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from shared.errors import TemporaryFailure
from subscriber import fixes
from subscriber.dbt_cloud.fields import text_of
from subscriber.outbound import Outbound, Reply, UnknownOutcome

NEWEST = 100  # runs of a job that are listed: the most that one page holds
LIST_LIMIT_BYTES = 8_000_000
PAUSE_S = 300.0  # how long a 429 lasts; dbt Cloud does not promise to say so in it


@dataclass(frozen=True)
class JobRun:
    """A run; what dbt Cloud did not say is empty.

    `cause` and `category` say why it runs; `can_retry` and `why_no_retry` are dbt Cloud's own
    words, as is `retrying`: another run, of which one of the two is a retry of the other. Which,
    no page says: the later one is.
    """

    id: str
    job_id: str = ""
    status: int | None = None
    status_message: str = ""
    link: str = ""
    cause: str = ""
    category: str = ""
    retrying: str = ""
    can_retry: bool | None = None
    why_no_retry: str = ""

    @property
    def original(self) -> str:
        """The run that this one retries; empty if it is no retry, or that is not known."""
        return self.retrying if self.retrying and int(self.retrying) < int(self.id) else ""

    @property
    def is_retry(self) -> bool:
        return self.category == "rerun" or bool(self.original)

    def is_retried_by(self, other: "JobRun") -> bool:
        """Whether `other`, of the same job, retries this one."""
        if int(other.id) <= int(self.id):
            return False
        says_so = other.id == self.retrying or other.original == self.id
        return says_so or (other.category == "rerun" and not other.original)


@dataclass(frozen=True)
class Jobs:
    """Asks dbt Cloud about one account. Refusals name the fix; `run` and `newest` may be repeated.

    `start` and `retry` raise UnknownOutcome where they may have begun a run unanswered, and try
    nothing twice by themselves: dbt Cloud would begin a second run.
    """

    base_url: str
    account_id: str
    token: str = field(repr=False)
    outbound: Outbound

    def run(self, run_id: str) -> JobRun:
        with self._fixes(f"the run {run_id}", "view"):
            answer = self.outbound.get_json(
                f"{self._account}/runs/{run_id}/",
                headers=self._headers,
                params={"include_related": json.dumps(["trigger"])},
            )
        found = _run(_data(answer))
        if found is None:
            raise TemporaryFailure("what answered is not dbt Cloud's Admin API: is `base_url` it?")
        return found

    def name(self, job_id: str) -> str:
        """The job's name."""
        with self._fixes(f"the job {job_id}", "view"):
            answer = self.outbound.get_json(
                f"{self._account}/jobs/{job_id}/", headers=self._headers
            )
        found = _data(answer)
        if not isinstance(found, dict) or not _id(found, "id"):
            raise TemporaryFailure("what answered is not dbt Cloud's Admin API: is `base_url` it?")
        return fixes.quoted(text_of(found, "name"), self.token)

    def newest(self, job_id: str) -> list[JobRun]:
        """The newest runs of the job, the latest first."""
        with self._fixes(f"the runs of the job {job_id}", "view"):
            answer = self.outbound.get_json(
                f"{self._account}/runs/",
                headers=self._headers,
                params={
                    "job_definition_id": job_id,
                    "order_by": "-id",
                    "limit": str(NEWEST),
                    "include_related": json.dumps(["trigger"]),
                },
                answer_limit_bytes=LIST_LIMIT_BYTES,
            )
        listed = _data(answer)
        if not isinstance(listed, list):
            raise TemporaryFailure("what answered is not dbt Cloud's Admin API: is `base_url` it?")
        return [run for run in map(_run, listed) if run is not None]

    def start(self, job_id: str, body: dict[str, Any]) -> JobRun:
        """A new run of the job; `body` has its cause, and what it does otherwise than the job."""
        return self._begin(f"jobs/{job_id}/run/", body, f"the job {job_id}", "run")

    def retry(self, run_id: str) -> JobRun:
        """A new run that resumes this one from where it failed."""
        return self._begin(f"runs/{run_id}/retry/", {}, f"the run {run_id}", "retry")

    def _begin(self, path: str, body: dict[str, Any], what: str, verb: str) -> JobRun:
        with self._fixes(what, verb):
            answer = self.outbound.post_json(
                f"{self._account}/{path}", body, headers=self._headers, repeatable=False
            )
        begun = _run(_data(answer))
        if begun is None:
            raise UnknownOutcome("what answered does not say which run it began: is it dbt Cloud?")
        return begun

    def _fixes(self, what: str, verb: str) -> AbstractContextManager[None]:
        right = "Job Viewer" if verb == "view" else "Job Runner"
        asked = (
            "; compare `steps`, `git_branch` and `threads` with the job" if verb == "run" else ""
        )
        said = {
            400: f"dbt Cloud does not {verb} {what} as it is asked to{asked}",
            401: f"dbt Cloud refuses the token; is it one of the account {self.account_id}, and "
            "is `base_url` the access URL of that account?",
            403: f"the token may not {verb} {what}; give it the permission {right} in that project",
            404: f"dbt Cloud has no {what.removeprefix('the ')} in the account "
            f"{self.account_id}, or does not show it to the token; compare the ids with the URL "
            f"in dbt Cloud, and give the token the permission {right} in that project",
        }
        return fixes.named(said, pause_s=PAUSE_S, says=self._said)

    def _said(self, refusal: Reply) -> str:
        """dbt Cloud's own words, where they tell more than the status does."""
        if refusal.status in (401, 404):
            return ""
        return fixes.quoted(refusal.text("status", "user_message"), self.token)

    @property
    def _account(self) -> str:
        return f"{self.base_url}/api/v2/accounts/{self.account_id}"

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.token}", "Accept": "application/json"}


def _data(answer: Reply) -> Any:
    return answer.content.get("data") if isinstance(answer.content, dict) else None


def _run(told: Any) -> JobRun | None:
    """A run as dbt Cloud tells of it; None if it is none."""
    if not isinstance(told, dict) or not (run_id := _id(told, "id")):
        return None
    trigger = told.get("trigger")
    trigger = trigger if isinstance(trigger, dict) else {}
    status, can_retry, link = told.get("status"), told.get("can_retry"), text_of(told, "href")
    return JobRun(
        id=run_id,
        job_id=_id(told, "job_definition_id") or _id(told, "job_id"),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        status_message=text_of(told, "status_message"),
        link=link if link.startswith(("https://", "http://")) else "",
        cause=text_of(trigger, "cause"),
        category=text_of(trigger, "cause_category").lower(),
        retrying=_id(told, "retrying_run_id"),
        can_retry=can_retry if isinstance(can_retry, bool) else None,
        why_no_retry=text_of(told, "retry_not_supported_reason"),
    )


def _id(fields: dict[str, Any], key: str) -> str:
    """The id as text; empty if there is none."""
    value = fields.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    return value if isinstance(value, str) and value.isascii() and value.isdigit() else ""
