"""A Pub/Sub that answers each publish request as a test says, for what the lab's cannot be told."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.pubsub_v1.types import PublishRequest, PublishResponse

Answering = Callable[[Any, grpc.ServicerContext], list[str]]
"""The ids of a request's messages; may wait, or abort the call."""


@contextmanager
def publishing(answering: Answering) -> Iterator[str]:
    """Serve on a free loopback port within the block; the value is its host:port."""

    def publish(request: Any, context: grpc.ServicerContext) -> Any:
        return PublishResponse.pb()(message_ids=answering(request, context))

    handler = grpc.unary_unary_rpc_method_handler(
        publish,
        request_deserializer=PublishRequest.pb().FromString,
        response_serializer=PublishResponse.pb().SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    service = "google.pubsub.v1.Publisher"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"Publish": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait(timeout=5)
