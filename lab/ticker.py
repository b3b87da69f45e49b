"""The ticker: what Cloud Scheduler does, only every second."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import GoogleAPICallError
from google.cloud.pubsub_v1 import PublisherClient

TICK_S = 1.0


@contextmanager
def ticking(publisher: PublisherClient, topic: str, every_s: float = TICK_S) -> Iterator[None]:
    """Publish a tick every `every_s` seconds within the block."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(every_s):
            try:
                publisher.publish(topic, b"tick", content="tick").result(timeout=every_s * 5)
            except (GoogleAPICallError, TimeoutError):
                # the next tick does what this one would have
                continue

    thread = threading.Thread(target=tick, name="ticker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=10)
