"""Answering gRPC calls: refusals become status codes, and faults that are asked for happen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio
from google.api_core.exceptions import from_http_status

from lab.faults import Fault, Faults
from lab.pubsub.refusals import Refused

Act = Callable[[Any], Awaitable[Any]]
"""Carries out one call: the request's protobuf message in, the answer's out. May raise Refused."""

Requests = AsyncIterator[Any]

StreamAct = Callable[[Requests, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[None]]
"""Carries out one call of two streams; writes the answers to the context. May raise Refused."""


def unary(
    service: str, methods: Mapping[str, tuple[Any, Act]], faults: Faults
) -> "grpc.GenericRpcHandler[Any, Any]":
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
) -> "grpc.GenericRpcHandler[Any, Any]":
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
        # faults are written in HTTP's numbers; Google's own table says which code each is
        known = from_http_status(fault.status, "")  # type: ignore[no-untyped-call]
        status = known.grpc_status_code or grpc.StatusCode.UNKNOWN
        await context.abort(status, str(fault.body or "A fault was asked for."))


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())
