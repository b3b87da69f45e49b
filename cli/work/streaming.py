"""Streaming: one call to Pub/Sub through which messages come, and the leases of those being taken.

Not `SubscriberClient.subscribe`: see docs/decisions/2026-11-29-a-stream-of-our-own.md.

Sources: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#streamingpullrequest,
https://cloud.google.com/pubsub/docs/lease-management
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from shared import log
from shared.errors import Failure, Mistake, TemporaryFailure
from subscriber.push import Delivered

THREADS = 16  # messages that are taken at once; none further is leased, others may have it
BYTES_LIMIT = 20_000_000  # of all that are being taken; one has 10 MB at most
LEASE_S = 30  # what a process that dies was taking comes again after so long
EXTEND_EVERY_S = 10.0
HEARTBEAT_S = 30.0  # a stream on which a client says nothing for long is closed
CALL_S = 5.0


Taken = Callable[[Delivered], bool]
"""Called with each message, in threads: True if it is never to come again."""


class Stream:
    """Open from the beginning until `close`, which is called in any case.

    `client` is Google's, and the stream's own. `ended` is called once no more will come, and
    `explained` says in our words why.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        explained: Callable[[BaseException], Failure | Mistake],
        taken: Taken,
        ended: Callable[[], None],
        *,
        lease_s: int = LEASE_S,
        extend_every_s: float = EXTEND_EVERY_S,
    ) -> None:
        self._client = client
        self._name = name
        self._explained = explained
        self._taken = taken
        self._ended = ended
        self._lease_s = lease_s
        self._extend_every_s = extend_every_s
        self._failure: Failure | Mistake | None = None
        self._lock = threading.Lock()
        self._call: Any = None
        self._is_closing = threading.Event()
        self._is_done = threading.Event()
        self._leased: dict[str, Future[None]] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="take")
        for target in (self._pull, self._extend):
            threading.Thread(target=target, name="stream", daemon=True).start()

    def failure(self) -> Failure | Mistake | None:
        """Why it ended; None while it goes on."""
        return self._failure

    def close(self, within_s: float) -> bool:
        """Let no more come in, and wait for what is being taken; False if that takes longer."""
        with self._lock:
            self._is_closing.set()
            begun = dict(self._leased)
        if self._call is not None:
            self._call.cancel()
        self._give_back([lease for lease, future in begun.items() if future.cancel()])
        _, late = wait(begun.values(), timeout=within_s)
        self._is_done.set()
        self._pool.shutdown(wait=False)
        self._client.transport.close()
        return not late

    def _pull(self) -> None:
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        try:
            with self._lock:
                if self._is_closing.is_set():
                    return
                # without a limit in time: Pub/Sub closes it now and then
                self._call = self._client.streaming_pull(self._said(), retry=None, timeout=None)
            for answer in self._call:
                self._receive(answer.received_messages)
            self._failure = TemporaryFailure("Pub/Sub has closed the stream")
        except (exceptions.GoogleAPICallError, GoogleAuthError) as error:
            self._failure = self._explained(error)
        except Exception as error:  # noqa: BLE001 - whoever is to open another one has to hear of it
            if not self._is_closing.is_set():
                log.bug("the stream broke", error)
            self._failure = TemporaryFailure("the stream from Pub/Sub broke")
        finally:
            self._ended()

    def _said(self) -> Iterator[Any]:
        """What is said on the stream: what is wanted, and then that we are there."""
        from google.pubsub_v1.types import StreamingPullRequest

        yield StreamingPullRequest(
            subscription=self._name,
            stream_ack_deadline_seconds=self._lease_s,
            max_outstanding_messages=THREADS,
            max_outstanding_bytes=BYTES_LIMIT,
        )
        while not self._is_closing.wait(HEARTBEAT_S):
            yield StreamingPullRequest()

    def _receive(self, received: Sequence[Any]) -> None:
        with self._lock:
            if self._is_closing.is_set():
                return  # whoever closes has others wait for the lease to run out
            for each in received:
                self._leased[each.ack_id] = self._pool.submit(self._take, each)

    def _take(self, received: Any) -> None:
        message, lease = received.message, received.ack_id
        try:
            is_taken = self._taken(
                Delivered(
                    message.message_id,
                    message.data,
                    dict(message.attributes),
                    received.delivery_attempt,
                )
            )
            if is_taken:
                self._calls(self._client.acknowledge, ack_ids=[lease])
            else:
                self._give_back([lease])
        finally:
            # whatever happened: what is not extended any more comes again
            with self._lock:
                self._leased.pop(lease, None)

    def _give_back(self, leases: Sequence[str]) -> None:
        if leases:
            self._calls(self._client.modify_ack_deadline, ack_ids=leases, ack_deadline_seconds=0)

    def _extend(self) -> None:
        while not self._is_done.wait(self._extend_every_s):
            with self._lock:
                leases = list(self._leased)
            if leases:
                self._calls(
                    self._client.modify_ack_deadline,
                    ack_ids=leases,
                    ack_deadline_seconds=self._lease_s,
                )

    def _calls(self, call: Callable[..., Any], **arguments: Any) -> None:
        """Whatever does not reach Pub/Sub makes a message come again, which does no harm."""
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        try:
            call(subscription=self._name, timeout=CALL_S, retry=retry(CALL_S), **arguments)
        except (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError) as error:
            if not self._is_done.is_set():
                log.warning("Pub/Sub did not hear what was taken", reason=type(error).__name__)


def retry(limit_s: float) -> Any:
    """How a call is repeated within `limit_s`."""
    from google.api_core import exceptions
    from google.api_core.retry import Retry, if_exception_type

    return Retry(
        predicate=if_exception_type(
            exceptions.ServiceUnavailable, exceptions.Aborted, exceptions.InternalServerError
        ),
        initial=0.1,
        maximum=1.0,
        timeout=limit_s,
    )
