"""Sending to Pub/Sub: what is refused, by whom, and what that means."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from function.publisher import RefusedMessages
from function.pubsub import PubSubTopic
from function.webhook import Message, message
from shared.errors import Failure, PermanentFailure, TemporaryFailure
from shared.settings import GoogleProject
from tests.builders import NOW, a_body
from tests.function.scripted import publishing
from tests.function.served import TOPIC, Topic, free_port

NAME = "dbt-cloud-events"


def run[T](host: str, use: Callable[[PubSubTopic], Awaitable[T]], name: str = NAME) -> T:
    """What `use` returns of a topic at `host`, in a loop of its own."""

    async def within() -> T:
        topic = PubSubTopic(name, GoogleProject("lab"), host)
        try:
            return await use(topic)
        finally:
            await topic.close()

    return asyncio.run(within())


def a_message(number: int = 1) -> Message:
    return message(a_body(event_id=f"wev_{number}"), NOW)
