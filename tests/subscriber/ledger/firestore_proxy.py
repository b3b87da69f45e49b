"""A Firestore that fails on demand: it passes calls on to a real one, or not, and loses answers."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

COMMIT = "/google.firestore.v1.Firestore/Commit"
RUN_QUERY = "/google.firestore.v1.Firestore/RunQuery"


@dataclass
class Faults:
    """What becomes of the calls. Safe to use from several threads.

    `answers`: the next commits are answered so, and not looked at.
    `lost`: how many of the next commits are carried out, and their answers lost.
    `always`: every call is answered so.
    """

    answers: deque[grpc.StatusCode] = field(default_factory=deque)
    lost: int = 0
    always: grpc.StatusCode | None = None
    commits: int = 0
    """How many commits have come."""
    largest_bytes: int = 0
    """Size of the largest request that has come."""
    answered_bytes: int = 0
    """Size of all answers that have gone."""
    queries: list[bytes] = field(default_factory=list)
    """The queries that have come."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, method: str, request: bytes) -> tuple[grpc.StatusCode | None, bool]:
        """The status to answer a call with, if any, and whether its answer is to be lost."""
        with self.lock:
            self.largest_bytes = max(self.largest_bytes, len(request))
            if method == RUN_QUERY:
                self.queries.append(request)
            if self.always is not None or method != COMMIT:
                return self.always, False
            self.commits += 1
            if self.answers:
                return self.answers.popleft(), False
            if self.lost:
                self.lost -= 1
                return None, True
            return None, False

    def answered(self, answers: Sequence[bytes]) -> None:
        with self.lock:
            self.answered_bytes += sum(map(len, answers))


class Proxy(grpc.GenericRpcHandler):
    """Passes on bytes: a call of either kind is one request and any number of answers."""

    def __init__(self, channel: grpc.Channel, faults: Faults) -> None:
        self._channel = channel
        self._faults = faults

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        method = str(handler_call_details.method)
        return grpc.unary_stream_rpc_method_handler(self._passing_on(method))

    def _passing_on(self, method: str) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
        forward: Callable[..., Iterator[bytes]] = self._channel.unary_stream(method)

        def call(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            status, is_lost = self._faults.take(method, request)
            if status is not None:
                context.abort(status, "as the test wants it")
            prefix = [
                (key, value)
                for key, value in context.invocation_metadata()
                if key == "google-cloud-resource-prefix"
            ]
            try:
                answers = list(forward(request, timeout=10, metadata=tuple(prefix)))
            except grpc.RpcError as error:
                context.abort(error.code(), error.details() or "")
            self._faults.answered(answers)
            if is_lost:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the answer is lost")
            yield from answers

        return call


@contextmanager
def proxy(to: str, faults: Faults) -> Iterator[str]:
    """A proxy to the Firestore at host:port `to` within the block; the value is its host:port."""
    with ThreadPoolExecutor(8) as pool, grpc.insecure_channel(to) as channel:
        as_google = [("grpc.max_receive_message_length", -1)]
        server = grpc.server(pool, handlers=[Proxy(channel, faults)], options=as_google)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(grace=None).wait(timeout=5)
