"""Fetching: past runs from dbt Cloud into a file, each with what the service would have asked.

Few calls: a good run takes none of its own unless a rule wants to know its nodes. Slower than dbt
Cloud's limits by far, since others ask in the account's name too.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

from cli.backtest import questions
from cli.history import Asked, Entry, Keeping
from shared import event as events
from shared.errors import TemporaryFailure
from shared.event import RunEvent, UnreadableEvent
from subscriber.configuration import Configuration
from subscriber.dbt_cloud.account import Account, body_of, time_of
from subscriber.dbt_cloud.admin import details
from subscriber.dbt_cloud.ask import DbtCloud
from subscriber.dbt_cloud.asking import COOLDOWN
from subscriber.outbound import Busy
from subscriber.run import Answer, Question

WORKERS = 8
AT_ONCE = 100  # runs that are asked about without a pause
RUNS_PER_S = 5.0
"""Runs asked about after that, of some three calls each: a fifth of the 5,000 calls a minute that
dbt Cloud grants an account; and three fifths of Discovery's 500 if every run failed."""

DOWN_LIMIT = 5  # runs in a row about which dbt Cloud does not answer

_PAUSE = f": too many calls; it wants {COOLDOWN.seconds // 60} minutes without any"

Show = Callable[[str], None]


@dataclass
class Fetched:
    """What came of it. `notes` count, in words for people, what could not be had of how many runs;
    `hidden` are lists that the token may not read; `oldest` is set where older runs were left out.
    """

    ended: int = 0
    going_on: int = 0
    kept_before: int = 0
    asked: int = 0
    oldest: datetime | None = None
    hidden: set[str] = field(default_factory=set)
    notes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Wanted:
    body: bytes
    event: RunEvent
    asked: Asked


_Done = tuple[_Wanted, Answer | BaseException]


@dataclass(frozen=True)
class Fetching:
    """`kept` is where entries go, as they come; those that it has are not asked about again."""

    accounts: Sequence[Account]
    dbt_cloud: DbtCloud
    configurations: Sequence[Configuration]
    kept: Keeping
    show: Show = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    fetched: Fetched = field(default_factory=Fetched)

    def fetch(self, since: datetime, limit: int) -> Fetched:
        """The runs created since then, at most the newest `limit` of each account.

        Raises Refused, and TemporaryFailure where dbt Cloud does not answer or wants a pause: what
        came until then is kept.
        """
        wanted = []
        with self._pause_wanted():
            for account in self.accounts:
                wanted += self._listed(account, since, limit)
        again = self._ask(wanted)
        # once more, and then it is kept as it is: about one run an API may be down for ever
        self._ask(again, is_last=True)
        return self.fetched

    def _listed(self, account: Account, since: datetime, limit: int) -> list[_Wanted]:
        self.show("Listing projects, environments and jobs ...")
        names = account.names(also_deleted=True)
        self.fetched.hidden |= set(names.hidden)
        wanted, runs, oldest = [], account.runs(since), None
        for count, run in enumerate(islice(runs, limit), 1):
            if count % 100 == 1:
                self.show(f"Listing runs of account {account.id}: {count - 1:,} ...")
            oldest = time_of(run, "created_at")
            body = body_of(run, account.id, names)
            if body is None:
                self.fetched.going_on += 1
                continue
            try:
                event = events.read(body)
            except UnreadableEvent:
                self.fetched.notes["a run without usable ids is left out"] += 1
                continue
            self.fetched.ended += 1
            asked = questions.asked(self.configurations, event)
            if self.kept.has(event, asked):
                self.fetched.kept_before += 1
            elif asked == "none":
                self.kept.add(Entry(body, Answer(run=details(run)), asked))
            else:
                wanted.append(_Wanted(body, event, asked))
        if next(runs, None) is not None:
            self.fetched.oldest = max(filter(None, (oldest, self.fetched.oldest)), default=None)
        return wanted

    def _ask(self, wanted: Sequence[_Wanted], *, is_last: bool = False) -> list[_Wanted]:
        """Ask about each; those about which dbt Cloud did not answer."""
        down: list[_Wanted] = []
        in_a_row = 0
        with closing(self._answers(wanted)) as answers:
            for count, (each, answer) in enumerate(answers, 1):
                self.show(f"Asking about runs: {count:,} of {len(wanted):,}{_left(wanted, count)}")
                self._check_pause()
                in_a_row = in_a_row + 1 if answer.was_down else 0
                if answer.was_down and not is_last:
                    if in_a_row >= DOWN_LIMIT:
                        raise TemporaryFailure("; ".join(answer.notes))
                    down.append(each)
                    continue
                self.fetched.asked += 1
                self.fetched.notes.update(answer.notes)
                self.kept.add(Entry(each.body, answer, each.asked))
        return down

    def _answers(self, wanted: Sequence[_Wanted]) -> Generator[tuple[_Wanted, Answer]]:
        todo, done = SimpleQueue[_Wanted | None](), SimpleQueue[_Done]()
        # daemons: whoever interrupts does not wait for an API that hangs
        workers = [
            Thread(target=self._work, args=(todo, done), daemon=True)
            for _ in range(min(WORKERS, len(wanted)))
        ]
        for worker in workers:
            worker.start()
        began, asking = self.monotonic(), 0
        try:
            for count, each in enumerate(wanted, 1):
                self.sleep(max(0.0, began + (count - AT_ONCE) / RUNS_PER_S - self.monotonic()))
                todo.put(each)
                asking += 1
                while asking >= len(workers) or (asking and count == len(wanted)):
                    asked, answer = done.get()
                    asking -= 1
                    if isinstance(answer, BaseException):
                        raise answer
                    yield asked, answer
        finally:
            for _ in workers:
                todo.put(None)

    def _work(self, todo: "SimpleQueue[_Wanted | None]", done: "SimpleQueue[_Done]") -> None:
        while (each := todo.get()) is not None:
            try:
                answer = self.dbt_cloud.about(each.event, Question(each.asked))
            except BaseException as error:  # noqa: BLE001 - raised by whoever waits for the answer
                done.put((each, error))
                return
            done.put((each, answer))

    @contextmanager
    def _pause_wanted(self) -> Iterator[None]:
        try:
            yield
        except Busy as busy:
            if busy.status != 429:
                raise
            raise TemporaryFailure(f"{busy}{_PAUSE}") from None

    def _check_pause(self) -> None:
        """Raise TemporaryFailure if a call was answered with 429: no other may follow."""
        for url in (self.dbt_cloud.admin.base_url, self.dbt_cloud.discovery.endpoint):
            host = urlsplit(url).hostname or url
            if self.dbt_cloud.ledger.cooldown(host) is not None:
                raise TemporaryFailure(f"{host} answered 429{_PAUSE}")


def _left(wanted: Sequence[object], count: int) -> str:
    """How long it takes at least, from the first minute on."""
    minutes = (len(wanted) - max(count, AT_ONCE)) / RUNS_PER_S / 60
    return f", some {minutes:.0f} min left" if minutes >= 1 else ""
