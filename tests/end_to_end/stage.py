"""A stage: both functions as real processes on a Pub/Sub, for tests of the whole."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import queue, stand_ins, world
from lab.dbt_cloud.state import Run
from lab.functions import Function
from lab.queue import Queue
from lab.stand_ins import WEBHOOK_SECRET, StandIns
from lab.ticker import ticking
from lab.timeline import Timeline

PATIENCE_S = 60.0


@dataclass
class Stage:
    """`stands` plays every other side. Subscribers are started by the test, one or several."""

    stands: StandIns
    queue: Queue
    receiver: Function
    folder: Path
    pubsub_host: str
    stack: ExitStack

    def subscriber(self, *, push: bool = True, number: int = 1, **environ: str) -> Function:
        """Start a subscriber; with `push`, events and ticks go to it."""
        function = self.stack.enter_context(
            world.subscriber(self.stands, self.pubsub_host, self.folder, environ)
        )
        if push:
            self.queue.push_to(f"{function.url}/", number)
        return function

    def repush(self, subscriber: Function) -> None:
        """Push to `subscriber` from now on, in place of the one that was pushed to."""
        for name in ("dbt-cloud-events", "dbt-cloud-ticks"):
            self.queue.subscriber.modify_push_config(
                subscription=self.queue.subscription(name),
                push_config={"push_endpoint": f"{subscriber.url}/"},
            )

    def sends(self, run: Run, times: int = 1) -> None:
        """dbt Cloud tells that `run` has ended, `times` times."""
        webhooks = self.stands.cloud.webhooks
        event = webhooks.event(run, "job.run.completed")
        for _ in range(times):
            delivery = webhooks.deliver(event, self.receiver.url, WEBHOOK_SECRET)
            assert delivery.succeeded, delivery.statuses

    def wait(self, until: Callable[[], bool], timeout_s: float = PATIENCE_S) -> bool:
        """Whether `until` became true; looked at whenever anybody saw anything."""
        return self.stands.timeline.wait(lambda _: until(), timeout_s)

    def triggers(self) -> list[Mapping[str, Any]]:
        """Every trigger that PagerDuty took, repeated ones included."""
        return [
            event
            for alert in self.stands.pagerduty.alerts
            for event in alert.events
            if event["event_action"] == "trigger"
        ]


@contextmanager
def set_up(pubsub_host: str, folder: Path, *, tick_s: float = 0.2) -> Iterator[Stage]:
    """A stage on the Pub/Sub at `pubsub_host`, with topics, a receiver and ticks."""
    project = f"stage-{uuid.uuid4().hex[:12]}"
    with (
        stand_ins.served(Timeline(), project) as stands,
        queue.connected(pubsub_host, project, signed=False) as made,
        ExitStack() as stack,
    ):
        made.create_topics()
        receiver = stack.enter_context(world.receiver(stands, pubsub_host, folder))
        with ticking(made.publisher, made.ticks, tick_s):
            yield Stage(stands, made, receiver, folder, pubsub_host, stack)
