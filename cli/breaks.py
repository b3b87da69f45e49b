"""Breaks: hearing how the calls of a stream end, which Google's client keeps to itself.

Source: https://grpc.github.io/grpc/python/grpc.html#client-side-interceptor
"""

from collections.abc import Callable
from typing import Any

import grpc
from google.api_core import exceptions


class Breaks(grpc.StreamStreamClientInterceptor):
    """`ended` is called once a call has ended; `first` is then how the first one did."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self.ended = ended
        self.first: Exception | None = None

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        call = continuation(details, requests)
        call.add_done_callback(self._call_ended)
        return call

    def _call_ended(self, call: Any) -> None:
        if self.first is None:
            self.first = exceptions.from_grpc_error(call)  # type: ignore[no-untyped-call]
        self.ended()
