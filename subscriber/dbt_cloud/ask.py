"""Asking dbt Cloud about a run: few calls, whatever the project's size, and always an answer.

First the Admin API (the run and its steps), then the results that the steps wrote, then Discovery
for what is known of the nodes that failed. Where the token may only read metadata, or something
was not written, Discovery's lists take the place of the results.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.event import RunEvent
from subscriber.dbt_cloud import steps
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.asking import Asking
from subscriber.dbt_cloud.describing import Describing
from subscriber.dbt_cloud.details import Details
from subscriber.dbt_cloud.discovery import Discovery
from subscriber.dbt_cloud.results import Written, joined, merged
from subscriber.ledger.contract import Ledger
from subscriber.run import Answer, Outcome, Question, Result, RunDetails, Status, Step, outcome

FAILED_STEPS_LIMIT = 3  # failed steps whose results are read; a run rarely has more than one
STEPS_LIMIT = 10  # steps whose results are read where all are wanted

_ENDED = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "was cancelled",
}


@dataclass(frozen=True)
class DbtCloud:
    """`accounts` are those that the configuration names; none = those that the token can see."""

    admin: Admin
    discovery: Discovery
    ledger: Ledger
    accounts: frozenset[str]
    clock: Callable[[], datetime]
    renew_token: Callable[[], bool] = lambda: False
    """Reads the token anew after it was refused; says whether it is another one now."""
    monotonic: Callable[[], float] = time.monotonic

    def about(self, event: RunEvent, question: Question) -> Answer:
        """What can be known of the event's run, as far as `question` asks for it.

        At most five calls in the common case. Raises nothing for what dbt Cloud does or does not
        do: what could not be had is said in the answer's notes. Safe to repeat.
        """
        if self.accounts and event.account_id not in self.accounts:
            return Answer(is_unknown_account=True)
        asking = self._asking()
        run = asking.ask(
            self.admin.base_url, lambda: self.admin.run(event.account_id, event.run_id)
        )
        if run is None and self._is_unknown(event, asking):
            return Answer(is_unknown_account=True)
        if run:
            _compare(event, run, asking)
        newest = self._newest_run(event, asking) if question.newest_run else None
        read = _Read()
        if question.results != "none":
            read = self._read(event, run, question, asking)
        gone = self._gone(event, question.nodes, read, asking)
        results = Describing(self.discovery, asking, event, dict(read.known)).of(read.results)
        return Answer(
            run=run,
            results=results,
            notes=tuple(asking.notes),
            is_final=question.results == "none"
            or _is_final(event, run, question, read)
            or asking.is_hopeless,
            is_complete=read.is_complete,
            gone=gone,
            newest_run=newest,
            was_down=asking.was_down,
        )

    def _asking(self) -> Asking:
        return Asking(self.ledger, self.clock, self.renew_token, self.monotonic)

    def _is_unknown(self, event: RunEvent, asking: Asking) -> bool:
        """Whether this is dbt's "Test endpoint", which tells of an account that does not exist."""
        if self.accounts or not asking.refusals:
            return False
        # what it cannot list is no news
        aside = self._asking()
        seen = aside.ask(self.admin.base_url, self.admin.accounts)
        return bool(seen) and event.account_id not in (seen or ())

    def _newest_run(self, event: RunEvent, asking: Asking) -> int | None:
        return asking.ask(
            self.admin.base_url, lambda: self.admin.newest_run(event.account_id, event.job_id)
        )

    def _gone(
        self, event: RunEvent, nodes: frozenset[str], read: "_Read", asking: Asking
    ) -> frozenset[str]:
        seen = {result.unique_id for result in read.results} | read.known.keys()
        unseen = sorted(nodes - seen)
        # before `completed`, what the metadata does not have may still come
        if not unseen or event.type != "job.run.completed":
            return frozenset()
        found = asking.ask(
            self.discovery.endpoint,
            lambda: self.discovery.gone(event.job_id, event.run_id, unseen),
        )
        return found or frozenset()

    def _read(
        self, event: RunEvent, run: RunDetails | None, question: Question, asking: Asking
    ) -> "_Read":
        """The results, from where they can be had."""
        written = self._written(event, run, question, asking) if run else _Read()
        if written.is_complete or (question.results == "failed" and _failed(written.results)):
            return written
        listed = asking.ask(
            self.discovery.endpoint,
            lambda: self.discovery.listed(event.job_id, event.run_id, go_on=asking.has_time),
        )
        if listed is None:
            return written
        if listed.results and not listed.is_whole:
            asking.note("dbt Cloud has more nodes than could be listed in time")
        return _Read(
            joined(written.results, listed.results),
            is_complete=bool(listed.results) and listed.is_whole and not _goes_on(run),
            known=listed.known,
        )

    def _written(
        self, event: RunEvent, run: RunDetails, question: Question, asking: Asking
    ) -> "_Read":
        """What the steps wrote that are asked for: all, or those that failed.

        The steps before a failed one were good, those after it did not run.
        """
        wanted, limit = [step for step in run.steps if steps.failed(step)], FAILED_STEPS_LIMIT
        is_whole = False
        if question.results == "all":
            wanted = [step for step in run.steps if steps.executed(step) or steps.failed(step)]
            limit = STEPS_LIMIT
            is_whole = len(wanted) <= limit and bool(run.steps) and not _goes_on(run)
            if len(wanted) > limit:
                asking.note(f"the results of {limit} of the run's {len(wanted)} steps were read")
        found: list[Written] = []
        for step in wanted[-limit:]:
            written = self._written_by(event, step, asking)
            # a step that wrote nothing may have been left with what the one before it wrote
            is_new = written and (
                not written.invocation
                or all(written.invocation != other.invocation for other in found)
            )
            if written and is_new:
                found.append(written)
            elif steps.executed(step):
                is_whole = False
        return _Read(merged(found), is_complete=is_whole)

    def _written_by(self, event: RunEvent, step: Step, asking: Asking) -> Written | None:
        return asking.ask(
            self.admin.base_url,
            lambda: self.admin.written(event.account_id, event.run_id, step),
        )


@dataclass(frozen=True)
class _Read:
    """Results as read; `known` is what the same answer said of the project's nodes."""

    results: tuple[Result, ...] = ()
    is_complete: bool = False
    known: Mapping[str, Details] = field(default_factory=dict)


def _compare(event: RunEvent, run: RunDetails, asking: Asking) -> None:
    """Note what dbt Cloud says of the run now, if that is not what the event says."""
    told, said = outcome(event), run.outcome
    if told in (Outcome.STARTED, Outcome.UNKNOWN) or said in (told, Outcome.UNKNOWN):
        return
    now = "still goes on" if said is Outcome.STARTED else _ENDED[said]
    asking.note(f"the event says that the run {_ENDED[told]}, dbt Cloud's API that it {now}")


def _goes_on(run: RunDetails | None) -> bool:
    return run is not None and run.outcome is Outcome.STARTED


def _is_final(event: RunEvent, run: RunDetails | None, question: Question, read: _Read) -> bool:
    """Whether what was read is all that there will be to know of the run."""
    if outcome(event) is not Outcome.FAILED and question.results == "all":
        return bool(read.results) or read.is_complete
    logs = run is not None and any(step.failed and step.logs for step in run.steps)
    return bool(_failed(read.results)) or logs


def _failed(results: Iterable[Result]) -> list[Result]:
    return [result for result in results if result.status is Status.FAILED]
