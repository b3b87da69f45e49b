"""Follow: a refresh that was started, as the ledger keeps it until it ends. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from subscriber.actions import Action, Handle, WrittenByNewer
from subscriber.ledger.contract import Kind, Work
from subscriber.progress import Looks

VERSION = 1
TIMEOUT = timedelta(hours=6)  # of a refresh whose rule says nothing
GROWTH = 1.5  # of the time between two looks


@dataclass(frozen=True)
class Follow:
    """`refresh` was started at `started_at` through a destination of the kind `kind`.

    `handle` is what to ask with by now, `looks` how often it was looked at and found running.
    """

    refresh: Action
    kind: str
    handle: Handle
    started_at: datetime
    looks: int = 0

    @property
    def ends_by(self) -> datetime:
        """When it counts as failed."""
        timeout = timedelta(seconds=self.refresh.timeout_s) or TIMEOUT
        return self.started_at + timeout

    def work(self, looks: Looks) -> Work:
        """As work of the ledger, due at the first look. Another start is another work."""
        started = sha256(f"{self.handle.key}\0{self.started_at}".encode(errors="surrogatepass"))
        return Work(
            key=f"{self.refresh.key}/follow/{started.hexdigest()[:16]}",
            kind=Kind.FOLLOW,
            body={
                "version": VERSION,
                "destination": self.refresh.destination,
                "kind": self.kind,
                "refresh": self.refresh.body(),
                "handle": asdict(self.handle),
                "started_at": self.started_at.isoformat(),
            },
            recorded_at=self.started_at,
            due_at=self.started_at + looks.first,
        )

    @classmethod
    def of(cls, work: Work) -> "Follow":
        """What the ledger keeps as `work`; raises WrittenByNewer for another version's."""
        body: Mapping[str, Any] = work.body
        if body.get("version") != VERSION:
            raise WrittenByNewer("this refresh that is being followed")
        return cls(
            refresh=Action.from_body(body["refresh"]),
            kind=body["kind"],
            handle=Handle(**(work.result.get("handle") or body["handle"])),
            started_at=datetime.fromisoformat(body["started_at"]),
            looks=int(work.result.get("looks", 0)),
        )


def next_look(looks: Looks, looked: int, now: datetime) -> datetime:
    """When to look again after `looked` looks: ever later, up to the vendor's pace."""
    return now + min(looks.first * GROWTH ** min(looked, 40), looks.most)
