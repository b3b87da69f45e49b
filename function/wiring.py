"""Where the receiver's parts are chosen and joined, each once in a process."""

import time
from datetime import UTC, datetime
from functools import cache, partial

from function import settings
from function.publisher import BatchingPublisher
from function.pubsub import PubSubTopic
from function.receive import Receiver
from function.settings import Settings
from function.webhook_secrets import WebhookSecrets
from shared.secret_refs import SecretReader
from shared.settings import environment


@cache
def configured() -> Settings:
    """This process's settings; raises Mistake. No client, no network."""
    return settings.read(environment())


@cache
def receiver() -> Receiver:
    """The receiver of this process, for the one event loop that serves its requests.

    Its clients are made on first use: a process that forks after this may still be the parent.
    """
    chosen = configured()
    reader = SecretReader(project=chosen.project, manager_host=chosen.secret_manager_host)
    return Receiver(
        secrets=WebhookSecrets(chosen.secrets, reader.read, time.monotonic),
        publisher=BatchingPublisher(PubSubTopic(chosen.topic, chosen.project, chosen.pubsub_host)),
        now=partial(datetime.now, UTC),
        clock=time.monotonic,
    )
