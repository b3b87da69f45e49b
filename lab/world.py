"""The world: every stand-in, and both functions as real processes among them."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from lab import functions
from lab.dbt_cloud.cloud import DbtCloud, Served
from lab.functions import Function
from lab.mode import Mode
from lab.pagerduty import PagerDuty
from lab.pubsub.server import PubSub, Running
from lab.secret_manager import SecretManager
from lab.secrets import Secrets
from lab.serve import serve
from lab.ticker import ticking
from lab.timeline import Timeline

PROJECT = "afterrun-lab"
WEBHOOK_SECRET = "lab-webhook-secret"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
MODE_TOKEN, MODE_SECRET = "lab-mode-token", "lab-mode-secret"
WORKSPACE, REPORT = "teahouse", "5f4dcc3b5aa7"
PUSHER = f"afterrun-push@{PROJECT}.iam.gserviceaccount.com"

EVENTS = f"projects/{PROJECT}/topics/dbt-cloud-events"
TICKS = f"projects/{PROJECT}/topics/dbt-cloud-ticks"
DEAD_LETTERS = f"projects/{PROJECT}/topics/dbt-cloud-events-dead-letters"
EVENTS_PUSH = f"projects/{PROJECT}/subscriptions/dbt-cloud-events"
TICKS_PUSH = f"projects/{PROJECT}/subscriptions/dbt-cloud-ticks"
DEAD_LETTERS_PULL = f"projects/{PROJECT}/subscriptions/dbt-cloud-events-dead-letters"

_SHOWN = ("destination", "verb", "status", "reason", "event_type", "url")

CONFIGURATION = Path(__file__).with_name("afterrun.yaml")


@dataclass(frozen=True)
class World:
    """All that runs, and how to reach it."""

    timeline: Timeline
    cloud: DbtCloud
    pubsub: Running
    pagerduty: PagerDuty
    mode: Mode
    secrets: Secrets
    receiver: Function
    subscriber: Function
    served: Served


@contextmanager
def running(timeline: Timeline) -> Iterator[World]:
    """Everything, while the block lasts. Raises NotStarted if a function does not start."""
    cloud = DbtCloud(timeline)
    pagerduty = PagerDuty(ROUTING_KEY, timeline=timeline)
    mode = Mode(
        workspace=WORKSPACE,
        reports=[REPORT],
        token=MODE_TOKEN,
        secret=MODE_SECRET,
        timeline=timeline,
    )
    secrets = Secrets(PROJECT)
    with ExitStack() as stack:
        served = stack.enter_context(cloud.running())
        pubsub = stack.enter_context(PubSub(timeline=timeline).running())
        secret_manager = stack.enter_context(SecretManager(secrets).serve())
        for name, value in {
            "dbt-webhook-secret": WEBHOOK_SECRET,
            "dbt-cloud-service-token": served.token,
            "pd-routing-key": ROUTING_KEY,
            "mode-token": MODE_TOKEN,
            "mode-secret": MODE_SECRET,
        }.items():
            secrets.put(name, value)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="afterrun-lab-")))
        places = {
            "ACCOUNT": str(cloud.account_id),
            "DBT_CLOUD_URL": served.base_url,
            "METADATA_URL": served.metadata_url,
            "PAGERDUTY_URL": stack.enter_context(serve(pagerduty.app)),
            "MODE_URL": stack.enter_context(serve(mode.app)),
        }
        google = {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": pubsub.host,
            "SECRET_MANAGER_EMULATOR_HOST": secret_manager,
        }
        publisher, subscriber = _clients(stack, pubsub.host)
        for topic in (EVENTS, TICKS, DEAD_LETTERS):
            publisher.create_topic(name=topic)
        receiver = stack.enter_context(
            functions.running(
                "receiver",
                "function/main.py",
                "receive_webhook",
                {**google, "WEBHOOK_SECRETS": "secret:dbt-webhook-secret"},
                logged=lambda line: _logged(timeline, "receiver", line),
                cwd=folder,
            )
        )
        subscriber_function = stack.enter_context(
            functions.running(
                "subscriber",
                "subscriber/main.py",
                "handle_event",
                {
                    **google,
                    "AFTERRUN_CONFIG": str(_configured(folder, places)),
                    "LEDGER": f"sqlite:{folder / 'afterrun.db'}",
                    "PUSH_AUTH": "verify",
                    "PUSH_AUDIENCE": "https://afterrun-subscriber.lab",
                    "PUSH_SERVICE_ACCOUNT": PUSHER,
                    "PUSH_CERTS_URL": pubsub.certs_url,
                    "THREADS": "16",
                },
                logged=lambda line: _logged(timeline, "subscriber", line),
                cwd=folder,
            )
        )
        _subscribe(subscriber, f"{subscriber_function.url}/")
        stack.enter_context(ticking(publisher, TICKS))
        yield World(
            timeline,
            cloud,
            pubsub,
            pagerduty,
            mode,
            secrets,
            receiver,
            subscriber_function,
            served,
        )


def _configured(folder: Path, places: dict[str, str]) -> Path:
    text = CONFIGURATION.read_text(encoding="utf-8")
    for place, value in places.items():
        text = text.replace(place, value)
    path = folder / "afterrun.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _clients(stack: ExitStack, host: str) -> tuple[PublisherClient, SubscriberClient]:
    channel = stack.enter_context(grpc.insecure_channel(host))
    return (
        PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
        SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
    )


def _subscribe(subscriber: SubscriberClient, endpoint: str) -> None:
    push = {
        "push_endpoint": endpoint,
        "oidc_token": {
            "service_account_email": PUSHER,
            "audience": "https://afterrun-subscriber.lab",
        },
    }
    subscriber.create_subscription(
        request={
            "name": EVENTS_PUSH,
            "topic": EVENTS,
            "push_config": push,
            "ack_deadline_seconds": 300,
            "retry_policy": {
                "minimum_backoff": {"seconds": 1},
                "maximum_backoff": {"seconds": 600},
            },
            "dead_letter_policy": {
                "dead_letter_topic": DEAD_LETTERS,
                "max_delivery_attempts": 100,
            },
        }
    )
    subscriber.create_subscription(
        request={
            "name": TICKS_PUSH,
            "topic": TICKS,
            "push_config": push,
            "ack_deadline_seconds": 300,
            "message_retention_duration": {"seconds": 600},
        }
    )
    subscriber.create_subscription(request={"name": DEAD_LETTERS_PULL, "topic": DEAD_LETTERS})


def _logged(timeline: Timeline, side: str, line: dict[str, Any]) -> None:
    """A log record as a moment: its text, and the fields that people want to see."""
    facts = {key: str(value) for key, value in line.items() if key not in ("time", "severity")}
    shown = [str(line[key]) for key in _SHOWN if line.get(key)]
    reasons = line.get("reasons")
    if isinstance(reasons, dict):
        shown += [f"{destination}: {reason}" for destination, reason in reasons.items()]
    what = str(line.get("message", ""))
    timeline.saw(side, f"{what}: {', '.join(shown)}" if shown else what, **facts)
