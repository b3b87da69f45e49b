"""Actions: one thing to do, at one destination, about one subject, with one verb."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.errors import TemporaryFailure
from subscriber.ledger.contract import Kind, Work


class Verb(StrEnum):
    OPEN = "open"
    UPDATE = "update"
    """What is open has changed: other nodes failed, or the level is another."""
    REMIND = "remind"
    CLOSE = "close"
    TELL = "tell"
    """Told once, without an episode."""
    REFRESH = "refresh"


class WrittenByNewer(TemporaryFailure):
    """The ledger holds what only a newer version of the program understands: leave it to that."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} was written by a newer version of the program, which alone can read it: "
            "run that version"
        )


@dataclass(frozen=True)
class Node:
    """A node of the run that failed, as it is told. `message` may be cut, and says so."""

    unique_id: str
    name: str
    kind: str
    status: str
    message: str = ""
    path: str = ""
    group: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    """Names of the nodes that were skipped because of this one."""
    severity: str = ""
    """What its `meta.severity` says: critical, error, warning, info; empty if it says nothing."""


_NAMES = ("new", "still", "fixed", "causes", "owners", "severities")


@dataclass(frozen=True)
class Message:
    """What is told, in no vendor's words. Bounded in size: it is kept in the ledger."""

    headline: str
    source: str
    """What is affected: the job, in its project and environment."""
    text: str = ""
    """What else is known: the end of a failed step's log, or why the nodes are not known."""
    nodes: tuple[Node, ...] = ()
    more_nodes: int = 0
    """How many nodes failed beside those in `nodes`."""
    skipped: int = 0
    """How many nodes were skipped in all."""
    link: str = ""
    """The run in dbt Cloud."""
    job_link: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    """What helps to find the run, by name: account, project, environment, job, run, commit."""
    level: str = "failure"
    """How bad it is or was: failure, warning; empty for what is no problem."""
    outcome: str = ""
    """failed, warned, recovered, started, succeeded, cancelled; for a digest `digest`."""
    since: str = ""
    """When the problem was first seen, as an ISO time; empty where nothing is open."""
    new: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    """Names of nodes that are new, still bad, or fixed since it was told last; limited."""
    causes: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    """A line for each group of nodes that failed with one error, and for each owner; limited."""
    severity: str = ""
    """As a rule has it: critical, error, warning, info; empty where the destination's own holds."""
    severities: tuple[str, ...] = ()
    """What `meta.severity` says of the nodes, each once; empty for those that say nothing."""
    note: str = ""
    """What a rule adds in words of its own."""
    untitled: str = ""
    """The headline before a rule's title took its place, for later ones; empty where none did."""
    left_out: str = ""
    """What was left out to fit the limits of whoever is told, for people; see `shortening`."""


@dataclass(frozen=True)
class Action:
    """`key` names it in the ledger; `after` is the key of the action that must settle first."""

    key: str
    destination: str
    verb: Verb
    episode_key: str
    """Names the alert at the destination; for a refresh, the action's own key."""
    message: Message
    occurred_at: datetime
    after: str | None = None
    owner: str = ""
    """Whose all of it is, if it is one owner's: who may be told in a way of their own."""
    owners: tuple[str, ...] = ()
    """Whose any of it is, as the owner map has their names; limited."""
    on_failure: tuple[str, ...] = ()
    """Destinations that hear of it when a refresh does not end well."""
    timeout_s: int = 0
    """How long a refresh may take before it counts as failed."""
    event: dict[str, Any] = field(default_factory=dict)
    """The event that a refresh follows, without its times: whose silences hold for its end."""
    opened: "Handle | None" = None
    so_far: "Handle | None" = None
    """What opened its episode, and what is done of it already: set when it goes out, not kept."""

    def work(self, now: datetime) -> Work:
        """As work of the ledger, due now."""
        return Work(self.key, Kind.ACTION, self.body(), recorded_at=now, due_at=now)

    def body(self) -> dict[str, Any]:
        """As the ledger keeps it: JSON."""
        kept = asdict(replace(self, opened=None, so_far=None))
        del kept["opened"], kept["so_far"]
        return kept | {"occurred_at": self.occurred_at.isoformat()}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Action":
        """The action that the ledger keeps as `body`.

        Raises WrittenByNewer for a body with a key or a verb that this version does not know. The
        keys that an older version did not write have their defaults.
        """
        message = _known(Message, body["message"])
        nodes = tuple(
            Node(**node | {"tags": tuple(node["tags"]), "skipped": tuple(node["skipped"])})
            for node in (_known(Node, node) for node in message.pop("nodes"))
        )
        names: dict[str, Any] = {name: tuple(message.pop(name, ())) for name in _NAMES}
        if body["verb"] not in list(Verb):
            raise WrittenByNewer("this action")
        return cls(
            **{
                **_known(cls, body),
                "verb": Verb(body["verb"]),
                "message": Message(nodes=nodes, **names, **message),
                "occurred_at": datetime.fromisoformat(body["occurred_at"]),
                "owners": tuple(body.get("owners", ())),
                "on_failure": tuple(body.get("on_failure", ())),
            }
        )


def _known(kind: type[Action | Message | Node], body: Mapping[str, Any]) -> dict[str, Any]:
    """`body`, of which `kind` has a field for each key."""
    if body.keys() - {field.name for field in fields(kind)}:
        raise WrittenByNewer("this action")
    return dict(body)


def key_with(key: str, verb: Verb) -> str:
    """The key of the first action with `verb` in the episode of the action `key`.

    An action's key ends in its verb and its number; what stands before is the same for all
    actions of one episode at one destination.
    """
    return "/".join([*key.split("/")[:-2], verb, "1"])


@dataclass(frozen=True)
class Handle:
    """What a destination answered that we need later, or that a person wants to see."""

    key: str = ""
    url: str = ""
    replaces: bool = False
    """Whether it takes the place of what opened the episode: that is gone, and this is there."""


class Unfinished(TemporaryFailure):
    """Part of an action is done, the rest may be later. `so_far` says what is, for the next try.

    `is_out` says whether that part has reached anybody.
    """

    def __init__(
        self,
        message: str,
        so_far: Handle,
        retry_after_s: float | None = None,
        *,
        is_out: bool = True,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.so_far = so_far
        self.is_out = is_out
