"""A function that publishes with the library's own batching, in threads, waiting 1 ms for more."""

from asyncio import wrap_future
from functools import cache

import functions_framework.aio
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings
from starlette.requests import Request
from starlette.responses import Response


@cache
def publisher() -> PublisherClient:
    return PublisherClient(BatchSettings(max_latency=0.001))


@functions_framework.aio.http
async def publish(request: Request) -> Response:
    body = await request.body()
    topic = "projects/lab/topics/dbt-cloud-events"
    await wrap_future(publisher().publish(topic, body))
    return Response(b"published", 202)
