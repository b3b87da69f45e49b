"""Answering gRPC calls: refusals become status codes, and faults that are asked for happen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from lab.faults import Fault, Faults
from lab.pubsub.refusals import Refused

STATUSES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    412: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""What a fault's status, which is HTTP's, is here; others are UNKNOWN.

Source: https://cloud.google.com/apis/design/errors#handling_errors
"""

Act = Callable[[Any], Awaitable[Any]]
"""Carries out one call: the request's protobuf message in, the answer's out. May raise Refused."""

Requests = AsyncIterator[Any]

StreamAct = Callable[[Requests, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[None]]
"""Carries out one call of two streams; writes the answers to the context. May raise Refused."""


def unary(
    service: str, methods: Mapping[str, tuple[Any, Act]], faults: Faults
) -> grpc.GenericRpcHandler:
    """Handlers of a service's `methods`; each has its request's class, as the library names it."""
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            _answering(f"/{service}/{name}", act, faults),
            request_deserializer=request.pb().FromString,
            response_serializer=_serialized,
        )
        for name, (request, act) in methods.items()
    }
    return grpc.method_handlers_generic_handler(service, handlers)


def stream(
    service: str, method: str, request: Any, act: StreamAct, faults: Faults
) -> grpc.GenericRpcHandler:
    """The handler of one method with a stream in both directions."""
    path = f"/{service}/{method}"

    async def answer(requests: Requests, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        if (fault := faults.take(path)) is not None:
            await _suffer(fault, context)
        try:
            await act(requests, context)
        except Refused as refused:
            await context.abort(refused.status, str(refused))

    handler = grpc.stream_stream_rpc_method_handler(
        answer,
        request_deserializer=request.pb().FromString,
        response_serializer=_serialized,
    )
    return grpc.method_handlers_generic_handler(service, {method: handler})


def _answering(path: str, act: Act, faults: Faults) -> Any:
    async def answer(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        fault = faults.take(path)
        if fault is not None:
            await _suffer(fault, context)
        try:
            answered = await act(request)
        except Refused as refused:
            await context.abort(refused.status, str(refused))
        if fault is not None and fault.kind == "lost":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The answer was lost.")
        return answered

    return answer


async def _suffer(fault: Fault, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    elif fault.kind == "cut":
        await context.abort(grpc.StatusCode.UNAVAILABLE, "The connection broke.")
    elif fault.kind == "answer":
        status = STATUSES.get(fault.status, grpc.StatusCode.UNKNOWN)
        await context.abort(status, str(fault.body or "A fault was asked for."))


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())
