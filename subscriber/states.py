"""States: what is remembered of a job and of its environment's nodes, as the ledger keeps it.

Two documents, decided on together. The job's holds its newest run and the episodes that its own
runs end; the environment's holds the episodes of certain nodes, which any job's run may end. So
jobs do not wait for each other unless they share such nodes.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.errors import Mistake
from shared.event import RunEvent
from subscriber.episodes import Bad, Episode
from subscriber.rules import Alert
from subscriber.run import Level
from subscriber.words import NO_WORDS, Words

VERSION = 1
FIXED_LIMIT = 200  # nodes lately proven good that are remembered
NODES_LIMITS = (2_000, 500, 100, 20, 5, 1)
"""Nodes of an episode that are kept; fewer where a document would grow too large."""

SIZE_LIMIT_BYTES = 800_000  # the ledger takes 900,000
WORDS_LIMIT_BYTES = 100_000
"""Of what rules say of their own; beyond it an episode ends in no words but the program's."""

Slot = tuple[str, str]
"""Where an episode lives: the name of its destination, and its subject."""


def job_key(event: RunEvent) -> str:
    """The key of a job's document: a job that moved to another environment begins anew."""
    return f"{event.account_id}/job/{event.job_id}/{event.environment_id}"


def environment_key(event: RunEvent) -> str:
    return f"{event.account_id}/environment/{event.environment_id}"


def place(slot: Slot) -> str:
    """A slot in one word. No unique id of a node looks so."""
    return "/".join(slot)


@dataclass(frozen=True)
class State:
    """`newest_run` is the newest run of the job that ended; runs are ordered by id, as numbers.

    `fixed` are nodes lately proven good, with the run that did, and places where an episode of
    nodes is over, with the last run that was bad: what comes later of those runs opens nothing.
    """

    newest_run: int = 0
    episodes: Mapping[Slot, Episode] = field(default_factory=dict)
    fixed: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, job: Mapping[str, Any], environment: Mapping[str, Any]) -> "State":
        """The state in both documents; empty ones are a job and an environment never seen.

        Raises Mistake for documents of another version of the program.
        """
        for body in (job, environment):
            if body and body.get("version") != VERSION:
                raise _unknown_version()
        return cls(
            int(job.get("newest_run", 0)),
            {**_episodes(job), **_episodes(environment)},
            dict(environment.get("fixed", {})),
        )

    def without(self, slots: set[Slot]) -> "State":
        """The same, with no episode in these slots."""
        return replace(self, episodes={k: v for k, v in self.episodes.items() if k not in slots})

    def bodies(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The job's document and the environment's, each with as many nodes as fit."""
        return _fitting(self._job), _fitting(self._environment)

    def _job(self, nodes_limit: int) -> dict[str, Any]:
        kept = self._kept(nodes_limit, by_nodes=False)
        return {"version": VERSION, "newest_run": self.newest_run, **kept}

    def _environment(self, nodes_limit: int) -> dict[str, Any]:
        fixed = dict(sorted(self.fixed.items(), key=lambda item: item[1])[-FIXED_LIMIT:])
        return {"version": VERSION, **self._kept(nodes_limit, by_nodes=True), "fixed": fixed}

    def _kept(self, nodes_limit: int, *, by_nodes: bool) -> dict[str, Any]:
        """The episodes, and what rules say in them: each once, since many have the same."""
        found = {k: each for k, each in self.episodes.items() if each.by_nodes is by_nodes}
        words = _words(found.values())
        return {
            "episodes": [_body(slot, each, nodes_limit, words) for slot, each in found.items()],
            "words": [dict(vars(each)) for each in words],
        }


def is_empty(body: Mapping[str, Any]) -> bool:
    """Whether a document holds nothing that would have to be written down."""
    return not (body["episodes"] or body.get("newest_run") or body.get("fixed"))


def _fitting(made: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    bodies = (made(limit) for limit in NODES_LIMITS)
    return next(
        (body for body in bodies if _size(body) <= SIZE_LIMIT_BYTES), made(NODES_LIMITS[-1])
    )


def _size(body: object) -> int:
    return len(json.dumps(body))


def _words(episodes: Iterable[Episode]) -> list[Words]:
    """The words of `episodes`, each once, as many as fit WORDS_LIMIT_BYTES."""
    kept, left = [], WORDS_LIMIT_BYTES
    for words in dict.fromkeys(each.words for each in episodes):
        left -= _size(vars(words))
        if words != NO_WORDS and left >= 0:
            kept.append(words)
    return kept


def _body(slot: Slot, episode: Episode, nodes_limit: int, words: Sequence[Words]) -> dict[str, Any]:
    destination, subject = slot
    shown = dict(list(episode.nodes.items())[:nodes_limit])
    return {
        "destination": destination,
        "subject": subject,
        **vars(episode),
        "since": episode.since.isoformat(),
        "told_at": episode.told_at and episode.told_at.isoformat(),
        "alert": _alert_body(episode.alert),
        "nodes": _nodes_body(shown),
        "told_nodes": _nodes_body(dict(list(episode.told_nodes.items())[:nodes_limit])),
        "more_nodes": episode.more_nodes + len(episode.nodes) - len(shown),
        "words": words.index(episode.words) if episode.words in words else None,
    }


def _episodes(document: Mapping[str, Any]) -> dict[Slot, Episode]:
    words = [Words(**each) for each in document.get("words", ())]
    return {
        (each["destination"], each["subject"]): _episode(each, words)
        for each in document.get("episodes", ())
    }


def _episode(body: Mapping[str, Any], words: Sequence[Words]) -> Episode:
    fields = {k: v for k, v in body.items() if k not in ("destination", "subject")}
    told_at = body["told_at"]
    return Episode(
        **fields
        | {
            "since": datetime.fromisoformat(body["since"]),
            "told_at": datetime.fromisoformat(told_at) if told_at else None,
            "level": Level(body["level"]),
            "told_level": Level(body["told_level"]) if body["told_level"] else None,
            "alert": Alert.model_validate(body["alert"]),
            "nodes": {node: Bad(*bad) for node, bad in body["nodes"].items()},
            "told_nodes": {node: Bad(*bad) for node, bad in body["told_nodes"].items()},
            "words": NO_WORDS if body["words"] is None else words[body["words"]],
        }
    )


def _nodes_body(nodes: Mapping[str, Bad]) -> dict[str, list[int | str]]:
    return {node: [bad.run, bad.error] for node, bad in nodes.items()}


def _alert_body(alert: Alert) -> dict[str, Any]:
    remind = alert.remind and f"{int(alert.remind.total_seconds())}s"
    return alert.model_dump(exclude={"remind"}) | ({"remind": remind} if remind else {})


def _unknown_version() -> Mistake:
    return Mistake(
        f"LEDGER: it holds state of another version of the program (this one reads {VERSION}); "
        "run the program that wrote it, or name another ledger"
    )
