"""Receiving: what happens between a request and its answer, in order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from function import answers, signature, webhook
from function import body as bodies
from function.publisher import Publisher
from function.signature import BadSignature, Secret
from function.webhook import Message
from function.webhook_secrets import WebhookSecrets
from shared import log
from shared.errors import Failure, PermanentFailure

# dbt Cloud waits 10 s; an answer after that counts as a failure, whatever it says
ANSWER_LIMIT_S = 9.0
SECRETS_LIMIT_S = 3.5
PUBLISH_LIMIT_S = 4.5
PUBLISH_RESERVE_S = 0.5  # kept for publishing, however long the rest took
HEALTH_LIMIT_S = 0.8  # a start-up probe waits 1 s, and is better told than left without an answer


@dataclass(frozen=True)
class Receiver:
    """The HTTP side of the receiver. `now` is the time (aware), `clock` counts seconds."""

    secrets: WebhookSecrets
    publisher: Publisher
    now: Callable[[], datetime]
    clock: Callable[[], float]

    async def receive(self, request: Request) -> Response:
        """The answer to `request`; for an authentic webhook 202, once its event is stored."""
        if request.method == "POST":
            return await self._webhook(request)
        if request.scope["path"] != "/health":
            return answers.method_not_allowed("POST")
        if request.method in ("GET", "HEAD"):
            return await self._health()
        return answers.method_not_allowed("GET, HEAD, POST")

    async def _webhook(self, request: Request) -> Response:
        began = self.clock()
        try:
            body = await bodies.read(request)
            secret = await self._verify(body, request.headers.getlist("authorization"), began)
            message = webhook.message(body, self.now())
            message_id = await self._publish(message, began)
        except bodies.TooLarge:
            return self._refused(answers.too_large(), "body too large", began)
        except bodies.TooSlow:
            return self._refused(answers.too_slow(), "body too slow", began)
        except ClientDisconnect:
            return self._refused(answers.gone(), "client left while it was sending", began)
        except BadSignature as bad:
            return self._refused(answers.unauthorized(), str(bad), began)
        except PermanentFailure as failure:
            return self._refused(answers.unavailable(), str(failure), began, tell=log.error)
        except Failure as failure:
            return self._refused(answers.unavailable(), str(failure), began)
        self._published(message, message_id, secret, began)
        return answers.accepted(message.event_id, message_id)

    async def _verify(self, body: bytes, authorization: list[str], began: float) -> Secret:
        active = await self.secrets.active(self._secrets_limit_s(began))
        digest = signature.digest_of(authorization)
        try:
            return signature.verify(body, digest, active)
        except BadSignature:
            # the secret may have changed since it was read
            active = await self.secrets.read_anew(self._secrets_limit_s(began))
            return signature.verify(body, digest, active)

    async def _publish(self, message: Message, began: float) -> str:
        left_s = ANSWER_LIMIT_S - (self.clock() - began)
        return await self.publisher.publish(message, min(PUBLISH_LIMIT_S, left_s))

    def _secrets_limit_s(self, began: float) -> float:
        left_s = ANSWER_LIMIT_S - PUBLISH_RESERVE_S - (self.clock() - began)
        return max(0.0, min(SECRETS_LIMIT_S, left_s))

    async def _health(self) -> Response:
        secrets, publisher = await asyncio.gather(
            _failure_of(self.secrets.active(HEALTH_LIMIT_S)),
            _failure_of(self.publisher.ready(HEALTH_LIMIT_S)),
        )
        lacking = {"secrets": secrets, "publisher": publisher}
        lacking = {part: failure for part, failure in lacking.items() if failure is not None}
        if not lacking:
            return answers.healthy()
        log.warning("not ready", **{part: str(failure) for part, failure in lacking.items()})
        return answers.unhealthy(list(lacking))

    def _published(self, message: Message, message_id: str, secret: Secret, began: float) -> None:
        told = message.attributes
        log.info(
            "event published",
            event=message.event_id,
            event_type=told.get("event_type"),
            account=told.get("account_id"),
            run=told.get("run_id"),
            content=told["content"],
            message_id=message_id,
            secret=secret.name,
            duration_ms=self._duration_ms(began),
        )

    def _refused(
        self,
        answer: Response,
        reason: str,
        began: float,
        tell: Callable[..., None] = log.warning,
    ) -> Response:
        tell(
            "webhook refused",
            status=answer.status_code,
            reason=reason,
            duration_ms=self._duration_ms(began),
        )
        return answer

    def _duration_ms(self, began: float) -> float:
        return round((self.clock() - began) * 1000, 1)


async def _failure_of(work: Awaitable[object]) -> Failure | None:
    try:
        await work
    except Failure as failure:
        return failure
    return None
