"""Another dbt Cloud job: it is run after a run that ended, or the run that failed is retried.

Source: https://docs.getdbt.com/dbt-cloud/api-v2 (Trigger Job Run, Retry Run)
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from shared.errors import PermanentFailure
from subscriber import fixes
from subscriber.actions import Action, Handle
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.jobs import PAUSE_S, JobRun, Jobs
from subscriber.destination import Destination, Does, as_text
from subscriber.examined import Examined
from subscriber.outbound import Outbound, Refused
from subscriber.progress import Done, Failed, Looks, Progress, Running
from subscriber.rules import not_empty
from subscriber.saying.dbt_job import Mark, cause, key_of, mark_of, why_no_retry

CHAIN_LIMIT = 5  # runs in a row, each started here because of the one before
_ORIGINS = 2  # runs that are asked for to learn whether one was started here: it and its original

ACCOUNTS_LIMIT = 5  # in which a job is looked for, where none is written

_ID = re.compile(r"[1-9][0-9]{0,18}")
_HANDLE = re.compile(r"([1-9][0-9]{0,18})/([1-9][0-9]{0,18})")
_MAYBE_OURS = frozenset({"", "api", "rerun"})  # triggers of runs that may go back to us


def _an_id(value: Any) -> str:
    written = str(value).strip() if isinstance(value, int | str) else ""
    if isinstance(value, bool) or not _ID.fullmatch(written):
        raise ValueError("write an id, digits alone; it stands in the URL in dbt Cloud")
    return written


_ID_SCHEMA = {"type": ["integer", "string"], "pattern": rf"^\s*{_ID.pattern}\s*$", "minimum": 1}

Id = Annotated[str, BeforeValidator(_an_id), WithJsonSchema(_ID_SCHEMA)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class DbtJob(Destination):
    """`job` is run in `account`, by default that of the run; `token` is a service token there.

    With `action: retry` it is the failed run itself that is resumed from where it failed; `job`
    then names the only job whose runs are retried, if it is written at all.
    """

    does: ClassVar[Does] = Does.TRIGGER
    # a repeat looks first for what it may have begun: but only once that must have come to be seen
    repeatable: ClassVar[bool] = False
    looks: ClassVar[Looks | None] = Looks(timedelta(seconds=30), timedelta(minutes=5))

    token: SecretStr = Field(description="where a service token that may run jobs is kept")
    action: Literal["run", "retry"] = Field(
        "run", description="whether `job` is run, or the run that failed is retried"
    )
    job: Id | None = Field(None, description="the id of the job: the last number of its URL")
    account: Id | None = Field(None, description="the id of its account; default: that of the run")
    steps: Annotated[tuple[Text, ...], BeforeValidator(not_empty)] | None = Field(
        None, description="commands to run instead of the job's"
    )
    git_branch: Text | None = Field(
        None, description="the branch to check out instead of the environment's"
    )
    threads: int | None = Field(
        None, ge=1, strict=True, description="the number of threads instead of the job's"
    )
    base_url: str = Field("https://cloud.getdbt.com", description="the access URL of the account")

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        jobs = self._jobs(self._account(action), outbound)
        begun = self._retried(action, jobs) if self.action == "retry" else self._ran(action, jobs)
        return Handle(f"{jobs.account_id}/{begun.id}", begun.link)

    def progress(self, handle: Handle, outbound: Outbound) -> Progress:
        found = _HANDLE.fullmatch(handle.key)
        if found is None:
            raise PermanentFailure("it is not known which run was begun: look for it in dbt Cloud")
        run = self._jobs(found[1], outbound).run(found[2])
        match run.status:
            case 10:
                return Done()
            case 20:
                said = fixes.quoted(run.status_message, self.token.get_secret_value())
                why = f": {said}" if said not in ("", "None") else ""
                return Failed(f"the run {run.id} in dbt Cloud ended with an error{why}")
            case 30:
                return Failed(f"the run {run.id} in dbt Cloud was cancelled")
        return Running()

    def examine(self, outbound: Outbound) -> Examined:
        """Whether the token sees the job; whether it may run that, only a run shows."""
        accounts = [self.account] if self.account else self._accounts(outbound)
        only = f"untried: to {'retry runs' if self.action == 'retry' else 'run it'}"
        if self.job is None:
            return Examined(f"the token sees {_listed(accounts)}; {only}")
        missing: Refused | None = None
        for account in accounts[:ACCOUNTS_LIMIT]:
            try:
                name = self._jobs(account, outbound).name(self.job)
            except Refused as refused:
                missing = missing or refused
            else:
                return Examined(f"the token sees the job {name or self.job}; {only}")
        raise missing or PermanentFailure("the token sees no account")

    def shown(self, action: Action) -> str:
        account = self.account or _told(action, "account_id") or "ACCOUNT"
        path = f"POST /api/v2/accounts/{account}"
        if self.action == "retry":
            return f"{path}/runs/{_told(action, 'run_id') or 'RUN'}/retry/\n{as_text({})}"
        body = self._body(action, Mark(1, key_of(action.key)))
        return f"{path}/jobs/{self.job}/run/\n{as_text(body)}"

    def _ran(self, action: Action, jobs: Jobs) -> JobRun:
        """The run that `action` asks for, begun now unless an earlier try has."""
        job = self.job or ""
        is_same_account = self._source_account(action, jobs) == jobs.account_id
        if is_same_account and job == _told(action, "job_id"):
            raise PermanentFailure(
                f"the job {job} would be run after each run of its own, for ever; name another "
                "job in the rule or in the destination"
            )
        # of another account's runs this token knows nothing
        before = self._steps_before(action, jobs) if is_same_account else 0
        if before >= CHAIN_LIMIT:
            raise PermanentFailure(
                f"{before} jobs in a row were run from here, each because of the one before, and "
                "this would be one more; do the rules go round in a circle?"
            )
        mark = Mark(before + 1, key_of(action.key))
        for run in jobs.newest(job):
            found = mark_of(run.cause)
            if found is not None and found.key == mark.key:
                return run
        return jobs.start(job, self._body(action, mark))

    def _steps_before(self, action: Action, jobs: Jobs) -> int:
        """How many runs in a row were started from here, up to the one that `action` follows.

        None where the token may not see that: to hold back every run for it would be worse.
        """
        run_id = _told(action, "run_id")
        if action.message.facts.get("trigger", "") not in _MAYBE_OURS:
            return 0
        for _ in range(_ORIGINS):
            if not run_id:
                return 0
            try:
                run = jobs.run(run_id)
            except Refused as refused:
                if refused.status not in (403, 404):
                    raise
                return 0
            mark = mark_of(run.cause)
            if mark is not None:
                return mark.step
            run_id = run.original
        return 0

    def _retried(self, action: Action, jobs: Jobs) -> JobRun:
        """The run that retries the one of `action`, begun now unless somebody has."""
        run_id, account = _told(action, "run_id"), self._source_account(action, jobs)
        if not run_id:
            raise PermanentFailure("it is not known which run is to be retried")
        if account != jobs.account_id:
            raise PermanentFailure(
                f"the run {run_id} is of the account {account}, and only runs of the account "
                f"{jobs.account_id} are retried here: leave `account` out, or narrow the rule"
            )
        failed = jobs.run(run_id)
        if self.job not in (None, failed.job_id):
            raise PermanentFailure(f"the run {run_id} is none of the job {self.job}: not retried")
        if failed.is_retry:
            raise PermanentFailure(
                f"the run {run_id} is a retry itself, and is not retried again: look into it"
            )
        if failed.can_retry is not True:
            for run in reversed(jobs.newest(failed.job_id)):
                if failed.is_retried_by(run):
                    return run
            if failed.can_retry is False:
                why = why_no_retry(failed.why_no_retry)
                raise PermanentFailure(f"the run {run_id} cannot be retried: {why}")
        # what was retried is the newest run no longer: a second time dbt Cloud refuses
        return jobs.retry(run_id)

    def _source_account(self, action: Action, jobs: Jobs) -> str:
        """The account of the run that `action` follows."""
        return _told(action, "account_id") or jobs.account_id

    def _body(self, action: Action, mark: Mark) -> dict[str, Any]:
        overrides = {
            "steps_override": list(self.steps) if self.steps else None,
            "git_branch": self.git_branch,
            "threads_override": self.threads,
        }
        said = {"cause": cause(action.message.headline, mark)}
        return said | {name: value for name, value in overrides.items() if value is not None}

    def _account(self, action: Action) -> str:
        account = self.account or _told(action, "account_id")
        if not account:
            raise PermanentFailure("it is not known of which account the run is; write `account`")
        return account

    def _accounts(self, outbound: Outbound) -> list[str]:
        """The accounts that the token sees."""
        refused = (
            "dbt Cloud refuses the token; is `base_url` the access URL of its account (Account "
            "settings, Access URLs)?"
        )
        with fixes.named({401: refused, 403: refused, 404: refused}, pause_s=PAUSE_S):
            admin = Admin(self.base_url, self.token.get_secret_value, outbound)
            return sorted(admin.accounts())

    def _jobs(self, account: str, outbound: Outbound) -> Jobs:
        return Jobs(self.base_url, account, self.token.get_secret_value(), outbound)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.action == "run" and self.job is None:
            raise ValueError("write `job`: the id of the job that is to be run")
        others = [n for n in ("steps", "git_branch", "threads") if getattr(self, n) is not None]
        if self.action == "retry" and others:
            raise ValueError(f"a retry does what the run would have done: leave out {others[0]}")
        return self


def _listed(accounts: Sequence[str]) -> str:
    if not accounts:
        raise PermanentFailure("the token sees no account of dbt Cloud")
    more = f" and {len(accounts) - ACCOUNTS_LIMIT} more" if len(accounts) > ACCOUNTS_LIMIT else ""
    shown = ", ".join(accounts[:ACCOUNTS_LIMIT])
    return f"the account{'s' if len(accounts) > 1 else ''} {shown}{more}"


def _told(action: Action, name: str) -> str:
    """The id that the event of `action` has; empty if it has none, or what is none."""
    value = str(action.event.get(name) or action.message.facts.get(name, ""))
    return value if _ID.fullmatch(value) else ""
