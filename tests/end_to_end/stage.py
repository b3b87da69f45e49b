"""A stage: both functions as real processes on a Pub/Sub, for tests of the whole."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lab import queue, stand_ins, world
from lab.dbt_cloud.cloud import DbtCloud
from lab.dbt_cloud.events import Event, EventType
from lab.dbt_cloud.samples import Sample
from lab.dbt_cloud.state import Job, Run
from lab.functions import Function
from lab.queue import Queue
from lab.stand_ins import WEBHOOK_SECRET, StandIns
from lab.ticker import ticking
from lab.timeline import Moment, Timeline
from tests.end_to_end.pager import Heard, heard

PATIENCE_S = 60.0
NOTHING_ELSE: Mapping[str, str] = MappingProxyType({})

_TAKEN_UP = ("decided", "nothing to do", "waiting for metadata")
_NOT_TAKEN_UP = "event not taken up"
_ENDED = ("delivered", "superseded", "refused for good")

CONFIGURATION = Path(__file__).with_name("afterrun.yaml")


@dataclass
class Stage:
    """`stands` plays every other side. Subscribers are started by the test, one or several."""

    stands: StandIns
    queue: Queue
    receiver: Function
    folder: Path
    pubsub_host: str
    stack: ExitStack
    subscribers: list[Function] = field(default_factory=list)
    heard_before: int = 0
    seen_before: int = 0

    @property
    def cloud(self) -> DbtCloud:
        return self.stands.cloud

    def subscriber(
        self,
        configuration: str | None = None,
        environ: Mapping[str, str] = NOTHING_ELSE,
        *,
        push: bool = True,
        number: int = 1,
    ) -> Function:
        """Start a subscriber; with `push`, events and ticks go to it.

        `configuration` is the text of its file, with the lab's words for addresses; CONFIGURATION
        unless given. `environ` goes before the lab's settings.
        """
        settings = dict(environ)
        if "AFTERRUN_CONFIG" not in settings:
            folder = self.folder / f"subscriber-{len(self.subscribers)}"
            folder.mkdir()
            text = configuration or CONFIGURATION.read_text(encoding="utf-8")
            settings["AFTERRUN_CONFIG"] = str(self.stands.configuration(folder, text))
        function = self.stack.enter_context(
            world.subscriber(self.stands, self.pubsub_host, self.folder, settings)
        )
        self.subscribers.append(function)
        if push:
            self.queue.push_to(f"{function.url}/", number)
        return function

    def deployed_anew(self, configuration: str, environ: Mapping[str, str] = NOTHING_ELSE) -> None:
        """Put another subscriber, with another configuration, in the place of the one there is."""
        former = self.subscribers[-1]
        self.repush(self.subscriber(configuration, environ, push=False))
        former.kill()

    def repush(self, subscriber: Function) -> None:
        """Push to `subscriber` from now on, in place of the one that was pushed to."""
        for name in ("dbt-cloud-events", "dbt-cloud-ticks"):
            self.queue.subscriber.modify_push_config(
                subscription=self.queue.subscription(name),
                push_config={"push_endpoint": f"{subscriber.url}/"},
            )

    def job(self, environment: str, name: str = "Nightly build") -> Job:
        """A new job in a new environment."""
        return self.cloud.add_job(name, self.cloud.add_environment(environment))

    def ends(self, job: Job, sample: str | Sample) -> Run:
        """A run of `job` goes as `sample` did, dbt Cloud tells it, and all that follows is done."""
        run = self.cloud.run(job, sample)
        self.tells(run)
        return run

    def tells(
        self,
        run: Run,
        event_type: EventType = "job.run.completed",
        *,
        times: int = 1,
        subscriptions: int = 1,
        delivered: bool = True,
    ) -> None:
        """dbt Cloud tells of `run`, `times` times; returns once the subscriber is done with it.

        That is: it was taken up, or found to be, as often as it was pushed on each of
        `subscriptions`, and, with `delivered`, each action that was decided on has ended.
        """
        event = self.cloud.webhooks.event(run, event_type)
        self._posts(event, times)
        pushed = times * subscriptions
        assert self.wait(lambda: self._is_taken_up(event, pushed)), self._said()
        if delivered:
            assert self.wait(lambda: self._decided(event) <= self._ended()), self._said()

    def sends(self, run: Run, times: int = 1) -> None:
        """dbt Cloud tells that `run` has ended, `times` times."""
        self._posts(self.cloud.webhooks.event(run, "job.run.completed"), times)

    def wait(self, until: Callable[[], bool], timeout_s: float = PATIENCE_S) -> bool:
        """Whether `until` became true; looked at whenever anybody saw anything."""
        return self.stands.timeline.wait(lambda _: until(), timeout_s)

    @property
    def heard(self) -> list[Heard]:
        """What PagerDuty was sent since the stage was `cleared`."""
        return heard(self.stands.pagerduty.requests[self.heard_before :])

    def cleared(self) -> "Stage":
        """The same stage, for a test that shares it: what was seen so far is left out."""
        self.heard_before = len(self.stands.pagerduty.requests)
        self.seen_before = len(self.stands.timeline.moments)
        return self

    def key(self, run: Run, subject: str | None = None) -> str:
        """The key of the episode that `run` opened, of its job unless `subject` says otherwise."""
        return f"afterrun/{run.account_id}/{subject or f'job/{run.job.id}'}/{run.id}"

    def triggers(self) -> list[Mapping[str, Any]]:
        """Every trigger that PagerDuty took, repeated ones included."""
        return [
            event
            for alert in self.stands.pagerduty.alerts
            for event in alert.events
            if event["event_action"] == "trigger"
        ]

    def logged(self, *texts: str) -> list[Moment]:
        """What subscribers logged since then that begins with one of `texts`."""
        moments = self.stands.timeline.moments[self.seen_before :]
        return [each for each in moments if each.side == "subscriber" and _says(each, texts)]

    def _posts(self, event: Event, times: int) -> None:
        for _ in range(times):
            delivery = self.cloud.webhooks.deliver(event, self.receiver.url, WEBHOOK_SECRET)
            assert delivery.succeeded, delivery.statuses

    def _is_taken_up(self, event: Event, pushed: int) -> bool:
        # what is not taken up is logged with its key in the ledger, which ends in the event's id
        refused = [
            each for each in self.logged(_NOT_TAKEN_UP) if each.facts["event"].endswith(event.id)
        ]
        taken_up = self._taken_up(event)
        return bool(taken_up) and len(taken_up) + len(refused) >= pushed

    def _taken_up(self, event: Event) -> list[Moment]:
        return [each for each in self.logged(*_TAKEN_UP) if each.facts.get("event") == event.id]

    def _decided(self, event: Event) -> set[str]:
        """The keys of the actions that follow from `event`."""
        decided = [each for each in self._taken_up(event) if "actions" in each.facts]
        return {key for each in decided for key in json.loads(each.facts["actions"])}

    def _ended(self) -> set[str]:
        return {each.facts["action"] for each in self.logged(*_ENDED)}

    def _said(self) -> str:
        """The last that was seen, for a test that waited in vain."""
        return "\n".join(f"{each.side}: {each.what}" for each in self.stands.timeline.moments[-40:])


def on_firestore(emulator: str, project: str) -> dict[str, str]:
    """Settings of a subscriber whose ledger is in Google's emulator."""
    return {"FIRESTORE_EMULATOR_HOST": emulator, "LEDGER": f"firestore:{project}/afterrun"}


def _says(moment: Moment, texts: tuple[str, ...]) -> bool:
    return moment.facts.get("message", "").startswith(texts)


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
