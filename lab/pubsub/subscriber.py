"""The service google.pubsub.v1.Subscriber: subscriptions, and pulling from them one call at a time.

Source: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#subscriber
"""

from collections.abc import Callable
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1.types import pubsub

from lab.pubsub import described, pulling, settings
from lab.pubsub.broker import Broker
from lab.pubsub.limits import LONGEST_ACK_DEADLINE_S, Limits
from lab.pubsub.pages import page
from lab.pubsub.refusals import invalid
from lab.pubsub.resources import Subscription
from lab.pubsub.rpc import Act

SERVICE = "google.pubsub.v1.Subscriber"

PULL_WAIT_S = 20.0
"""How long a pull waits for a first message; the real service waits "a bounded amount of time"."""

PullResponse = pubsub.PullResponse.pb()
ListSubscriptionsResponse = pubsub.ListSubscriptionsResponse.pb()


class Subscriber:
    """Each method takes and returns protobuf messages, and may raise Refused."""

    def __init__(
        self, broker: Broker, bounds: Limits, created: Callable[[Subscription], None]
    ) -> None:
        """`created` is called with each new subscription, so that it is delivered."""
        self._broker = broker
        self._resources = broker.resources
        self._bounds = bounds
        self._created = created

    def methods(self) -> dict[str, tuple[Any, Act]]:
        return {
            "CreateSubscription": (pubsub.Subscription, self.create),
            "GetSubscription": (pubsub.GetSubscriptionRequest, self.get),
            "UpdateSubscription": (pubsub.UpdateSubscriptionRequest, self.update),
            "DeleteSubscription": (pubsub.DeleteSubscriptionRequest, self.delete),
            "ListSubscriptions": (pubsub.ListSubscriptionsRequest, self.list_all),
            "ModifyPushConfig": (pubsub.ModifyPushConfigRequest, self.modify_push_config),
            "Pull": (pubsub.PullRequest, self.pull),
            "Acknowledge": (pubsub.AcknowledgeRequest, self.acknowledge),
            "ModifyAckDeadline": (pubsub.ModifyAckDeadlineRequest, self.modify_ack_deadline),
        }

    async def create(self, request: Any) -> Any:
        described.complete(request)
        created = self._resources.create_subscription(request, settings.read(request, self._bounds))
        self._created(created)
        return created.described

    async def get(self, request: Any) -> Any:
        return self._resources.subscription(request.subscription).described

    async def update(self, request: Any) -> Any:
        found = self._resources.subscription(request.subscription.name)
        after = described.updated(found.described, request.subscription, request.update_mask)
        self._resources.change(found, after, settings.read(after, self._bounds))
        return after

    async def modify_push_config(self, request: Any) -> Empty:
        found = self._resources.subscription(request.subscription)
        after = pubsub.Subscription.pb()()
        after.CopyFrom(found.described)
        after.push_config.CopyFrom(request.push_config)
        self._resources.change(found, after, settings.read(after, self._bounds))
        return Empty()

    async def delete(self, request: Any) -> Empty:
        self._resources.delete_subscription(request.subscription)
        return Empty()

    async def list_all(self, request: Any) -> Any:
        prefix = f"{request.project}/subscriptions/"
        every = self._resources.subscriptions
        ours = [name for name in every if name.startswith(prefix)]
        found, token = page(ours, request.page_size, request.page_token)
        answers = [every[name].described for name in found]
        return ListSubscriptionsResponse(subscriptions=answers, next_page_token=token)

    async def pull(self, request: Any) -> Any:
        if request.max_messages <= 0:
            raise invalid("max_messages must be greater than 0.")
        found = self._resources.subscription(request.subscription)
        limit = min(request.max_messages, pulling.ANSWER_LIMIT)
        until = self._broker.clock() + (0.0 if request.return_immediately else PULL_WAIT_S)
        while True:
            pulling.check(found)
            leases = self._broker.lease(
                found,
                limit,
                lease_s=found.settings.ack_deadline_s,
                limit_bytes=pulling.ANSWER_LIMIT_BYTES,
            )
            if leases or self._broker.clock() >= until:
                return PullResponse(received_messages=[pulling.received(each) for each in leases])
            await pulling.wait(self._broker, found, until)

    async def acknowledge(self, request: Any) -> Empty:
        found = self._resources.subscription(request.subscription)
        _check_ack_ids(request.ack_ids)
        for ack_id in request.ack_ids:
            self._broker.acknowledge(found, ack_id)
        return Empty()

    async def modify_ack_deadline(self, request: Any) -> Empty:
        """0 refuses the messages; the lower end of 10 s is for a subscription's own deadline."""
        found = self._resources.subscription(request.subscription)
        _check_ack_ids(request.ack_ids)
        if not 0 <= request.ack_deadline_seconds <= LONGEST_ACK_DEADLINE_S:
            raise invalid(f"An ack deadline is 0 to {LONGEST_ACK_DEADLINE_S} seconds.")
        for ack_id in request.ack_ids:
            self._broker.extend(found, ack_id, request.ack_deadline_seconds)
        return Empty()


def _check_ack_ids(ack_ids: Any) -> None:
    if not ack_ids:
        raise invalid("No ack ids specified.")
