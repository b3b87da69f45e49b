"""The receiver without Pub/Sub: it verifies, reads and answers, and loses what it accepted."""

import time
from datetime import UTC, datetime
from functools import cache, partial

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from function.receive import Receiver
from function.webhook import Message
from function.webhook_secrets import WebhookSecrets
from shared import log
from shared.secret_refs import SecretReader, SecretRef
from shared.settings import GoogleProject, environment, log_level

log.start(log_level(environment()))


class NoPublisher:
    async def publish(self, message: Message, timeout_s: float) -> str:
        return "1"

    async def ready(self, limit_s: float) -> None:
        pass


@cache
def receiver() -> Receiver:
    reader = SecretReader(project=GoogleProject(None))
    refs = [SecretRef("env", "DBT_CLOUD_AUTH_TOKEN")]
    return Receiver(
        secrets=WebhookSecrets(refs, reader.read, time.monotonic),
        publisher=NoPublisher(),
        now=partial(datetime.now, UTC),
        clock=time.monotonic,
    )


@functions_framework.aio.http
async def verify(request: Request) -> Response:
    return await receiver().receive(request)
