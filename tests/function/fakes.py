"""What the receiver's tests hand in: requests, a clock, secrets and a publisher."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message as Received

from function.receive import Receiver
from function.webhook import Message
from function.webhook_secrets import WebhookSecrets
from shared import secret_refs
from shared.errors import Failure, PermanentFailure
from shared.secret_refs import SecretRef
from tests.builders import NOW, signed

REF = SecretRef("secret", "dbt-webhook")
SECRET = "keep-me-quiet"


class Seconds:
    """A clock that moves only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Values:
    """Where secrets are kept. A reference without a value cannot be read."""

    values: dict[str, str] = field(default_factory=lambda: {str(REF): SECRET}, repr=False)
    readings: list[str] = field(default_factory=list)

    def read(self, ref: SecretRef) -> str:
        self.readings.append(str(ref))
        if str(ref) not in self.values:
            raise PermanentFailure(f"the secret {ref} cannot be read: NotFound")
        return self.values[str(ref)]


@dataclass
class FakePublisher:
    """Keeps what is published; fails first as often as it was told to."""

    published: list[Message] = field(default_factory=list)
    timeouts_s: list[float] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unready: Failure | None = None

    async def publish(self, message: Message, timeout_s: float) -> str:
        self.timeouts_s.append(timeout_s)
        if self.failures:
            raise self.failures.pop(0)
        self.published.append(message)
        return f"message-{len(self.published)}"

    async def ready(self, limit_s: float) -> None:
        if self.unready is not None:
            raise self.unready


def refs(*written: str) -> list[SecretRef]:
    return [secret_refs.parse(each) for each in written]


def secrets(
    *written: str, values: Values | None = None, clock: Callable[[], float] | None = None
) -> WebhookSecrets:
    return WebhookSecrets(
        refs=refs(*written),
        read_one=(values or Values()).read,
        clock=clock or Seconds(),
    )


def a_receiver(
    *,
    webhook_secrets: WebhookSecrets | None = None,
    publisher: FakePublisher | None = None,
    clock: Callable[[], float] | None = None,
) -> Receiver:
    return Receiver(
        secrets=webhook_secrets or secrets(str(REF)),
        publisher=publisher or FakePublisher(),
        now=lambda: NOW,
        clock=clock or Seconds(),
    )


def arriving(*chunks: bytes) -> Callable[[], Awaitable[Received]]:
    """A body that arrives in these pieces."""
    pieces = list(chunks) or [b""]

    async def receive() -> Received:
        body = pieces.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(pieces)}

    return receive


def stuck(*chunks: bytes) -> Callable[[], Awaitable[Received]]:
    """A body of which only these pieces arrive."""
    pieces = list(chunks)

    async def receive() -> Received:
        if not pieces:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": pieces.pop(0), "more_body": True}

    return receive


def leaving(*chunks: bytes) -> Callable[[], Awaitable[Received]]:
    """A client that leaves after having sent these pieces."""
    pieces = list(chunks)

    async def receive() -> Received:
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": True}

    return receive


def a_request(
    receive: Callable[[], Awaitable[Received]],
    *,
    method: str = "POST",
    path: str = "/",
    headers: Iterable[tuple[str, str]] = (),
) -> Request:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }
    return Request(scope, receive)


def a_webhook(body: bytes, *, secret: str = SECRET, **headers: str) -> Request:
    """`body` as dbt Cloud would send it."""
    sent: Mapping[str, str] = {
        "content-length": str(len(body)),
        "authorization": signed(body, secret),
        **headers,
    }
    return a_request(arriving(body), headers=sent.items())


def answer(receiver: Receiver, *requests: Request) -> list[Response]:
    """The receiver's answers, to one request after the other."""

    async def answers() -> list[Response]:
        return [await receiver.receive(request) for request in requests]

    return asyncio.run(answers())
