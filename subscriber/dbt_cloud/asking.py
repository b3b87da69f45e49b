"""The calls made for one event: in time, within dbt Cloud's limits, and never raising."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from shared.errors import Failure, TemporaryFailure
from subscriber.ledger.contract import Ledger
from subscriber.outbound import Busy, Refused

ASKING_S = 25.0  # paging ends after this: an alert does not wait longer for its diagnosis
CALL_S = 15.0  # what must be left of it for another question: one may take as long
COOLDOWN = timedelta(minutes=5)  # what dbt Cloud asks for with a 429

_REFUSALS = {
    401: "refused the token; is it this account's, and is the host the account's access URL?",
    403: "does not let this token read it; give it the permission to read runs",
    404: "shows no such run to this token; give it the permission to read runs",
}

T = TypeVar("T")


@dataclass
class Asking:
    """`notes` say, for people, what could not be had; `refusals` are the statuses of those that
    were refused. `renew_token` reads the token anew, and says whether it is another one now.
    """

    ledger: Ledger
    clock: Callable[[], datetime]
    renew_token: Callable[[], bool] = lambda: False
    monotonic: Callable[[], float] = time.monotonic
    notes: list[str] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    was_down: bool = False

    def __post_init__(self) -> None:
        self._until = self.monotonic() + ASKING_S

    @property
    def is_hopeless(self) -> bool:
        """Whether to ask again soon would not help an alert."""
        return self.was_down or 401 in self.refusals

    def has_time(self) -> bool:
        return self.monotonic() < self._until

    def has_time_to_ask(self) -> bool:
        """Whether enough is left for another question."""
        return self.monotonic() <= self._until - CALL_S

    def ask(self, url: str, call: Callable[[], T]) -> T | None:
        """What `call` returns; None, and a note, if that cannot be had now."""
        host = urlsplit(url).hostname or url
        try:
            if not self.has_time_to_ask():
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
