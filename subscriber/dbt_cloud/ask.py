"""Asking dbt Cloud about a run: few calls, whatever the project's size, and always an answer.

First the Admin API (the run and its steps), then the results that the failed steps wrote, then
Discovery for what is known of the nodes that failed. Where the token may only read metadata, or
nothing was written, Discovery's lists take the place of the results.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from shared.errors import Failure, TemporaryFailure
from shared.event import RunEvent
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.discovery import Discovery
from subscriber.ledger.contract import Ledger
from subscriber.outbound import Busy, Refused
from subscriber.run import Answer, Result, RunDetails, Status

ASKING_S = 25.0  # paging ends after this: an alert does not wait longer for its diagnosis
CALL_S = 15.0  # what must be left of it for another question: one may take as long
COOLDOWN = timedelta(minutes=5)  # what dbt Cloud asks for with a 429
STEPS_LIMIT = 3  # failed steps whose results are read; a run rarely has more than one

_NOT_DBT = ("clone ", "create profile")
_REFUSALS = {
    401: "refused the token: is it this account's, and is the host the account's access URL?",
    403: "does not let this token read it; give it the permission to read runs",
    404: "shows no such run to this token; give it the permission to read runs",
}

T = TypeVar("T")


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

    def about(self, event: RunEvent, *, diagnose: bool) -> Answer:
        """What can be known of the event's run; with `diagnose`, of its failed nodes as well.

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
        if not diagnose:
            return Answer(run=run, notes=tuple(asking.notes))
        results = self._results(event, run, asking)
        logs = run is not None and any(step.failed and step.logs for step in run.steps)
        return Answer(
            run=run,
            results=results,
            notes=tuple(asking.notes),
            is_final=bool(_failed(results)) or logs or asking.is_hopeless,
        )

    def _asking(self) -> "_Asking":
        until = self.monotonic() + ASKING_S
        return _Asking(self.ledger, self.clock, self.renew_token, self.monotonic, until)

    def _is_unknown(self, event: RunEvent, asking: "_Asking") -> bool:
        """Whether this is dbt's "Test endpoint", which tells of an account that does not exist."""
        if self.accounts or not asking.refusals:
            return False
        # what it cannot list is no news
        aside = self._asking()
        seen = aside.ask(self.admin.base_url, self.admin.accounts)
        return bool(seen) and event.account_id not in (seen or ())

    def _results(
        self, event: RunEvent, run: RunDetails | None, asking: "_Asking"
    ) -> tuple[Result, ...]:
        written = self._written(event, run, asking) if run else ()
        failed = _failed(written)
        if failed:
            skipped = [result for result in written if result.status is Status.SKIPPED]
            described = asking.ask(
                self.discovery.endpoint,
                lambda: self.discovery.described(event.job_id, event.run_id, [*failed, *skipped]),
            )
            return tuple((described or {}).get(result.unique_id, result) for result in written)
        listed = asking.ask(
            self.discovery.endpoint,
            lambda: self.discovery.results(event.job_id, event.run_id, go_on=asking.has_time),
        )
        if listed and not asking.has_time():
            asking.note("dbt Cloud has more nodes than could be listed in time")
        return listed or written

    def _written(self, event: RunEvent, run: RunDetails, asking: "_Asking") -> tuple[Result, ...]:
        """What the failed steps wrote. The steps before them were good, those after did not run."""
        failed = [
            step for step in run.steps if step.failed and not step.name.lower().startswith(_NOT_DBT)
        ]
        by_node: dict[str, Result] = {}
        for step in failed[-STEPS_LIMIT:]:
            results = asking.ask(
                self.admin.base_url,
                lambda step=step: self.admin.results(event.account_id, event.run_id, step),  # type: ignore[misc]
            )
            by_node |= {result.unique_id: result for result in results or ()}
        return tuple(by_node.values())


def _failed(results: tuple[Result, ...]) -> list[Result]:
    return [result for result in results if result.status is Status.FAILED]


@dataclass
class _Asking:
    """The calls made for one event, with the notes of what could not be had."""

    ledger: Ledger
    clock: Callable[[], datetime]
    renew_token: Callable[[], bool]
    monotonic: Callable[[], float]
    until: float
    notes: list[str] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    was_down: bool = False

    @property
    def is_hopeless(self) -> bool:
        """Whether to ask again soon would not help an alert."""
        return self.was_down or 401 in self.refusals

    def has_time(self) -> bool:
        return self.monotonic() < self.until

    def ask(self, url: str, call: Callable[[], T]) -> T | None:
        """What `call` returns; None, and a note, if that cannot be had now."""
        host = urlsplit(url).hostname or url
        try:
            if self.monotonic() > self.until - CALL_S:
                raise TemporaryFailure(f"{host} was not asked: dbt Cloud answers too slowly")
            until = self.ledger.cooldown(host)
            if until is not None and until > self.clock():
                raise TemporaryFailure(f"{host} was not asked: it wants a pause after a 429")
            try:
                return call()
            except Refused as refused:
                if refused.status != 401 or not self.renew_token():
                    raise
                return call()
        except Busy as busy:
            self.was_down = True
            if busy.status == 429:
                pause = max(COOLDOWN, timedelta(seconds=busy.retry_after_s or 0))
                self.ledger.cool_down(host, self.clock() + pause)
            self.note(str(busy))
        except TemporaryFailure as failure:
            self.was_down = True
            self.note(str(failure))
        except Refused as refused:
            self.refusals.append(refused.status)
            self.note(f"{host} {_REFUSALS.get(refused.status, f'answered {refused.status}')}")
        except Failure as failure:
            self.note(f"{host}: {failure}")
        return None

    def note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
