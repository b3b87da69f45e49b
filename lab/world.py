"""The world: every stand-in, and both functions as real processes among them."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import functions, queue, stand_ins
from lab.dbt_cloud import access
from lab.functions import Function
from lab.pubsub.server import PubSub, Running
from lab.queue import Queue
from lab.stand_ins import StandIns
from lab.ticker import ticking
from lab.timeline import Timeline

_RECEIVES = {"WEBHOOK_SECRETS": "secret:dbt-webhook-secret"}
_SHOWN = ("destination", "verb", "status", "reason", "event_type", "url")


@dataclass(frozen=True)
class World:
    """All that runs, and how to reach it."""

    stand_ins: StandIns
    pubsub: Running
    queue: Queue
    receiver: Function
    subscriber: Function
    operator: Mapping[str, str]
    """The variables with which `afterrun` looks at this world."""

    def undelivered(self, subscription: str) -> int:
        """How many messages a subscription, given by its short name, still holds."""
        return self.pubsub.undelivered(self.queue.subscription(subscription))


@contextmanager
def running(timeline: Timeline) -> Iterator[World]:
    """Everything, while the block lasts. Raises NotStarted if a function does not start."""
    with (
        tempfile.TemporaryDirectory(prefix="afterrun-lab-") as folder,
        stand_ins.served(timeline) as stands,
        PubSub(timeline=timeline).running() as pubsub,
        queue.connected(pubsub.host, stands.project) as made,
    ):
        made.create_topics()
        push_auth = {
            "PUSH_AUTH": "verify",
            "PUSH_AUDIENCE": queue.AUDIENCE,
            "PUSH_SERVICE_ACCOUNT": made.pusher,
            "PUSH_CERTS_URL": pubsub.certs_url,
        }
        with (
            receiver(stands, pubsub.host, Path(folder)) as receives,
            subscriber(stands, pubsub.host, Path(folder), push_auth) as subscribes,
        ):
            made.push_to(f"{subscribes.url}/")
            with ticking(made.publisher, made.ticks):
                operator = {
                    **_google(stands, pubsub.host),
                    **_RECEIVES,
                    **_kept_in(Path(folder)),
                    "DBT_ADMIN": access.MANAGER_TOKEN,
                }
                yield World(stands, pubsub, made, receives, subscribes, operator)


@contextmanager
def receiver(stands: StandIns, pubsub_host: str, folder: Path) -> Iterator[Function]:
    """The receiver as a process."""
    environ = _google(stands, pubsub_host) | _RECEIVES
    with functions.running(
        "receiver",
        "function/main.py",
        "receive_webhook",
        environ,
        logged=lambda line: _logged(stands.timeline, "receiver", line),
        cwd=folder,
    ) as function:
        yield function


@contextmanager
def subscriber(
    stands: StandIns, pubsub_host: str, folder: Path, environ: Mapping[str, str]
) -> Iterator[Function]:
    """A subscriber as a process; its ledger is a SQLite file in `folder` unless `environ` says."""
    stands.configuration(folder)
    settings = _kept_in(folder) | {"THREADS": "16"}
    with functions.running(
        "subscriber",
        "subscriber/main.py",
        "handle_event",
        _google(stands, pubsub_host) | settings | dict(environ),
        logged=lambda line: _logged(stands.timeline, "subscriber", line),
        cwd=folder,
    ) as function:
        yield function


def _kept_in(folder: Path) -> dict[str, str]:
    return {
        "AFTERRUN_CONFIG": str(folder / "afterrun.yaml"),
        "LEDGER": f"sqlite:{folder / 'afterrun.db'}",
    }


def _google(stands: StandIns, pubsub_host: str) -> dict[str, str]:
    return {
        "GOOGLE_CLOUD_PROJECT": stands.project,
        "PUBSUB_EMULATOR_HOST": pubsub_host,
        "SECRET_MANAGER_EMULATOR_HOST": stands.secret_manager,
    }


def _logged(timeline: Timeline, side: str, line: dict[str, Any]) -> None:
    """A log record as a moment: its text, and the fields that people want to see."""
    facts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in line.items()
        if key not in ("time", "severity")
    }
    shown = [str(line[key]) for key in _SHOWN if line.get(key)]
    reasons = line.get("reasons")
    if isinstance(reasons, dict):
        shown += [f"{destination}: {reason}" for destination, reason in reasons.items()]
    what = str(line.get("message", ""))
    timeline.saw(side, f"{what}: {', '.join(shown)}" if shown else what, **facts)
