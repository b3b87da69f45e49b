"""The service google.pubsub.v1.Publisher: topics, and publishing to them.

Source: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#publisher
"""

from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1.types import pubsub

from lab.pubsub import limits
from lab.pubsub.broker import Broker
from lab.pubsub.messages import Content
from lab.pubsub.pages import page
from lab.pubsub.refusals import invalid, not_built
from lab.pubsub.rpc import Act

SERVICE = "google.pubsub.v1.Publisher"
BUILT = frozenset({"name", "labels", "message_retention_duration", "state"})
MUTABLE = frozenset({"labels", "message_retention_duration"})

PublishResponse = pubsub.PublishResponse.pb()
Topic = pubsub.Topic.pb()
ListTopicsResponse = pubsub.ListTopicsResponse.pb()
ListTopicSubscriptionsResponse = pubsub.ListTopicSubscriptionsResponse.pb()


class Publisher:
    """Each method takes and returns protobuf messages, and may raise Refused."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._resources = broker.resources

    def methods(self) -> dict[str, tuple[Any, Act]]:
        return {
            "CreateTopic": (pubsub.Topic, self.create_topic),
            "GetTopic": (pubsub.GetTopicRequest, self.get_topic),
            "UpdateTopic": (pubsub.UpdateTopicRequest, self.update_topic),
            "DeleteTopic": (pubsub.DeleteTopicRequest, self.delete_topic),
            "Publish": (pubsub.PublishRequest, self.publish),
            "ListTopics": (pubsub.ListTopicsRequest, self.list_topics),
            "ListTopicSubscriptions": (
                pubsub.ListTopicSubscriptionsRequest,
                self.list_topic_subscriptions,
            ),
        }

    async def publish(self, request: Any) -> Any:
        limits.check_request(request.ByteSize(), len(request.messages))
        contents = [
            Content(message.data, dict(message.attributes), message.ordering_key)
            for message in request.messages
        ]
        return PublishResponse(message_ids=self._broker.publish(request.topic, contents))

    async def create_topic(self, request: Any) -> Any:
        _check_built(request)
        request.state = pubsub.Topic.State.ACTIVE
        self._resources.create_topic(request.name, request)
        return request

    async def get_topic(self, request: Any) -> Any:
        return self._resources.topic(request.topic)

    async def update_topic(self, request: Any) -> Any:
        topic = self._resources.topic(request.topic.name)
        if not request.update_mask.paths:
            raise invalid("The update_mask must be set, and must contain a non-empty paths list.")
        if not MUTABLE.issuperset(request.update_mask.paths):
            raise invalid("Invalid update_mask: it names a field that is not mutable.")
        request.update_mask.MergeMessage(request.topic, topic, True, True)  # noqa: FBT003 (replace)
        return topic

    async def delete_topic(self, request: Any) -> Empty:
        self._resources.delete_topic(request.topic)
        return Empty()

    async def list_topics(self, request: Any) -> Any:
        ours = [
            name for name in self._resources.topics if name.startswith(f"{request.project}/topics/")
        ]
        found, token = page(ours, request.page_size, request.page_token)
        topics = [self._resources.topics[name] for name in found]
        return ListTopicsResponse(topics=topics, next_page_token=token)

    async def list_topic_subscriptions(self, request: Any) -> Any:
        self._resources.topic(request.topic)
        ours = [each.name for each in self._resources.of_topic(request.topic)]
        found, token = page(ours, request.page_size, request.page_token)
        return ListTopicSubscriptionsResponse(subscriptions=found, next_page_token=token)


def _check_built(topic: Any) -> None:
    unknown = {field.name for field, _ in topic.ListFields()} - BUILT
    if unknown:
        raise not_built(", ".join(sorted(unknown)))
